"""Tiles against the whole picture, with random networks."""

import functools

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.methods import feedforward
from nstjax.methods.specs import PainterTransferSpec, TransferSpec
from nstjax.methods.tiling.transfer import (
    Tiling,
    adain_in_tiles,
    least_side,
    style_swap_in_tiles,
)
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.painter import PainterSpec
from nstjax.models.vgg import VGGSpec

pytestmark = pytest.mark.slow

WIDTHS = (4, 4, 6, 6, 8, 8, 8, 8, 12)


def make_networks(layer="relu4_1", padding="reflect", ddof=0):
    if layer == "painter":
        return make_painter()
    encoder = VGGSpec(WIDTHS, padding, "max", "floor", "imagenet")
    depth = vgg.LAYERS.index(layer) + 1
    decoder = DecoderSpec.mirror(layer, WIDTHS[:depth])
    shapes = {
        "encoder": vgg.param_shapes(encoder),
        "decoder": decoders.param_shapes(decoder),
    }
    params = draw(shapes)
    # Around grey, so that nothing is clipped away.
    params["decoder"]["conv1_1"]["kernel"] *= 0.05
    params["decoder"]["conv1_1"]["bias"] += 0.5
    return params, TransferSpec(encoder, decoder, ddof=ddof)


def make_painter():
    spec = PainterSpec(((4, 6), (8,), (10,)), ((9,), (8,), (6,)), 5)
    params = draw(painter.param_shapes(spec))
    params["decoder"]["pixels"]["kernel"] *= 0.05
    return params, PainterTransferSpec(spec)


def draw(shapes):
    """Weights by He's initialisation; compiling jax's takes longer than all else."""
    rng = np.random.default_rng(0)

    def one(shape):
        deviation = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0
        return (deviation * rng.standard_normal(shape)).astype(np.float32)

    return jax.tree.map(one, shapes, is_leaf=lambda node: isinstance(node, tuple))


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((height, width, 3)).astype(np.float32)


def styles_of(params, spec, count):
    encode = jax.jit(functools.partial(feedforward.encode_style, spec=spec))
    return [encode(params, picture(48, 48, seed + 1)[None]) for seed in range(count)]


def whole_picture(
    params, content, styles, *, function=feedforward.adain_transfer, **options
):
    """The same without tiles, [H, W, 3]."""
    masks = options.pop("masks", None)
    masks = masks and [mask[None] for mask in masks]

    def paint(params, content, styles, masks):
        return function(params, content, styles, masks=masks, **options)

    return np.asarray(jax.jit(paint)(params, content[None], styles, masks)[0])


def swap_whole(params, content, styles, *, masks, alpha, spec):
    """Style-Swap of whole pictures [1, H, W, 3]."""
    masks = masks and [feedforward.feature_mask(mask, spec=spec) for mask in masks]
    features = feedforward.encode(params, content, spec=spec)
    swapped = feedforward.swap_features(
        features, styles, feature_masks=masks, alpha=alpha
    )
    return feedforward.decode(params, swapped, size=content.shape[1:3], spec=spec)


def masks_of(height, width, count):
    """Soft masks that sum to 0.8."""
    shares = np.random.default_rng(9).random((count, height, width, 1))
    return list((0.8 * shares / shares.sum(axis=0)).astype(np.float32))


@pytest.mark.parametrize(
    ("layer", "size", "sides"),
    [
        ("relu4_1", (161, 203), (88, 144)),
        # Shallower ones compile in less time.
        ("relu3_1", (96, 96), (64, 64)),
        ("relu3_1", (33, 307), (48, 80)),
        ("relu3_1", (210, 32), (48, 80)),
        ("painter", (163, 203), (120, 184)),
    ],
)
def test_tiles_make_the_same_picture(layer, size, sides):
    params, spec = make_networks(layer)
    content, styles = picture(*size), styles_of(params, spec, 1)
    whole = whole_picture(params, content, styles, spec=spec, alpha=0.8)
    for tiling in (Tiling(sides[0], True), Tiling(sides[1], False)):
        tiled = adain_in_tiles(
            params, content, styles, tiling=tiling, alpha=0.8, spec=spec
        )
        assert tiled.shape == content.shape and tiled.dtype == np.float32
        np.testing.assert_allclose(tiled, whole, atol=1e-4)
        # No seam: the steps from each pixel to the next one are the same, too.
        for axis in (0, 1):
            steps = [np.diff(image, axis=axis) for image in (tiled, whole)]
            np.testing.assert_allclose(*steps, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "kind", "ddof", "sides"),
    [
        ("relu3_1", "blend", 0, (48, 80)),
        ("relu3_1", "masks", 0, (48, 80)),
        ("relu3_1", "masks", 1, (48, 80)),
        ("painter", "masks", 0, (128, 184)),
    ],
)
def test_blends_and_masks_are_the_same(layer, kind, ddof, sides):
    params, spec = make_networks(layer, "reflect", ddof)
    size = (101, 147) if layer != "painter" else (101, 203)
    content, styles = picture(*size), styles_of(params, spec, 3)
    weights, masks = None, None
    if kind == "blend":
        weights = (0.3, 0.5, 0.2)
    else:
        # A region without any position, besides.
        masks = [*masks_of(*size, 2), np.zeros((*size, 1), np.float32)]
    options = {"weights": weights, "masks": masks, "spec": spec}
    whole = whole_picture(params, content, styles, **options)
    for tiling in (Tiling(sides[0], True), Tiling(sides[1], False)):
        tiled = adain_in_tiles(params, content, styles, tiling=tiling, **options)
        np.testing.assert_allclose(tiled, whole, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "padding", "ddof"),
    [("relu3_1", "zero", 1), ("relu2_1", "reflect", 0)],
)
def test_other_layers_paddings_and_variances(layer, padding, ddof):
    params, spec = make_networks(layer, padding, ddof)
    content, styles = picture(101, 147), styles_of(params, spec, 1)
    whole = whole_picture(params, content, styles, spec=spec)
    tiled = adain_in_tiles(params, content, styles, tiling=Tiling(48), spec=spec)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


@pytest.mark.parametrize("kind", ["one", "masks"])
def test_swapped_patches_are_the_same(kind):
    params, spec = make_networks("relu3_1")
    content = picture(101, 147)
    styles = [
        feedforward.encode(params, picture(40, 40, seed)[None], spec=spec)
        for seed in (1, 2)
    ]
    masks = masks_of(101, 147, 2) if kind == "masks" else None
    options = {"masks": masks, "alpha": 0.9, "spec": spec}
    whole = whole_picture(params, content, styles, function=swap_whole, **options)
    tiled = style_swap_in_tiles(params, content, styles, tiling=Tiling(64), **options)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_every_tile_is_told_of():
    params, spec = make_networks("relu2_1")
    told = []
    adain_in_tiles(
        params,
        picture(64, 24),
        styles_of(params, spec, 1),
        tiling=Tiling(32),
        spec=spec,
        on_tile=lambda done, total: told.append((done, total)),
    )
    # Windows of 32 pixels at 0, 24 and 32, in both passes.
    assert told == [(i, 6) for i in range(1, 7)]


def test_tiles_without_room_for_halos_are_refused():
    params, spec = make_networks()
    assert least_side(spec, keep_features=True) == 72
    with pytest.raises(NstjaxError, match="too small for halos"):
        adain_in_tiles(
            params,
            picture(160, 160),
            styles_of(params, spec, 1),
            tiling=Tiling(64),
            spec=spec,
        )
