"""The depth network against PyTorch's, and its gradients against differences."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.losses.depth import DEPTH_NORMS, depth_loss
from nstjax.models.monodepth import (
    MonodepthSpec,
    disparities,
    disparity,
    forward,
    init_params,
    param_shapes,
)

pytestmark = pytest.mark.slow

# Widths that make the tests quick; full ones are compared where they are
# converted.
SLIM = MonodepthSpec(
    stem_width=8,
    widths=(8, 12, 16, 20),
    decoder_widths=(4, 6, 8, 10, 12),
    input_size=(64, 96),
)
BLOCKS = {18: ("basic", (2, 2, 2, 2)), 50: ("bottleneck", (3, 4, 6, 3))}


@pytest.fixture(scope="module")
def reference(torch_reference):
    """The networks in PyTorch."""
    return torch_reference("torch_monodepth2")


def slim_networks(reference, depth):
    """torch's networks, and our weights and spec."""
    networks = reference.make_networks(
        depth, widths=SLIM.widths, decoder_widths=SLIM.decoder_widths
    )
    block, layers = BLOCKS[depth]
    spec = dataclasses.replace(SLIM, block=block, layers=layers)
    return networks, reference.to_params(*networks), spec


def random_params(spec, seed=0):
    """Weights under which every layer matters."""
    rng = np.random.default_rng(seed)

    def draw(shape):
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 100
        return rng.normal(0, np.sqrt(1 / fan_in), shape)

    return jax.tree.map(
        draw, param_shapes(spec), is_leaf=lambda node: isinstance(node, tuple)
    )


@pytest.mark.parametrize("depth", [18, 50])
def test_all_scales_same_as_torch(reference, depth):
    networks, params, spec = slim_networks(reference, depth)
    image = np.random.default_rng(0).random((2, 64, 96, 3), np.float32)
    expected = reference.run(*networks, image)
    found = jax.jit(partial(disparities, spec=spec))(params, image)
    assert set(found) == {0, 1, 2, 3}
    for scale, values in expected.items():
        assert values.std() > 0.02
        np.testing.assert_allclose(found[scale], values, atol=1e-4)


def test_coarse_scales_need_no_finer_levels(reference):
    networks, params, _ = slim_networks(reference, 18)
    spec = dataclasses.replace(
        SLIM, scales=(2, 3), decoder_widths=SLIM.decoder_widths[2:]
    )
    needed = param_shapes(spec)["decoder"]
    assert set(needed) == {
        *(f"upconv{level}_{half}" for level in (2, 3, 4) for half in (0, 1)),
        *("dispconv2", "dispconv3"),
    }
    params["decoder"] = {name: params["decoder"][name] for name in needed}
    image = np.random.default_rng(0).random((1, 64, 96, 3), np.float32)
    expected = reference.run(*networks, image)
    found = jax.jit(partial(disparities, spec=spec))(params, image)
    assert set(found) == {2, 3}
    for scale, values in found.items():
        np.testing.assert_allclose(values, expected[scale], atol=1e-4)


def test_any_picture_is_resized_as_the_publisher_does(reference):
    """Lanczos on the way in, torch's bilinear interpolation on the way out."""
    import torch

    networks, params, spec = slim_networks(reference, 18)
    image = np.random.default_rng(0).random((90, 130, 3), np.float32)
    resized = np.stack(
        [
            np.asarray(
                Image.fromarray(image[..., c]).resize(
                    (96, 64), Image.Resampling.LANCZOS
                )
            )
            for c in range(3)
        ],
        axis=2,
    )
    network_output = reference.run(*networks, resized[None])[0]
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(network_output.transpose(0, 3, 1, 2).copy()),
        (90, 130),
        mode="bilinear",
        align_corners=False,
    )
    found = jax.jit(partial(disparity, spec=spec))(params, image[None])
    assert found.shape == (1, 90, 130, 1)
    expected = expected.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_separable_units_are_grouped_convolutions():
    spec = dataclasses.replace(SLIM, block="separable", layers=(2, 1, 1, 1))
    params = random_params(spec)
    image = np.random.default_rng(0).random((2, 64, 96, 3), np.float32)
    found = jax.jit(partial(forward, spec=spec))(params, image).encoder

    def convolve(x, layer, stride, groups=1):
        kernel = layer["kernel"]
        kernel = kernel if kernel.ndim == 4 else kernel[:, :, None]
        margin = kernel.shape[0] // 2
        y = jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            ((margin, margin),) * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )
        return np.maximum(y + layer["bias"], 0)

    encoder = params["encoder"]
    x = convolve((image - 0.45) / 0.225, encoder["conv1"], 2)
    expected = [x]
    for stage, count in enumerate(spec.layers, 1):
        for index in range(count):
            unit = encoder[f"layer{stage}_{index}"]
            x = convolve(x, unit["conv1"], 1 + (index == 0), groups=x.shape[-1])
            x = convolve(x, unit["conv2"], 1)
        expected.append(x)
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.02
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("block", ["basic", "separable"])
def test_gradients_of_the_whole_chain_are_those_of_differences(block):
    with jax.enable_x64(True):
        spec = dataclasses.replace(
            SLIM,
            block=block,
            stem_width=3,
            widths=(3, 4, 4, 5),
            layers=(1, 1, 1, 1),
        )
        params = random_params(spec)
        rng = np.random.default_rng(1)
        content, image = rng.random((2, 1, 50, 70, 3))
        look = jax.jit(partial(disparity, spec=spec))
        target = look(params, jnp.asarray(content))

        @jax.jit
        def loss(image):
            found = look(params, image)
            return sum(depth_loss(found, target, norm=norm) for norm in DEPTH_NORMS)

        assert loss(image).dtype == np.float64
        gradient = np.asarray(jax.jit(jax.grad(loss))(image))
        for seed in range(3):
            direction = np.random.default_rng(seed).normal(size=image.shape)
            step = 1e-6
            difference = (
                loss(image + step * direction) - loss(image - step * direction)
            ) / (2 * step)
            # Steps over a kink of a ReLU cost some digits.
            np.testing.assert_allclose(
                (gradient * direction).sum(), difference, rtol=1e-4
            )
        assert np.abs(gradient).max() > 0


def test_gradient_for_the_weights_is_that_of_differences():
    with jax.enable_x64(True):
        spec = dataclasses.replace(SLIM, widths=(3, 4, 4, 5), layers=(1, 1, 1, 1))
        params = random_params(spec)
        image = np.random.default_rng(1).random((1, 64, 64, 3))

        @jax.jit
        def loss(params):
            found = disparities(params, image, spec=spec)
            return sum(jnp.sin(9 * x).mean() for x in found.values())

        gradient = jax.jit(jax.grad(loss))(params)
        direction = random_params(spec, seed=5)
        step = 1e-6
        ahead, behind = (
            loss(jax.tree.map(lambda p, d: p + s * d, params, direction))  # noqa: B023
            for s in (step, -step)
        )
        slope = sum(
            jax.tree.leaves(
                jax.tree.map(lambda g, d: (g * d).sum(), gradient, direction)
            )
        )
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-4)


def test_defaults_are_monodepth2():
    shapes = param_shapes(MonodepthSpec())
    assert shapes["encoder"]["conv1"]["kernel"] == (7, 7, 3, 64)
    assert shapes["encoder"]["layer4_1"]["conv2"]["kernel"] == (3, 3, 512, 512)
    assert "downsample" not in shapes["encoder"]["layer1_0"]
    assert shapes["decoder"]["upconv4_1"]["kernel"] == (3, 3, 512, 256)
    assert shapes["decoder"]["dispconv0"]["kernel"] == (3, 3, 16, 1)


def test_random_weights_begin_with_closed_branches_and_undecided():
    spec = dataclasses.replace(SLIM, layers=(1, 1, 1, 1))
    params = init_params(jax.random.key(0), spec)
    unit = params["encoder"]["layer2_0"]
    assert not unit["conv2"]["kernel"].any() and unit["conv1"]["kernel"].any()
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    found = jax.jit(partial(disparities, spec=spec))(params, image)
    for values in found.values():
        np.testing.assert_array_equal(values, 0.5)


def test_specs_survive_json():
    import json

    data = json.loads(json.dumps(SLIM.to_dict()))
    assert MonodepthSpec.from_dict(data) == SLIM
    flipping = dataclasses.replace(SLIM, flip_tta=True)
    data_of_flipping = json.loads(json.dumps(flipping.to_dict()))
    assert MonodepthSpec.from_dict(data_of_flipping) == flipping
    assert data == {k: v for k, v in data_of_flipping.items() if k != "flip_tta"}
    with pytest.raises(NstjaxError, match="has the fields"):
        MonodepthSpec.from_dict(data | {"depth": 18})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": "dense"}, "bottleneck"),
        ({"layers": (2, 2, 2)}, "four"),
        ({"widths": (8, 8, 8, 0)}, "positive"),
        ({"widths": "wide"}, "malformed"),
        ({"scales": ()}, "scales"),
        ({"scales": (1, 0)}, "scales"),
        ({"scales": (0, 4)}, "scales"),
        ({"scales": (1, 2)}, "4 decoder widths"),
        ({"input_size": (192, 650)}, "multiples of 32"),
        ({"input_size": (32, 640)}, "64 or more"),
        ({"input_size": (192,)}, "height, width"),
        ({"flip_tta": "yes"}, "true or false"),
    ],
)
def test_unusable_specs_are_refused(change, message):
    with pytest.raises(NstjaxError, match=message):
        dataclasses.replace(SLIM, **change)


def test_a_network_with_flip_tta_takes_the_mean_over_two_views():
    params = random_params(SLIM)
    image = np.random.default_rng(0).random((2, 70, 90, 3), np.float32)
    one = jax.jit(partial(disparity, spec=SLIM))
    expected = (one(params, image) + one(params, image[:, :, ::-1])[:, :, ::-1]) / 2
    spec = dataclasses.replace(SLIM, flip_tta=True)
    both = jax.jit(partial(disparity, spec=spec))
    np.testing.assert_allclose(both(params, image), expected, atol=1e-5)
    # It is one thing, then, whether a picture is mirrored or what is seen in it.
    found = both(params, image[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_sizes_are_refused():
    params = random_params(SLIM)
    with pytest.raises(NstjaxError, match="multiples of 32"):
        disparities(params, np.zeros((1, 64, 70, 3), np.float32), spec=SLIM)
