"""``stylize.py`` with folders: pictures of one size and style together."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError
from nstjax.methods import images, one_pass
from nstjax.methods import plan as planning
from nstjax.methods.options import method_options
from nstjax.methods.styles import encode_style

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SIZES = [(48, 40)] * 3 + [(33, 50)] + [(48, 40)] * 2 + [(20, 30)]


@pytest.fixture
def folders(tmp_path, save_picture) -> dict[str, Path]:
    photos, styles = tmp_path / "photos", tmp_path / "styles"
    photos.mkdir()
    styles.mkdir()
    for seed, size in enumerate(SIZES):
        save_picture(photos / f"{seed}.png", size, seed)
    for seed, name in enumerate(("calm", "wild"), start=50):
        save_picture(styles / f"{name}.png", (64, 64), seed)
    return {"content": photos, "style": styles, "output": tmp_path / "painted"}


def _arguments(folders, **changed) -> list[str]:
    return [f"--{name}={path}" for name, path in (folders | changed).items()]


def _read_all(folder: Path) -> dict[str, np.ndarray]:
    pictures = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            pictures[path.name] = np.asarray(image).astype(int)
    return pictures


def test_together_they_come_out_as_one_by_one(folders, tmp_path, monkeypatch):
    counts = []
    run_batch = planning.run_batch
    monkeypatch.setattr(
        planning,
        "run_batch",
        lambda plans: counts.append(len(plans)) or run_batch(plans),
    )
    assert main([*_arguments(folders), "--batch-size=2", "--quiet"]) == 0
    # Of each style: five of one size; what is left of them, one of another size and
    # the smallest are painted alone.
    assert counts == [2, 2, 2, 2]
    alone = tmp_path / "alone"
    options = ["--batch-size=1", "--quiet"]
    assert main([*_arguments(folders, output=alone), *options]) == 0
    together, one_by_one = _read_all(folders["output"]), _read_all(alone)
    assert len(together) == 2 * len(SIZES) and set(together) == set(one_by_one)
    for name, picture in together.items():
        assert picture.shape == one_by_one[name].shape
        # The same up to rounding to one of 256 levels.
        assert np.abs(picture - one_by_one[name]).max() <= 1, name


def test_a_style_is_read_and_encoded_once(folders, monkeypatch):
    folders["style"] = folders["style"] / "calm.png"
    read, encoded = [], []
    read_picture = images.read_picture

    def reading(source):
        read.append(str(source))
        return read_picture(source)

    def encoding(style, **options):
        encoded.append(options["short_side"])
        return encode_style(style, **options)

    monkeypatch.setattr(planning, "read_picture", reading)
    monkeypatch.setattr("nstjax.methods.styles.encode_style", encoding)
    assert main([*_arguments(folders), "--batch-size=2", "--quiet"]) == 0
    assert read.count(str(folders["style"])) == 1
    # Once for each of the sides at which it is seen; the smallest picture is
    # enlarged, and sees it for itself.
    assert sorted(encoded) == [32, 32, 40]


def test_a_bad_picture_stops_no_other_and_nothing_is_replaced(folders, capsys):
    (folders["content"] / "bad.jpg").write_text("no picture")
    folders["style"] = folders["style"] / "calm.png"
    folders["output"].mkdir()
    kept = folders["output"] / "2.png"
    kept.write_bytes(b"somebody's own")
    saved = kept.parent.parent / "calm.style"
    assert main([*_arguments(folders), f"--save-style={saved}"]) == 2
    assert saved.is_file()
    errors = capsys.readouterr().err
    assert "bad.jpg" in errors and "1 of 7 pictures failed" in errors
    assert "1 pictures already existed" in errors and "wrote 6 pictures" in errors
    assert kept.read_bytes() == b"somebody's own"
    assert len(list(folders["output"].iterdir())) == len(SIZES)


def test_a_folder_that_goes_on_keeps_the_style_it_began_with(folders):
    folders["style"] = folders["style"] / "calm.png"
    saved, other = (folders["output"].parent / f"{n}.style" for n in ("a", "b"))
    command = [*_arguments(folders), "--quiet"]
    assert main([*command, f"--save-style={saved}"]) == 0
    kept = saved.read_bytes()
    missing = folders["output"] / "2.png"
    missing.unlink()
    # In another style, whose statistics would be others.
    another = _arguments(folders, style=folders["style"].with_name("wild.png"))
    assert main([*another, "--quiet", f"--save-style={saved}"]) == 0
    assert missing.is_file() and saved.read_bytes() == kept
    # Also where no picture is missing.
    assert main([*command, f"--save-style={other}"]) == 0
    assert other.is_file()


@pytest.mark.parametrize("weights", [["1"], ["0", "0"]])
def test_weights_that_fit_no_picture_are_one_sentence(folders, weights, capsys):
    styles = sorted(map(str, folders["style"].iterdir()))[:2]
    command = [f"--content={folders['content']}", f"--output={folders['output']}"]
    assert main([*command, "--style", *styles, "--style-blend", *weights]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not folders["output"].exists()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SyntaxError])
def test_whatever_a_picture_raises_belongs_to_that_picture(
    error, folders, monkeypatch, capsys
):
    """Decoders raise more than OSError; a damaged AVIF, for one, RuntimeError."""
    folders["style"] = folders["style"] / "calm.png"
    for number in range(3, len(SIZES)):
        (folders["content"] / f"{number}.png").unlink()
    read_content = planning.read_content

    def reading(source, *arguments):
        if str(source).endswith("1.png"):
            raise error("the decoder gave up")
        return read_content(source, *arguments)

    monkeypatch.setattr(planning, "read_content", reading)
    assert main([*_arguments(folders), "--quiet"]) == 2
    errors = capsys.readouterr().err
    assert "1.png could not be made" in errors and "1 of 3 pictures failed" in errors
    assert {p.name for p in folders["output"].iterdir()} == {"0.png", "2.png"}


def test_a_picture_that_cannot_be_written_is_reported(folders, monkeypatch, capsys):
    from nstjax.cli import painting

    folders["style"] = folders["style"] / "calm.png"
    write = painting.write_image

    def full_disk(path, image, **options):
        if path.name == "1.png":
            raise NstjaxError(f"{path} cannot be written: no space is left")
        write(path, image, **options)

    monkeypatch.setattr(painting, "write_image", full_disk)
    assert main([*_arguments(folders), "--quiet"]) == 2
    assert "1.png cannot be written" in capsys.readouterr().err
    assert len(list(folders["output"].iterdir())) == len(SIZES) - 1


def test_methods_that_optimise_take_no_batch_size(folders, capsys):
    options = ["--method=gatys", "--batch-size=2"]
    assert main([*_arguments(folders), *options]) == 2
    assert "--batch-size works with adain" in capsys.readouterr().err


def test_small_pictures_and_other_transforms_are_not_painted_together():
    networks = planning.load_networks(method_options("adain"))
    small = np.zeros((2, 40, 31, 3), np.float32)
    with pytest.raises(NstjaxError, match="at least 32 pixels"):
        one_pass.transfer_batch(small, [small[0]], networks=networks)
    swaps = planning.load_networks(method_options("style-swap-net"))
    large = np.zeros((2, 40, 40, 3), np.float32)
    with pytest.raises(NstjaxError, match="only AdaIN"):
        one_pass.transfer_batch(large, [large[0]], networks=swaps)


def test_pictures_are_shared_out_over_devices():
    """Five pictures on four devices equal those painted alone on one."""
    program = """
import jax, numpy as np
from nstjax.methods import images
from nstjax.methods import plan as planning
from nstjax.methods import one_pass
from nstjax.methods.options import method_options
from nstjax.sharding import make_data_mesh
assert jax.local_device_count() == 4
random = np.random.default_rng(0)
contents = random.random((5, 40, 48, 3), np.float32)
style = random.random((64, 64, 3), np.float32)
networks = planning.load_networks(method_options("adain"))
together = one_pass.transfer_batch(contents, [style], networks=networks, alpha=0.7)
assert len(together) == len(contents)
for content, result in zip(contents, together):
    alone = one_pass.transfer_picture(content, [style], networks=networks, alpha=0.7)
    np.testing.assert_allclose(result, alone, atol=1e-4)
"""
    flags = "--xla_force_host_platform_device_count=4"
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": flags},
        check=True,
    )


def test_an_example_s_name_stays_one_beside_a_folder_of_it(
    folders, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    command = _arguments(folders, style="night", output="night")
    for _ in range(2):
        assert main(command) == 0
        assert len(list((tmp_path / "night").iterdir())) == len(SIZES)
    errors = capsys.readouterr().err
    assert "7 pictures already existed" in errors
    assert "night means the example picture; write night/ for the folder" in errors
    # With a separator it is the folder, whose pictures are styles.
    assert main(_arguments(folders, style="night/", output="o")) == 0
    assert len(list((tmp_path / "o").iterdir())) == len(SIZES) ** 2


@pytest.mark.parametrize("name", ["content", "style"])
def test_results_among_what_is_painted_are_refused(name, folders, capsys):
    before = sorted(folders[name].iterdir())
    assert main(_arguments(folders, output=folders[name])) == 2
    assert "choose another --output" in capsys.readouterr().err
    assert sorted(folders[name].iterdir()) == before


def test_a_bad_style_is_told_of_once(folders, capsys):
    folders["style"] = folders["style"] / "calm.png"
    folders["style"].write_bytes(b"no picture")
    assert main([*_arguments(folders), "--quiet"]) == 2
    assert capsys.readouterr().err.count("not a supported picture") == 1


def make_beside(monkeypatch, one: str, other: str) -> None:
    """Lets another process make two pictures just before the first is written."""
    from nstjax.cli import painting

    write = painting.write_image

    def writing(path, image, **options):
        if path.name == one:
            write(path, image)
            write(path.with_name(other), image)
        write(path, image, **options)

    monkeypatch.setattr(painting, "write_image", writing)


def test_pictures_of_another_process_are_there(folders, monkeypatch, capsys):
    """One appears while it is painted, another before its turn."""
    folders["style"] = folders["style"] / "calm.png"
    make_beside(monkeypatch, "1.png", "3.png")
    assert main([*_arguments(folders), "--batch-size=1"]) == 0
    assert len(list(folders["output"].iterdir())) == len(SIZES)
    assert "made by another process" in capsys.readouterr().err


def test_methods_that_optimise_leave_what_others_have_made(
    folders, monkeypatch, capsys
):
    """One appears while it is painted, another before its turn."""
    folders["style"] = folders["style"] / "calm.png"
    for number in range(3, len(SIZES)):
        (folders["content"] / f"{number}.png").unlink()
    make_beside(monkeypatch, "0.png", "1.png")
    options = ["--method=gatys", "--iterations=1", "--json"]
    assert main([*_arguments(folders), *options]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {Path(record["output"]).name: record.get("there") for record in records}
    assert found == {"0.png": True, "1.png": True, "2.png": None}


def test_json_says_why_the_rest_of_a_folder_is_not_made(folders, capsys):
    style = folders["style"] = folders["style"] / "calm.png"
    assert main([*_arguments(folders), "--quiet"]) == 0
    (folders["output"] / "1.png").unlink()
    (folders["output"] / "2.png").unlink()
    style.write_bytes(b"no picture")
    assert main([*_arguments(folders), "--json", "--quiet"]) == 2
    *there, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(there) == len(SIZES) - 2 and all(record["there"] for record in there)
    assert "not a supported picture" in last["error"]


def test_every_picture_has_its_line_whenever_a_run_is_stopped(folders, tmp_path):
    """From the signal on, nothing is written of which no line tells."""
    for number in range(7, 60):
        content = folders["content"] / f"{number}.png"
        content.write_bytes((folders["content"] / "0.png").read_bytes())
    folders["style"] = folders["style"] / "calm.png"
    command = [sys.executable, str(ROOT / "stylize.py"), *_arguments(folders)]
    process = subprocess.Popen(
        [*command, "--json", "--quiet"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate()
    assert process.returncode == 143
    told = [json.loads(line)["output"] for line in [first, *rest.splitlines()]]
    there = [str(path) for path in folders["output"].glob("*.png")]
    assert sorted(told) == sorted(there) and len(there) < 60
