"""ONNX files, run by onnxruntime, against the methods as they paint in JAX."""

import hashlib
import json
import sys

import numpy as np
import pytest

from nstjax.cli.main import main
from nstjax.errors import NstjaxError
from nstjax.examples import content_image
from nstjax.export import check
from nstjax.export.graph import Graph
from nstjax.export.models import make_models
from nstjax.io.resizing import resize_image
from nstjax.methods import one_pass
from nstjax.methods.networks import load_networks
from nstjax.methods.styles import style_side

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def run(file, *arrays):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def paint(files, content, style, alpha):
    """A picture by the files alone: once by the painter, once by its halves."""
    numbers = run(files["style_encoder"], style[None])
    told = (np.float32([alpha]), *numbers)
    (whole,) = run(files["painter"], content[None], *told)
    features = run(files["encoder"], content[None])
    (halves,) = run(files["decoder"], *features, *told)
    height, width = content.shape[:2]
    return whole[0], halves[0, :height, :width]


def agree(networks, content, style):
    """Checks that the files paint what `nstjax.stylize` does."""
    files = {model.name: model.to_onnx() for model in make_models(networks)}
    # Of the side that styles are seen with, so that neither way scales it.
    assert min(style.shape[:2]) == style_side(content.shape[:2], 1.0)
    expected = one_pass.transfer_picture(content, [style], networks=networks, alpha=0.6)
    assert expected.std() > 0.02
    for image in paint(files, content, style, 0.6):
        np.testing.assert_allclose(image, expected, atol=1e-4)


def noise(height, width, *, seed):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


@pytest.mark.parametrize("kind", ["painter", "reflect", "zero"])
def test_small_networks_paint_as_in_jax(kind, networks):
    loaded = load_networks(*networks[kind])
    agree(loaded, noise(41, 54, seed=0), noise(40, 48, seed=1))


def test_batches_take_one_style_or_one_for_each(networks):
    models = make_models(load_networks(*networks["painter"]))
    files = {model.name: model.to_onnx() for model in models}
    contents = np.stack([noise(33, 40, seed=seed) for seed in (0, 1)])
    styles = np.stack([noise(36, 32, seed=seed) for seed in (2, 3)])
    alpha, numbers = np.float32([1]), run(files["style_encoder"], styles)
    (both,) = run(files["painter"], contents, alpha, *numbers)
    (same,) = run(files["painter"], contents, alpha, *(x[:1] for x in numbers))
    for place, content in enumerate(contents):
        for images, which in ((both, place), (same, 0)):
            one = [x[which : which + 1] for x in numbers]
            (alone,) = run(files["painter"], content[None], alpha, *one)
            np.testing.assert_allclose(images[place], alone[0], atol=1e-5)
    assert np.abs(both[1] - same[1]).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("method", ["adain", "adain-lap", "adain-depth"])
def test_the_bundled_ones_do_at_three_sizes(method):
    loaded = load_networks("", f"{method}-slim")
    for height, width in ((256, 192), (181, 243), (77, 330)):
        content = resize_image(content_image("chelsea"), (height, width))
        style = content_image("coffee")
        side = style_side((height, width), 1.0)
        agree(loaded, content, resize_image(style, (side, side + 11)))


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    """What the command writes of the small painter."""
    folder = tmp_path_factory.mktemp("exported") / "deep" / "models"
    arguments = ["export", "adain", str(folder), "--decoder", networks["painter"][1]]
    assert main(arguments) == 0
    return folder, arguments


def test_the_card_describes_the_files(exported):
    folder, _ = exported
    card = json.loads((folder / "card.json").read_text())
    assert {path.name for path in folder.iterdir()} == {*card["sha256"], "card.json"}
    assert max(card["largest_difference_from_jax"].values()) <= 1e-4
    (weights,) = card["weights"]
    assert weights["licence"] == "CC0"
    for model in card["models"].values():
        (name,) = model["files"]
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == card["sha256"][name]
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        for told, values in (
            (model["inputs"], session.get_inputs()),
            (model["outputs"], session.get_outputs()),
        ):
            found = [{"name": v.name, "shape": v.shape} for v in values]
            assert [{k: t[k] for k in ("name", "shape")} for t in told] == found


def test_nothing_is_replaced_unasked(exported, capsys):
    folder, arguments = exported
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (folder / "card.json").unlink()
    assert main(arguments) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    assert not (folder / "card.json").exists()
    assert main([*arguments, "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gatys", "DIR"], "optimises each picture, which"),
        (["style-swap-net", "DIR"], "paint with AdaIN"),
        (["adain-lab", "DIR"], "there is no method 'adain-lab'"),
        (["adain", "DIR", "--format", "tflite"], "tflite"),
        (["adain", "FILE"], "is a file"),
    ],
)
def test_bad_wishes_are_one_sentence(arguments, words, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    places = {"DIR": str(tmp_path / "new"), "FILE": str(tmp_path / "file")}
    assert main(["export", *(places.get(word, word) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_comes_out_differently_is_not_written(networks, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "TOLERANCE", 0.0)
    arguments = ["export", "adain", str(tmp_path / "new")]
    assert main([*arguments, "--decoder", networks["painter"][1]]) == 2
    assert not (tmp_path / "new").exists()


def test_differences_count_by_what_they_differ_from():
    """A thousandth of features that go to thousands is not much, of a picture it is."""
    large, small = np.array([-2000.0, 1.0]), np.array([0.5, -0.25])
    assert check._difference(large, large + 1e-3) == pytest.approx(5e-7)
    assert check._difference(small, small + 1e-3) == pytest.approx(1e-3)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(NstjaxError, match=r'pip install "nstjax\[export\]"'):
        Graph("any")
