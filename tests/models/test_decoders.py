"""The decoder against PyTorch's plain layers, and its spec."""

import dataclasses
from functools import partial

import chex
import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.models.decoders import (
    DecoderSpec,
    decode,
    init_params,
    param_shapes,
)
from nstjax.models.vgg import FULL_WIDTHS

# A slim encoder's widths, so that the tests are quick.
SLIM = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
PUBLISHED = {
    "relu1_1": (64, (3,), ()),
    "relu2_1": (128, (64, 64, 3), (0,)),
    "relu3_1": (256, (128, 128, 64, 64, 3), (0, 2)),
    "relu4_1": (512, (256, 256, 256, 256, 128, 128, 64, 64, 3), (0, 4, 6)),
    "relu5_1": (
        512,
        (512, 512, 512, 512, 256, 256, 256, 256, 128, 128, 64, 64, 3),
        (0, 4, 8, 10),
    ),
}


def random_params(spec, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: rng.normal(0, 0.3, shape).astype(np.float32),
        param_shapes(spec),
        is_leaf=lambda node: isinstance(node, tuple),
    )


def torch_decode(layers, features, *, upsample_after, last_relu):
    """The decoder as its publishers write it: pad, convolve, rectify, double."""
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(features.transpose(0, 3, 1, 2))
    for index, layer in enumerate(layers):
        kernel = torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy())
        x = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
        x = torch.nn.functional.conv2d(x, kernel, torch.from_numpy(layer["bias"]))
        if index < len(layers) - 1 or last_relu:
            x = torch.relu(x)
        if index in upsample_after:
            x = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    return x.numpy().transpose(0, 2, 3, 1)


class DecodeTest(chex.TestCase):
    @chex.variants(with_jit=True)
    def test_same_as_torch(self):
        self.check("relu2_1", last_linear=True)

    @chex.variants(with_jit=True)
    def test_same_as_torch_from_every_level(self):
        for layer in PUBLISHED:
            self.check(layer, last_linear=layer in ("relu1_1", "relu4_1"))

    def check(self, layer, *, last_linear):
        spec = DecoderSpec.mirror(layer, SLIM, last_linear=last_linear)
        params = random_params(spec)
        rng = np.random.default_rng(1)
        features = rng.random((2, 3, 4, spec.input_width), np.float32)
        upsample_after = PUBLISHED[layer][2]
        expected = torch_decode(
            [params[name] for name in spec.convolutions],
            features,
            upsample_after=upsample_after,
            last_relu=not last_linear,
        )
        image = self.variant(partial(decode, spec=spec))(params, features)
        scale = 2 ** len(upsample_after)
        assert image.shape == (2, 3 * scale, 4 * scale, 3)
        np.testing.assert_allclose(
            image, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
        )


def test_imagenet_pixels_are_denormalised():
    features = np.random.default_rng(2).random((1, 4, 4, 3), np.float32)
    unit = DecoderSpec.mirror("relu1_1", SLIM)
    imagenet = dataclasses.replace(unit, output_map="imagenet")
    params = random_params(unit)
    pixels = np.asarray(decode(params, features, spec=unit))
    expected = pixels * [0.229, 0.224, 0.225] + [0.485, 0.456, 0.406]
    np.testing.assert_allclose(
        decode(params, features, spec=imagenet), expected, rtol=1e-5, atol=1e-6
    )


def test_nothing_is_clipped():
    spec = DecoderSpec.mirror("relu1_1", SLIM)
    params = {"conv1_1": {"kernel": np.zeros((3, 3, 3, 3)), "bias": [-2.0, 0.5, 3.0]}}
    params = jax.tree.map(np.float32, params, is_leaf=lambda n: isinstance(n, list))
    image = decode(params, np.zeros((1, 2, 2, 3), np.float32), spec=spec)
    np.testing.assert_array_equal(image[0, 0, 0], [-2.0, 0.5, 3.0])


@pytest.mark.parametrize("layer", PUBLISHED)
def test_full_width_mirrors_are_the_published_ones(layer):
    input_width, widths, upsample_after = PUBLISHED[layer]
    spec = DecoderSpec.mirror(layer, FULL_WIDTHS)
    assert (spec.layer, spec.input_width, spec.widths) == (layer, input_width, widths)
    after = tuple(spec.convolutions.index(n) - 1 for n in spec.upsample_before)
    assert after == upsample_after


def test_defaults_are_adain():
    assert DecoderSpec() == DecoderSpec.mirror("relu4_1", FULL_WIDTHS)


def test_other_places_of_upsampling():
    spec = DecoderSpec(
        "relu2_1", input_width=2, widths=(2, 2, 3), upsample_before=("conv1_1",)
    )
    features = np.ones((1, 3, 3, 2), np.float32)
    assert decode(random_params(spec), features, spec=spec).shape == (1, 6, 6, 3)


def test_shapes_fit_initial_params():
    spec = DecoderSpec.mirror("relu2_1", SLIM)
    params = init_params(jax.random.key(0), spec)
    assert jax.tree.map(np.shape, params) == param_shapes(spec)
    assert param_shapes(spec)["conv2_1"] == {"kernel": (3, 3, 5, 4), "bias": (4,)}
    assert param_shapes(spec)["conv1_1"] == {"kernel": (3, 3, 3, 3), "bias": (3,)}


def test_spec_survives_json():
    import json

    spec = DecoderSpec.mirror("relu3_1", SLIM, last_linear=False, output_map="imagenet")
    assert DecoderSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"layer": "relu6_1"},
        {"layer": "conv4_1"},
        {"widths": (256, 3)},
        {"widths": (256, 256, 256, 256, 128, 128, 64, 64, 4)},
        {"widths": (0, 256, 256, 256, 128, 128, 64, 64, 3)},
        {"widths": "wide"},
        {"widths": None},
        {"input_width": 0},
        {"input_width": "many"},
        {"upsample_before": ("conv3_4", "conv2_2")},
        {"upsample_before": ("conv2_2", "conv3_4", "conv1_2")},
        {"upsample_before": ("conv3_4", "conv2_2", "conv5_1")},
        {"upsample_before": 3},
        {"last_linear": "yes"},
        {"output_map": "caffe"},
        {"surplus": 1},
    ],
)
def test_malformed_specs_are_refused(change):
    with pytest.raises(NstjaxError):
        DecoderSpec.from_dict(DecoderSpec().to_dict() | change)


def test_missing_field_is_refused():
    data = DecoderSpec().to_dict()
    del data["widths"]
    with pytest.raises(NstjaxError, match="fields"):
        DecoderSpec.from_dict(data)


def test_mirror_of_too_shallow_an_encoder_is_refused():
    with pytest.raises(NstjaxError, match="relu3_1"):
        DecoderSpec.mirror("relu4_1", FULL_WIDTHS[:5])


def test_too_small_an_activation_is_refused():
    spec = DecoderSpec.mirror("relu2_1", SLIM)
    with pytest.raises(NstjaxError, match="at least 4"):
        decode(random_params(spec), np.ones((1, 1, 5, 5), np.float32), spec=spec)


def test_wrong_channels_are_a_programming_error():
    spec = DecoderSpec.mirror("relu2_1", SLIM)
    with pytest.raises(AssertionError):
        decode(random_params(spec), np.ones((1, 4, 4, 9), np.float32), spec=spec)
