"""VGG-19 against PyTorch for every variant, and its guards."""

import dataclasses
import json
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.losses.gatys import content_loss, style_loss
from nstjax.models import vgg
from nstjax.models.vgg import VGGSpec
from nstjax.ops.preprocess import INPUT_MAPS, to_network
from nstjax.ops.stats import gram_matrix

# Compiled: one operation after another takes seconds.
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LAYERS = (*STYLE_LAYERS, "relu4_2")
# A few channels, where only the wiring matters.
SLIM = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)


@pytest.fixture(scope="module")
def reference(torch_reference):
    return torch_reference("torch_vgg")


@pytest.fixture(scope="module")
def weights(reference):
    return reference.he_weights()


@pytest.fixture(scope="module")
def conv0(reference):
    return reference.random_conv0()


@pytest.fixture(scope="module")
def params(reference, weights, conv0):
    kernel = conv0.weight.detach().permute(2, 3, 1, 0).contiguous().numpy()
    first = {"conv0": {"kernel": kernel, "bias": conv0.bias.detach().numpy()}}
    return first | reference.to_params(weights)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [rng.random((3, 45, 38, 3), np.float32) for _ in range(3)]


def relative_errors(result, expected):
    """Each picture's norm of the difference over the norm of the expected."""
    norm = partial(np.linalg.norm, axis=1)
    result, expected = (np.reshape(x, (len(x), -1)) for x in (result, expected))
    return norm(result - expected) / norm(expected)


@pytest.mark.parametrize("padding", ["zero", "reflect"])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("input_map", ["imagenet", "caffe", "learned"])
def test_same_as_torch_at_full_width(
    reference, weights, conv0, params, pictures, padding, pooling, rounding, input_map
):
    """Features, losses and the picture's gradient agree to 1e-4."""
    import torch

    network = reference.VGG19(
        weights,
        padding=padding,
        pooling=pooling,
        rounding=rounding,
        input_map=reference.InputMap(input_map, conv0),
    )
    image, content, style = (reference.from_numpy(picture) for picture in pictures)
    image.requires_grad_()
    with torch.no_grad():
        targets = network(content)["relu4_2"], network(style)
    expected = network(image)
    expected_losses = reference.notebook_losses(expected, *targets)
    # Both losses in one gradient, at equal strength whatever the variant.
    factors = [1 / loss.item() for loss in expected_losses]
    sum(
        factor * loss for factor, loss in zip(factors, expected_losses, strict=True)
    ).backward()

    # The input map stands apart, so that one compilation serves all of them.
    pixels, through_input_map = jax.vjp(
        lambda image: to_network(image, input_map, params), pictures[0]
    )
    features, losses, pixel_gradient = losses_and_gradient(
        params,
        pixels,
        reference.to_numpy(targets[0]),
        {layer: reference.gram(targets[1][layer]).numpy() for layer in STYLE_LAYERS},
        jnp.asarray(factors),
        spec=VGGSpec(vgg.FULL_WIDTHS[:13], padding, pooling, rounding, "unit"),
    )
    (gradient,) = through_input_map(pixel_gradient)

    for layer in LAYERS:
        other = reference.to_numpy(expected[layer])
        assert features[layer].shape == other.shape
        assert relative_errors(features[layer], other).max() < 1e-4, layer
    for loss, other in zip(losses, expected_losses, strict=True):
        np.testing.assert_allclose(loss, other.item(), rtol=1e-4)
    # Of half a million ReLUs one may lie within rounding of its kink, where the
    # two may take different sides (errors of a percent); hardly in every picture.
    errors = relative_errors(gradient, reference.to_numpy(image.grad))
    assert errors.min() < 1e-4 and errors.max() < 0.05


@partial(jax.jit, static_argnames="spec")
def losses_and_gradient(params, pixels, content, grams, factors, *, spec):
    """The notebook's two losses, and the gradient of their weighted sum."""

    def loss_of(pixels):
        features = vgg.features_from_pixels(params, pixels, LAYERS, spec=spec)
        style = sum(
            1e3
            / spec.width(layer) ** 2
            * style_loss(
                gram_matrix(features[layer], normalisation="hw"),
                grams[layer],
                normalisation="mean",
            )
            for layer in STYLE_LAYERS
        )
        losses = jnp.stack(
            [content_loss(features["relu4_2"], content, normalisation="mean"), style]
        )
        return factors @ losses, (features, losses)

    gradient, (features, losses) = jax.grad(loss_of, has_aux=True)(pixels)
    return features, losses, gradient


def slim_params(spec):
    return vgg.init_params(jax.random.key(0), spec)


class FeaturesTest(chex.TestCase):
    @chex.variants(with_jit=True)
    def test_names_and_shapes(self):
        spec = VGGSpec(SLIM[:6])
        layers = ("relu3_1", "conv1_2", "relu3_2")
        features = self.variant(
            lambda params, image: vgg.features(params, image, layers, spec=spec)
        )(slim_params(spec), jnp.ones((2, 33, 40, 3)))
        shapes = {layer: feature.shape for layer, feature in features.items()}
        assert shapes == {
            "relu3_1": (2, 8, 10, 6),
            "conv1_2": (2, 33, 40, 3),
            "relu3_2": (2, 8, 10, 7),
        }

    @chex.variants(with_jit=True)
    def test_relu_follows_conv(self):
        spec = VGGSpec(SLIM[:3])
        image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
        features = self.variant(
            lambda params, image: vgg.features(
                params, image, ("conv2_1", "relu2_1"), spec=spec
            )
        )(slim_params(spec), image)
        assert (features["conv2_1"] < 0).any()
        np.testing.assert_array_equal(
            features["relu2_1"], np.maximum(features["conv2_1"], 0)
        )


@pytest.mark.parametrize(
    ("layers", "convolutions"),
    [
        (("relu1_1",), 1),
        (("conv2_1",), 3),
        (("relu4_2", "relu1_1"), 10),
        (("relu5_1",), 13),
        (("relu5_4",), 16),
    ],
)
def test_computes_no_deeper_than_asked(layers, convolutions):
    spec = VGGSpec(SLIM)
    text = str(
        jax.make_jaxpr(
            lambda params, image: vgg.features(params, image, layers, spec=spec)
        )(slim_params(spec), jnp.ones((1, 32, 32, 3)))
    )
    assert text.count("conv_general_dilated[") == convolutions


@pytest.mark.parametrize("input_map", INPUT_MAPS)
def test_features_are_those_of_the_mapped_pixels(input_map):
    spec = VGGSpec(SLIM, input_map=input_map)
    params = slim_params(spec)
    image = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    expected = vgg.features_from_pixels(
        params, to_network(image, input_map, params), ["relu2_1"], spec=spec
    )
    features = vgg_features(params, image, ("relu2_1",), spec=spec)
    chex.assert_trees_all_close(features, expected, rtol=1e-5)


@pytest.mark.parametrize("input_map", INPUT_MAPS)
def test_all_features_can_be_multiplied_by_a_factor(input_map):
    spec = VGGSpec(SLIM, input_map=input_map)
    params = slim_params(spec)
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    layers = ("relu1_1", "relu2_2", "relu4_1")
    expected = vgg_features(params, image, layers, spec=spec)
    scaled = vgg_features(vgg.scale_features(params, 0.01), image, layers, spec=spec)
    for layer in layers:
        np.testing.assert_allclose(
            scaled[layer], 0.01 * expected[layer], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize(
    ("padding", "rounding", "smallest"),
    [("zero", "floor", 16), ("zero", "ceil", 1), ("reflect", "floor", 32)],
)
def test_smallest_picture_that_reaches_block_5(padding, rounding, smallest):
    spec = VGGSpec(SLIM, padding=padding, rounding=rounding)
    params = slim_params(spec)

    def reach(side):
        image = jnp.ones((1, side, 64, 3))
        return vgg_features(params, image, ("relu5_1",), spec=spec)["relu5_1"]

    assert np.isfinite(reach(smallest)).all()
    if smallest > 1:
        with pytest.raises(NstjaxError, match=f"64 x {smallest - 1} .*{smallest}"):
            reach(smallest - 1)


def test_reflection_with_ceil_needs_a_second_pixel():
    # 17 -> 9 -> 5 -> 3 -> 2 pixels, but 16 -> 8 -> 4 -> 2 -> 1.
    spec = VGGSpec(SLIM, padding="reflect", rounding="ceil")
    params = slim_params(spec)
    image = jnp.ones((1, 17, 17, 3))
    assert vgg_features(params, image, ("relu5_1",), spec=spec)["relu5_1"].shape[1] == 2
    with pytest.raises(NstjaxError, match="at least 17"):
        vgg.features(params, image[:, :16], ["relu5_1"], spec=spec)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "no VGG layer"),
        (("relu6_1",), "no layer 'relu6_1'"),
        (("pool1",), "no layer 'pool1'"),
        (("relu1_1", "relu5_1"), "end at relu3_1, before relu5_1"),
    ],
)
def test_unreachable_layers_are_refused(layers, message):
    spec = VGGSpec(SLIM[:5])
    with pytest.raises(NstjaxError, match=message):
        vgg.features(slim_params(spec), jnp.ones((1, 8, 8, 3)), layers, spec=spec)


def test_misshapen_pictures_are_a_programming_error():
    spec = VGGSpec(SLIM[:1])
    for shape in ((8, 8, 3), (1, 8, 8, 4)):
        with pytest.raises(AssertionError):
            vgg.features_from_pixels(
                slim_params(spec), jnp.ones(shape), ["relu1_1"], spec=spec
            )


def test_spec_survives_json():
    spec = VGGSpec(SLIM, "reflect", "average", "ceil", "caffe")
    assert VGGSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"widths": ()},
        {"widths": (64,) * 17},
        {"widths": (64, 0)},
        {"widths": ("wide",)},
        {"widths": 64},
        {"padding": "same"},
        {"pooling": "avg"},
        {"rounding": "round"},
        {"input_map": "torch"},
        {"surplus": 1},
        {"blocks": (2, 2, 2, 2, 2)},
        {"blocks": 16},
        {"blocks": vgg.VGG16_BLOCKS, "widths": (64,) * 14},
    ],
)
def test_malformed_specs_are_refused(change):
    with pytest.raises(NstjaxError):
        VGGSpec.from_dict(VGGSpec().to_dict() | change)


def test_files_from_before_vgg16_hold_a_vgg19():
    data = VGGSpec().to_dict()
    del data["blocks"]
    assert VGGSpec.from_dict(data) == VGGSpec()


def test_missing_field_is_refused():
    data = VGGSpec().to_dict()
    del data["padding"]
    with pytest.raises(NstjaxError, match="fields"):
        VGGSpec.from_dict(data)


def test_shapes_fit_initial_params():
    spec = VGGSpec(SLIM[:3], input_map="learned")
    assert vgg.param_shapes(spec) == {
        "conv0": {"kernel": (1, 1, 3, 3), "bias": (3,)},
        "conv1_1": {"kernel": (3, 3, 3, 2), "bias": (2,)},
        "conv1_2": {"kernel": (3, 3, 2, 3), "bias": (3,)},
        "conv2_1": {"kernel": (3, 3, 3, 4), "bias": (4,)},
    }
    params = jax.eval_shape(lambda: vgg.init_params(jax.random.key(0), spec))
    assert jax.tree.map(np.shape, params) == vgg.param_shapes(spec)


def test_vgg16_is_the_same_as_torch_s(torch_reference):
    """Its layers in torchvision's order, at a few channels."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    blocks = ((2, 3), (4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 14))
    layers, before = [], 3
    for block in blocks:
        for width in block:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2, 2))
    torch.manual_seed(0)
    network = nn.Sequential(*layers)
    spec = VGGSpec(sum(blocks, ()), input_map="unit", blocks=vgg.VGG16_BLOCKS)
    assert spec.layers[-1] == "relu5_3" and spec.width("relu3_3") == 8
    found = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    reference = torch_reference("torch_vgg")
    params = reference.to_params(
        {
            name: (layer.weight.detach(), layer.bias.detach())
            for name, layer in zip(spec.convolutions, found, strict=True)
        }
    )
    image = np.random.default_rng(0).random((2, 50, 38, 3), np.float32)
    compute = jax.jit(partial(vgg.features, spec=spec), static_argnames="layers")
    features = compute(params, image, layers=("relu3_3", "relu5_3"))
    x = reference.from_numpy(image)
    for layer, end in (("relu3_3", 16), ("relu5_3", 30)):
        expected = reference.to_numpy(network[:end](x))
        np.testing.assert_allclose(features[layer], expected, rtol=1e-4, atol=1e-6)
    # A single layer may be named as such.
    assert set(compute(params, image, layers="relu3_3")) == {"relu3_3"}
    with pytest.raises(NstjaxError, match="VGG-16 has no layer 'relu3_4'"):
        vgg.features(params, image, ["relu3_4"], spec=spec)


def test_width_of_a_layer():
    assert VGGSpec().width("relu4_1") == VGGSpec().width("conv5_4") == 512
    assert dataclasses.replace(VGGSpec(), widths=SLIM).width("relu2_1") == 4
