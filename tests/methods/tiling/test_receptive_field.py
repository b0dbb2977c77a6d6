"""Reaches against the networks themselves: what a change outside changes."""

import functools

import jax
import numpy as np
import pytest

from nstjax.methods import feedforward
from nstjax.methods.specs import PainterTransferSpec, TransferSpec
from nstjax.methods.tiling.receptive_field import (
    decoder_field_radius,
    receptive_field_radius,
)
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.painter import PainterSpec
from nstjax.models.vgg import LAYERS, VGGSpec

WIDTHS = (3, 3, 3, 3, 3, 3, 3, 3, 4)


def _positive_networks(layer):
    """Networks whose weights are positive, so that no change is lost in a ReLU."""
    encoder = VGGSpec(WIDTHS, "reflect", "average", "floor", "unit")
    widths = WIDTHS[: LAYERS.index(layer) + 1]
    spec = TransferSpec(encoder, DecoderSpec.mirror(layer, widths))

    def positive(shape):
        # Means of their inputs, that nothing overflows.
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 1
        return np.full(shape, 1 / fan_in if len(shape) > 1 else 0, np.float64)

    shapes = {
        "encoder": vgg.param_shapes(spec.encoder),
        "decoder": decoders.param_shapes(spec.decoder),
    }
    is_shape = lambda x: isinstance(x, tuple)  # noqa: E731
    return jax.tree.map(positive, shapes, is_leaf=is_shape), spec


@pytest.fixture(autouse=True)
def _double_precision():
    # A change that has passed 17 averages is far below single precision.
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("layer", ["relu4_1", "relu3_1", "relu2_1"])
def test_the_encoder_reaches_as_far_as_said_and_no_farther(layer):
    params, spec = _positive_networks(layer)
    cells = 16
    size = (1, 2 * spec.multiple, cells * spec.multiple, 3)
    image = np.random.default_rng(0).random(size)
    changed = image.copy()
    # The last pixel left of cell 5.
    changed[:, :, 5 * spec.multiple - 1] += 0.5
    encode = jax.jit(functools.partial(feedforward.encode, spec=spec))
    before, after = (np.asarray(encode(params, x)[layer]) for x in (image, changed))
    difference = after - before
    moved = np.flatnonzero(np.abs(difference).max(axis=(0, 1, 3)) > 0)
    assert moved.max() == 5 + receptive_field_radius(spec) - 1


@pytest.mark.parametrize("layer", ["relu4_1", "relu3_1", "relu2_1"])
def test_the_decoder_reaches_as_far_as_said_and_no_farther(layer):
    params, spec = _positive_networks(layer)
    channels = spec.decoder.input_width
    features = np.random.default_rng(0).random((1, 3, 16, channels))
    changed = features.copy()
    changed[:, :, 4] += 0.5
    size = (3 * spec.multiple, 16 * spec.multiple)
    decode = jax.jit(functools.partial(feedforward.decode, size=size, spec=spec))
    before, after = (
        np.asarray(decode(params, feedforward.Restyled({layer: x}, [])))
        for x in (features, changed)
    )
    moved = np.flatnonzero(np.abs(after - before).max(axis=(0, 1, 3)) > 0)
    # Cell 4 ends where cell 5 begins; the farthest pixel lies in the last cell
    # of the halo.
    farthest = moved.max() - 5 * spec.multiple
    assert farthest // spec.multiple + 1 == decoder_field_radius(spec)


def test_a_painter_reaches_as_far_as_said_and_no_farther():
    spec = PainterTransferSpec(
        PainterSpec(((3, 3), (3, 3), (3, 3)), ((3, 3), (3, 3), (3, 3)), 2)
    )

    def positive(shape):
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 1
        return np.full(shape, 1 / fan_in if len(shape) > 1 else 0, np.float64)

    params = jax.tree.map(
        positive,
        painter.param_shapes(spec.painter),
        is_leaf=lambda x: isinstance(x, tuple),
    )
    image = 0.5 + np.random.default_rng(0).random((1, 16, 128, 3)) / 2
    features = jax.jit(functools.partial(feedforward.encode, spec=spec))(params, image)
    one = feedforward.content_statistics(features, spec=spec)
    told = jax.tree.map(np.zeros_like, one)
    decode = jax.jit(functools.partial(feedforward.decode, size=(16, 128), spec=spec))
    # Small, so that nothing is clipped.
    features = {level: 1e-3 * np.asarray(value) for level, value in features.items()}
    changed = {
        level: np.where(
            np.arange(value.shape[2])[:, None] // (8 // spec.strides[level]) == 4,
            2 * value,
            value,
        )
        for level, value in features.items()
    }
    before, after = (
        np.asarray(decode(params, feedforward.Restyled(x, told)))
        for x in (features, changed)
    )
    moved = np.flatnonzero(np.abs(after - before).max(axis=(0, 1, 3)) > 0)
    assert (moved.max() - 40) // 8 + 1 == decoder_field_radius(spec)
    # 2 + 2 pixels, 4 + 4 and 8 + 8, in cells of 8.
    assert receptive_field_radius(spec) == 4
