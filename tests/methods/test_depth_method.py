"""Style transfer with a depth term, from a depth network's file to the pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from nstjax import api
from nstjax.cli.stylize import main
from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError
from nstjax.methods.objectives import ObjectiveSpec
from nstjax.methods.options import method_options
from nstjax.methods.per_image import for_encoder
from nstjax.models.depth import disparity
from nstjax.models.vgg import VGGSpec
from nstjax.weights.pretrained import load_depth

pytestmark = pytest.mark.slow

SMALL = ("--iterations", "2", "--config.stages=()", "--quiet")


def random_pictures(count, size=(64, 72)):
    """Smooth pictures, so that there is something to see."""
    random = np.random.default_rng(1)
    pictures = []
    for _ in range(count):
        cells = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
        resized = cells.resize(size[::-1], Image.Resampling.BICUBIC)
        pictures.append(np.asarray(resized, np.float32) / 255)
    return pictures


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in zip(("content", "style"), random_pictures(2), strict=True):
        array = np.uint8(np.rint(255 * picture))
        Image.fromarray(array).save(folder / f"{name}.png")
    return folder


def run(files, output, *options):
    arguments = ["--content", files / "content.png", "--style", files / "style.png"]
    arguments += ["--output", output, *options, *SMALL]
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("preset", ["best", "reference", "paper"])
def test_presets_are_those_of_gatys_with_a_depth_term(preset):
    depth, gatys = (
        config_to_dict(load_config(f"{name}:{preset}"))
        for name in ("gatys_depth", "gatys")
    )
    spec = ObjectiveSpec.from_options(for_encoder(depth, VGGSpec()))
    assert spec.needs_depth
    changed = {name for name in gatys if gatys[name] != depth[name]}
    assert changed == {"method", "depth_weight"}


@pytest.mark.parametrize(
    ("network", "share"), [("depth_file", 0.5), ("fast_depth_converted", 0.6)]
)
def test_depth_alone_brings_the_disparities_together(network, share, request):
    content, other = random_pictures(2)
    depth_file = request.getfixturevalue(network)
    depth = load_depth(depth_file)

    def distance(image):
        """Of normalised disparities, by NumPy from the network's output."""
        maps = [
            np.asarray(disparity(depth.params, x[None], spec=depth.spec))
            for x in (content, image)
        ]
        first, second = (x / x.mean() for x in maps)
        return abs(first - second).mean()

    image = api.stylize(
        content,
        other,
        method="gatys-depth",
        depth_model=str(depth_file),
        content_weight=0.0,
        style_weight=0.0,
        tv_weight=0.0,
        depth_weight=5.0,
        init=other,
        stages=(),
        iterations=40,
    )
    assert distance(image) < share * distance(other)


def test_lap_and_depth_together_and_all_is_recorded(depth_file, files, tmp_path):
    weights = ("--lap-weight", "2", "--depth-weight", "3", "--depth-model", depth_file)
    trace = tmp_path / "trace.json"
    status = run(
        files, tmp_path / "x.png", "--method", "gatys", *weights, "--trace", trace
    )
    assert status == 0
    record = json.loads(trace.read_text())
    assert record["options"]["depth_weight"] == 3
    assert record["weights"]["random-depth"]["sha256"] == load_depth(depth_file).sha256
    row = record["evaluations"][-1]
    terms = row.get("terms", row)
    assert {"content", "style", "lap", "depth"} <= set(terms)
    assert terms["depth"] >= 0 and np.isfinite(terms["depth"])


def test_depth_is_shown_beside_the_result(depth_file, files, tmp_path):
    options = ("--method", "gatys", "--show-depth", "--depth-model", depth_file)
    output = tmp_path / "x.png"
    assert run(files, output, *options) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "x.png",
        "x_content_disparity.png",
        "x_disparity.png",
    }
    depth = load_depth(depth_file)
    content, result = (
        np.asarray(Image.open(path), np.float32) / 255
        for path in (files / "content.png", output)
    )
    found = np.asarray(Image.open(tmp_path / "x_content_disparity.png"))
    assert found.shape == (64, 72, 3)
    values = np.asarray(disparity(depth.params, content[None], spec=depth.spec))[0]
    expected = 255 * (values - values.min()) / np.ptp(values)
    np.testing.assert_allclose(found, np.repeat(expected, 3, 2), atol=1)
    # Black and white mean the same in both.
    other = np.asarray(disparity(depth.params, result[None], spec=depth.spec))[0]
    least, most = (x / values.mean() for x in (values.min(), values.max()))
    expected = 255 * np.clip((other / other.mean() - least) / (most - least), 0, 1)
    found = np.asarray(Image.open(tmp_path / "x_disparity.png"))
    np.testing.assert_allclose(found, np.repeat(expected, 3, 2), atol=3)


def test_what_is_there_is_found_before_anything_is_painted(
    depth_file, files, tmp_path, capsys
):
    (tmp_path / "x_disparity.png").write_text("mine")
    options = ("--method", "gatys", "--show-depth", "--depth-model", depth_file)
    assert run(files, tmp_path / "x.png", *options) == 2
    assert "x_disparity.png" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x_disparity.png"]


@pytest.mark.parametrize("method", ["gatys", "gatys-depth"])
def test_wrong_networks_are_one_sentence(method, files, tmp_path, capsys):
    options = ("--method", method, "--depth-weight", "1")
    for model, message in (
        ("nothing-here", "there is no network"),
        ("vgg19-slim", "a depth network is needed"),
    ):
        status = run(files, tmp_path / "x.png", *options, "--depth-model", model)
        assert status == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_one_pass_methods_know_the_model_for_showing(depth_file):
    options = method_options("adain", options={"depth_model": str(depth_file)})
    assert options["depth_model"] == str(depth_file)
    with pytest.raises(NstjaxError, match="depth_weight"):
        method_options("adain", options={"depth_weight": 1.0})
