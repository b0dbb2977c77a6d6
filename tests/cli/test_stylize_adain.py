"""``stylize.py`` with the methods of one pass, and the bundled networks."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError
from nstjax.methods import images, one_pass
from nstjax.methods import plan as planning
from nstjax.methods.options import method_options
from nstjax.weights.pretrained import load_decoder, load_encoder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def arguments(pictures, tmp_path) -> list[str]:
    return [
        f"--content={pictures['content']}",
        f"--style={pictures['style']}",
        f"--output={tmp_path / 'out.png'}",
        "--quiet",
    ]


def _read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(float) / 255


def test_paints_by_default_without_a_method(arguments, tmp_path, pictures):
    assert main([*arguments, f"--trace={tmp_path / 'trace.json'}"]) == 0
    result = _read(tmp_path / "out.png")
    assert result.shape == (51, 70, 3)
    assert np.abs(result - _read(pictures["content"])).mean() > 0.02
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["options"]["method"] == "adain" and trace["evaluations"] == []
    assert set(trace["weights"]) == {"adain-slim"}


@pytest.mark.parametrize("size", [(51, 33), (64, 64), (37, 90), (16, 17)])
def test_the_result_has_the_contents_size(size, arguments, tmp_path, save_picture):
    content = save_picture(tmp_path / "odd.png", size, 3)
    assert main([f"--content={content}", *arguments[1:]]) == 0
    assert _read(tmp_path / "out.png").shape == (size[1], size[0], 3)


def test_another_size_is_kept_exactly(arguments, tmp_path):
    assert main([*arguments, "--size=83x47"]) == 0
    assert _read(tmp_path / "out.png").shape == (47, 83, 3)


def test_alpha_leads_from_the_content_to_the_style():
    content = images.read_picture("chelsea")[:160, :160]

    def distance(alpha):
        picture = nstjax.stylize(content, "night", alpha=alpha)
        return np.abs(picture - content).mean()

    distances = [distance(alpha) for alpha in (0.0, 0.5, 1.0)]
    assert distances[0] < distances[1] < distances[2]


def test_a_blend_of_1_and_0_is_the_first_style(pictures):
    both = [pictures["style"], pictures["other"]]
    alone = nstjax.stylize(pictures["content"], both[0])
    blended = nstjax.stylize(pictures["content"], both, style_blend=(1, 0))
    # A style is measured whole or in windows, by which program is ready first.
    np.testing.assert_allclose(alone, blended, atol=1e-5)


def test_a_saved_style_paints_like_its_picture(
    arguments, tmp_path, pictures, save_picture
):
    saved = tmp_path / "wavy.style"
    # As large as the style, which is seen at the content's size.
    content = save_picture(tmp_path / "large.png", (80, 64), 4)
    arguments[0] = f"--content={content}"
    assert main([*arguments, f"--save-style={saved}"]) == 0
    again = tmp_path / "again.png"
    rest = [f"--content={content}", f"--output={again}", "--quiet"]
    assert main([*rest, f"--style={saved}"]) == 0
    np.testing.assert_array_equal(_read(again), _read(tmp_path / "out.png"))
    assert (
        main(
            [
                *arguments[:2],
                f"--output={tmp_path / 'c.png'}",
                "--quiet",
                f"--save-style={saved}",
            ]
        )
        == 2
    )
    assert not (tmp_path / "c.png").exists()


def test_masks_choose_the_style_by_place(tmp_path):
    content = np.full((64, 256, 3), 0.5, np.float32)
    content += np.random.default_rng(0).normal(0, 0.1, content.shape)
    content = np.clip(content, 0, 1).astype(np.float32)
    styles = ["night", "sunflowers"]
    mask = np.zeros((64, 256), np.float32)
    mask[:, :128] = 1
    image = nstjax.stylize(content, styles, mask=mask)
    swapped = nstjax.stylize(content, styles[::-1], mask=1 - mask)
    np.testing.assert_allclose(image, swapped, atol=1e-3)
    # Each side has the colours of the style put there.
    whole = [nstjax.stylize(content, style).mean((0, 1)) for style in styles]
    left, right = image[:, :96].mean((0, 1)), image[:, 160:].mean((0, 1))
    for side, own, other in ((left, *whole), (right, *whole[::-1])):
        assert np.linalg.norm(side - own) < np.linalg.norm(side - other)


def test_luminance_keeps_the_contents_colours(pictures):
    image = nstjax.stylize(
        pictures["content"], pictures["style"], preserve_color="luminance"
    )
    content = _read(pictures["content"])
    # I of YIQ, where neither picture is clipped.
    weights = np.array([0.596, -0.274, -0.322])
    inside = ((image > 0.01) & (image < 0.99)).all(axis=2)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(
        (image @ weights)[inside], (content @ weights)[inside], atol=0.01
    )


def test_luminance_is_transferred_in_strips(monkeypatch):
    monkeypatch.setattr(images, "_STRIP", 7 * 20)
    content, image = np.random.default_rng(0).random((2, 30, 20, 3), np.float32)
    found = images.with_colours_of(content, image)
    # Y of YIQ; five strips of 7 rows, the last one cut.
    difference = (image - content) @ np.array([0.299, 0.587, 0.114])
    expected = np.clip(content + difference[..., None], 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_histogram_recolours_the_style():
    grey = np.random.default_rng(0).uniform(0.2, 0.8, (64, 64, 1)).astype(np.float32)
    content = np.repeat(grey, 3, axis=2)

    def colourfulness(**options):
        image = nstjax.stylize(content, "sunflowers", **options)
        return (image.max(2) - image.min(2)).mean()

    assert colourfulness(preserve_color="histogram") < 0.6 * colourfulness()


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_lap_keeps_more_of_the_contents_edges(name):
    content = images.read_picture(name)[:256, :256]
    load_decoder("adain-lap-slim")

    def edges(image):
        pooled = image.mean(2).reshape(64, 4, 64, 4).mean((1, 3))
        return (
            4 * pooled[1:-1, 1:-1]
            - pooled[:-2, 1:-1]
            - pooled[2:, 1:-1]
            - pooled[1:-1, :-2]
            - pooled[1:-1, 2:]
        )

    errors = [
        np.square(
            edges(nstjax.stylize(content, "night", method=method)) - edges(content)
        ).mean()
        for method in ("adain", "adain-lap")
    ]
    assert errors[1] < 0.8 * errors[0]


def test_painters_reconstruct_pictures():
    image = nstjax.stylize("chelsea", "night", alpha=0.0, size=256)
    painted = nstjax.stylize("chelsea", "night", size=256)
    content = planning.finish(
        planning.make_plan(
            "chelsea",
            ["night"],
            size=256,
            options=method_options("adain"),
        ),
        images.read_picture("chelsea"),
    )
    assert -10 * np.log10(np.square(image - content).mean()) > 22
    # Night is darker and bluer.
    before, after = (x.mean((0, 1)) @ [-1, -1, 2] for x in (content, painted))
    assert painted.mean() < 0.8 * content.mean() and after > before + 0.1


def test_the_bundled_decoder_belongs_to_the_bundled_encoder():
    notes = load_decoder("style-swap-slim").metadata.notes
    assert notes["encoder_sha256"] == load_encoder("vgg19-slim").sha256


USAGE = {
    "alpha": (["--alpha=1.5"], "0 to 1"),
    "alpha nan": (["--alpha=nan"], "0 to 1"),
    "scale": (["--style-scale=0"], "style_scale"),
    "color": (["--preserve-color=all"], "luminance"),
    "preset": (["--preset=paper"], "no presets"),
    "override": (["--config.alpha=1"], "train.py"),
    "training's leaf": (["--iterations=3"], "no option 'iterations'"),
    "weights": (["--lap-weight=1"], "lap_weight"),
    "resume": (["--resume"], "--resume"),
    "suffix": (["--save-style=x.png"], ".style"),
    "decoder": (["--decoder=vgg19-slim"], "decoder is needed"),
    "no decoder": (["--decoder=nothing"], "no network"),
    "mask": (["--mask=no.png"], "no.png"),
}


@pytest.mark.parametrize("name", USAGE)
def test_mistakes_are_answered_in_one_sentence(name, arguments, tmp_path, capsys):
    wrong, words = USAGE[name]
    before = sorted(tmp_path.iterdir())
    assert main([*arguments, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nstjax: error:") and words in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_outside_of_a_styles_only_mask_the_content_stays():
    content = images.read_picture("chelsea")[:128, :256]
    mask = np.zeros((128, 256), np.float32)
    mask[:, :128] = 1
    image = nstjax.stylize(content, "night", mask=mask)
    reconstruction = nstjax.stylize(content, "night", alpha=0.0)
    np.testing.assert_allclose(image[:, 168:], reconstruction[:, 168:], atol=1e-3)
    assert np.abs(image[:, :88] - reconstruction[:, :88]).mean() > 0.05


def test_masks_and_styles_must_fit(arguments, pictures, capsys):
    masks = ["--mask", pictures["other"], pictures["style"]]
    assert main([*arguments, *masks]) == 2
    assert "1 styles and 2 masks" in capsys.readouterr().err
    two = ["--style", pictures["style"], pictures["other"], "--style-blend", "1", "1"]
    assert main([arguments[0], *arguments[2:], *two, "--mask", pictures["other"]]) == 2
    assert "blended or masked" in capsys.readouterr().err


def test_a_saved_style_of_another_encoder_is_refused(arguments, tmp_path, capsys):
    from nstjax.io.weights import WeightsMetadata, save_weights

    path = tmp_path / "other.style"
    metadata = WeightsMetadata(
        kind="style",
        name="x",
        spec={"layer": "relu4_1"},
        source="",
        licence="",
        notes={"encoder_sha256": "0" * 64},
    )
    values = {"mean": np.zeros((1, 1, 1, 160)), "std": np.ones((1, 1, 1, 160))}
    save_weights(path, values, metadata)
    assert main([arguments[0], *arguments[2:], f"--style={path}"]) == 2
    assert "another encoder" in capsys.readouterr().err
    gatys = [arguments[0], *arguments[2:], f"--style={path}", "--method=gatys"]
    assert main(gatys) == 2
    assert "saved style" in capsys.readouterr().err


def test_a_folder_is_painted_but_for_what_is_broken(tmp_path, pictures, save_picture):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(2):
        save_picture(folder / f"{seed}.png", (40, 48), seed)
    (folder / "broken.jpg").write_text("no picture")
    command = [sys.executable, ROOT / "stylize.py", "--content", folder]
    command += ["--style", pictures["style"], "--output", tmp_path / "painted"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2 and "broken.jpg" in result.stderr
    names = {path.name for path in (tmp_path / "painted").iterdir()}
    assert names == {"0.png", "1.png"}


def test_the_function_names_unknown_options(pictures):
    with pytest.raises(NstjaxError, match="no option 'strength'"):
        nstjax.stylize(pictures["content"], pictures["style"], strength=1)


def test_little_memory_gives_the_same_picture(arguments, tmp_path, save_picture):
    content = save_picture(tmp_path / "large.png", (620, 500), 5)
    # Above what the process itself takes, by less than this picture needs.
    rest = [f"--content={content}", *arguments[1:], "--overwrite"]
    assert main(rest) == 0
    whole = _read(tmp_path / "out.png")
    assert main([*rest, "--max-memory=530MB"]) == 0
    tiled = _read(tmp_path / "out.png")
    # The same up to rounding to one of 256 levels.
    assert np.abs(tiled - whole).max() <= 1 / 255 + 1e-6
    assert (tiled != whole).mean() < 1e-2


def test_too_little_memory_is_one_sentence(arguments, tmp_path, capsys):
    assert main([*arguments, "--size=3000", "--max-memory=500MB"]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and "--max-memory" in errors[0] and "500 MB" in errors[0]
    assert not (tmp_path / "out.png").exists()


def test_ctrl_c_during_tiles_ends_with_nothing_half_written(
    arguments, tmp_path, monkeypatch, capsys
):
    def interrupted(*args, on_tile, **options):
        on_tile(1, 6)
        raise KeyboardInterrupt

    monkeypatch.setattr(one_pass, "adain_in_tiles", interrupted)
    assert main([*arguments, "--size=3000", "--max-memory=900MB"]) == 130
    assert capsys.readouterr().err == "nstjax: stopped\n"
    assert {p.name for p in tmp_path.iterdir()} == {
        "content.png",
        "style.jpg",
        "other.png",
    }


def test_a_picture_imports_nothing_that_it_does_not_need(pictures, tmp_path):
    program = (
        "import sys\n"
        "from nstjax.cli.stylize import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "heavy = {'optax', 'orbax', 'scipy', 'skimage', 'grain', 'ml_collections', "
        "'tensorflow_datasets'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", program, "--content=chelsea", "--size=64"]
    command += ["--style=night", f"--output={tmp_path / 'out.png'}", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
