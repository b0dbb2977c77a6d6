"""Sheets of one photograph in many styles, or by every method."""

import json

import numpy as np
import pytest
from PIL import Image

from nstjax import METHODS
from nstjax.cli import sheets
from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError


def test_a_sheet_shows_each_style_where_it_says(
    pictures, tmp_path, save_picture, capsys
):
    other = save_picture(tmp_path / "second.jpg", (64, 64), 3)
    output, alone = tmp_path / "sheet.png", tmp_path / "alone.png"
    begin = ["--content", pictures["content"], "--quiet"]
    styles = [pictures["style"], other]
    command = [*begin, "--sheet", "--sheet-columns=2", "--json"]
    assert main([*command, "--style", *styles, f"--output={output}"]) == 0
    assert main([*begin, "--style", styles[1], f"--output={alone}"]) == 0
    sheet, painted = (np.asarray(Image.open(path)) for path in (output, alone))
    # Content and style above, other below: gaps of 8, letters of 14.
    top = 8 + (51 + 24 + 8)
    np.testing.assert_array_equal(sheet[top : top + 51, 8 : 8 + 70], painted)
    label = sheet[top + 51 : top + 75, 8 : 8 + 70]
    assert (label < 100).any() and label[:, 0].min() == 255
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert record["pictures"] == ["style", "second"]
    assert record["size"] == {"width": sheet.shape[1], "height": sheet.shape[0]}


def test_a_style_that_cannot_be_read_is_left_out(pictures, tmp_path, capsys):
    broken, output = tmp_path / "broken.jpg", tmp_path / "sheet.png"
    broken.write_text("no picture")
    command = ["--content", pictures["content"], "--sheet", f"--output={output}"]
    assert main([*command, "--style", str(broken), pictures["style"], "--quiet"]) == 2
    assert (
        "broken.jpg is damaged, or not a supported picture" in capsys.readouterr().err
    )
    with Image.open(output) as sheet:
        assert sheet.size == (8 + 2 * 78, 8 + 83)
    alone = [*command[:3], f"--output={tmp_path}/none.png", "--style", str(broken)]
    assert main(alone) == 2
    assert "there is no sheet" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


def test_every_method_gets_the_options_that_it_has():
    cells = sheets.method_cells(
        ["night"], {"alpha": 0.5, "iterations": 7, "init": None}
    )
    assert [cell.label for cell in cells] == list(METHODS)
    leaves = {cell.label: cell.leaves for cell in cells}
    assert leaves["adain"]["alpha"] == 0.5 and "iterations" not in leaves["adain"]
    assert leaves["gatys"]["iterations"] == 7 and leaves["gatys"]["alpha"] == 1
    assert leaves["style-swap"]["alpha"] == 0.5


@pytest.mark.parametrize(
    ("styles", "changes", "words"),
    [
        (["night", "wave"], {}, "paints in one style"),
        ([], {}, "paints in one style"),
        (["night"], {"preserve_color": "all"}, "preserve_color must be one of"),
    ],
)
def test_what_no_method_takes_is_refused(styles, changes, words):
    with pytest.raises(NstjaxError, match=words):
        sheets.method_cells(styles, changes)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--sheet", "--style-blend", "1"], "--style-blend cannot be used"),
        (["--sheet", "methods", "--method=gatys"], "--method applies to one method"),
        (
            ["--sheet", "methods", "--config.tv_weight=1"],
            "--config.tv_weight=1 applies to",
        ),
        (["--sheet-columns=3"], "--sheet-columns needs --sheet"),
        (["--sheet", "--content=night"], "a sheet shows one photograph"),
        (["--sheet", "--output=sheet.xyz"], "sheet.xyz"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(more, words, pictures, capsys):
    command = ["--content", pictures["content"], "--style", pictures["style"]]
    assert main([*command, *more]) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


def test_pictures_keep_their_shape_and_labels_their_ends():
    tall = np.zeros((80, 20, 3), np.float32)
    wide = np.full((40, 80, 3), 0.5, np.float32)
    name = "a-name-that-is-much-too-long-for-its-picture"
    sheet = sheets.compose([(name, tall), ("b", wide)], (40, 80), 2)
    black = (sheet[8:48, 8:88] == 0).all(axis=2)
    assert black.sum() == 40 * 10
    assert sheets._shorten("abcdefgh", lambda text: len(text) <= 5) == "ab…gh"
    # Nothing of a label reaches into the gaps beside its picture.
    assert (sheet[48:, :8] == 1).all() and (sheet[48:, 88:96] == 1).all()


def test_a_signal_leaves_the_pictures_so_far(
    pictures, tmp_path, monkeypatch, save_picture, capsys
):
    import os
    import signal

    run, done = sheets.planning.run, []

    def interrupted(plan, **options):
        if done:
            os.kill(os.getpid(), signal.SIGTERM)
        done.append(plan)
        return run(plan, **options)

    monkeypatch.setattr(sheets.planning, "run", interrupted)
    output = tmp_path / "sheet.png"
    command = ["--content", pictures["content"], "--style", pictures["style"]]
    for name in ("second", "third"):
        command.append(save_picture(tmp_path / f"{name}.jpg", (64, 64), 3))
    command += ["--sheet", f"--output={output}"]
    assert main([*command, "--sheet-columns=1"]) == 128 + signal.SIGTERM
    assert "has 2 of 3 pictures" in capsys.readouterr().err
    with Image.open(output) as sheet:
        assert sheet.size == (8 + 78, 8 + 3 * 83)


@pytest.mark.slow
def test_every_method_paints_its_cell(pictures, tmp_path):
    output = tmp_path / "sheet.png"
    command = ["--content", pictures["content"], "--style", pictures["style"]]
    command += ["--sheet", "methods", "--iterations=2", f"--output={output}"]
    assert main([*command, "--sheet-columns=5", "--quiet"]) == 0
    with Image.open(output) as sheet:
        assert sheet.size == (8 + 5 * 78, 8 + 2 * 83)
