"""Feed-forward transfer: encode, transform the features, decode.

Pure functions of weights and pictures. Pictures may have any size: they are padded by
reflection to a multiple of the side that one feature position covers, and the result is
cropped.
"""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.methods.specs import LevelStatistics, OnePassSpec
from nstjax.ops.cpu.padding import is_inside
from nstjax.ops.pooling import mean_over_blocks
from nstjax.ops.resample import size_of
from nstjax.ops.stats import Statistics
from nstjax.transforms.adain import (
    adain,
    adain_regions,
    blend_statistics,
    feature_statistics,
)
from nstjax.transforms.style_swap import style_swap
from nstjax.types import Array, Features, Params


class Restyled(NamedTuple):
    """Features after AdaIN, with the styles that a decoder may need.

    Attributes:
        features: by level, each [B, H, W, C].
        styles: the statistics that the features were given, by level: of one style, or
            one for each of `weights`.
        weights: each style's weight at every position, from `feature_mask`; or None.
    """

    features: Features
    styles: Sequence[LevelStatistics]
    weights: Sequence[Array] | None = None


def encode(
    params: Params, image: Array, *, spec: OnePassSpec, size: Array | None = None
) -> Features:
    """Computes the features that a decoder starts from.

    Args:
        params: the networks' weights.
        image: pictures [B, H, W, 3], RGB in [0, 1], of any size.
        spec: the spec of `params`.
        size: [B, 2] int32, the (height, width) of pictures that fill only the upper
            left part of `image`; they and H and W are multiples of `spec.multiple`.
            Their features are the same as without the rest, whose features are
            undefined. By default they fill `image`.

    Returns:
        Features by level, [B, ceil(H / m) m / s, ceil(W / m) m / s, C] for m =
        `spec.multiple` and s = `spec.strides[level]`.

    Raises:
        NstjaxError: if the picture is too small.
    """
    return spec.encode(params, _pad(image, spec.multiple), size)


def decode(
    params: Params,
    restyled: Restyled,
    *,
    size: tuple[int, int],
    spec: OnePassSpec,
    within: Array | None = None,
) -> Array:
    """Turns features into pictures of a size (height, width), in [0, 1].

    `within` is the (height, width) of the pictures in the upper left part, see
    `encode`.
    """
    image = spec.decode(params, *restyled, within)
    return jnp.clip(image[:, : size[0], : size[1]], 0, 1)


def encode_style(params: Params, style: Array, *, spec: OnePassSpec) -> LevelStatistics:
    """The statistics of a style picture [B, H, W, 3] that AdaIN uses, by level."""
    (found,) = content_statistics(encode(params, style, spec=spec), spec=spec)
    return found


def adain_transfer(
    params: Params,
    content: Array,
    styles: Sequence[LevelStatistics],
    *,
    weights: Sequence[float] | None = None,
    masks: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    spec: OnePassSpec,
    size: Array | None = None,
) -> Array:
    """Paints pictures with AdaIN.

    Args:
        params: the networks' weights.
        content: pictures [B, H, W, 3], RGB in [0, 1].
        styles: from `encode_style`; one for each mask, if there are masks.
        weights: each style's weight, summing to 1; equal by default. They cannot be
            combined with masks.
        masks: where to paint each style, [B, H, W, 1], with a sum of at most 1.
        alpha: strength from 0 (the content, reconstructed) to 1.
        spec: the spec of `params`.
        size: the (height, width) of the pictures in `content`, see `encode`; masks are
            0 beyond.

    Returns:
        Pictures of the content's shape, in [0, 1].

    Raises:
        NstjaxError: if the picture is too small.
        ValueError: if there are not as many weights or masks as styles.

    References:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, section 7.
    """
    chex.assert_rank(content, 4)
    features = encode(params, content, spec=spec, size=size)
    feature_masks = masks and [feature_mask(mask, spec=spec) for mask in masks]
    own = content_statistics(
        features, feature_masks=feature_masks, spec=spec, size=size
    )
    restyled = restyle(
        features,
        styles,
        weights=weights,
        feature_masks=feature_masks,
        alpha=alpha,
        own=own,
        spec=spec,
    )
    whole = size_of(content)
    return decode(params, restyled, size=whole, spec=spec, within=size)


def content_statistics(
    features: Features,
    *,
    feature_masks: Sequence[Array] | None = None,
    spec: OnePassSpec,
    size: Array | None = None,
) -> list[LevelStatistics]:
    """The statistics of a content that AdaIN uses.

    Args:
        features: from `encode`.
        feature_masks: masks from `feature_mask`; 0 beyond `size`.
        spec: the spec of the networks.
        size: see `encode`.

    Returns:
        The statistics of the region of each of `feature_masks`, then those of the
        whole.
    """

    def measure(level: str, region: Array | None) -> Statistics:
        value, mask = features[level], None
        if region is not None:
            mask = at_level(region, level, spec=spec)
        elif size is not None:
            inside = is_inside(value.shape[1:3], size // spec.strides[level])
            mask = inside.astype(jnp.float32)
        return feature_statistics(value, mask, eps=spec.eps, ddof=spec.ddof)

    return [
        {level: measure(level, region) for level in features}
        for region in (*(feature_masks or ()), None)
    ]


def restyle(
    features: Features,
    styles: Sequence[LevelStatistics],
    *,
    own: Sequence[LevelStatistics],
    weights: Sequence[float] | None = None,
    feature_masks: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    spec: OnePassSpec,
) -> Restyled:
    """The part of `adain_transfer` between encoding and decoding.

    Args:
        features: from `encode`, or part of them.
        styles, weights, alpha, spec: see `adain_transfer`.
        own: the content's statistics from `content_statistics`.
        feature_masks: masks from `feature_mask`.
    """
    if feature_masks is None:
        if weights is None:
            weights = [1 / len(styles)] * len(styles)
        style = {
            level: blend_statistics([style[level] for style in styles], weights)
            for level in features
        }
        restyled = {
            level: adain(value, style[level], alpha=alpha, own=own[0][level])
            for level, value in features.items()
        }
        return Restyled(restyled, [_towards(own[0], style, alpha)])
    # Areas that no mask covers are painted as with a strength of 0.
    *regions, whole = own
    restyled = {
        level: adain_regions(
            value,
            [style[level] for style in styles],
            [at_level(mask, level, spec=spec) for mask in feature_masks],
            alpha=alpha,
            own=[region[level] for region in regions],
        )
        for level, value in features.items()
    }
    wanted = [
        _towards(region, style, alpha)
        for region, style in zip(regions, styles, strict=True)
    ]
    return Restyled(
        restyled, [*wanted, whole], [*feature_masks, uncovered(feature_masks)]
    )


def _towards(
    own: LevelStatistics, style: LevelStatistics, alpha: float | Array
) -> LevelStatistics:
    """The statistics of features after AdaIN with a given strength."""
    return jax.tree.map(lambda mine, its: mine + alpha * (its - mine), own, dict(style))


def swap_features(
    features: Features,
    styles: Sequence[Features],
    *,
    weights: Sequence[float] | None = None,
    feature_masks: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    patch_size: int = 3,
    stride: int = 1,
) -> Restyled:
    """Rebuilds features from patches of the styles', for Style-Swap's inverse network.

    Args:
        features: the content's from `encode`, of one level.
        styles: each style's features; patches are chosen from all of them, unless there
            are weights or masks.
        weights: each style's weight, summing to 1; features are then swapped for each
            style separately and averaged.
        feature_masks: the weights for every position, from `feature_mask`; where they
            sum to less than 1, the content fills the rest.
        alpha: strength from 0 (the content, reconstructed) to 1.
        patch_size, stride: see `nstjax.transforms.style_swap`.

    Returns:
        The features for `decode`, of the content's shape.

    Raises:
        NstjaxError: if a picture is too small for a patch, or a size is out of range.
        ValueError: if there are not as many weights or masks as styles.

    References:
        Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337, section 4.
    """
    ((level, own),) = features.items()
    pictures = [style[level] for style in styles]

    def swap(style: Array | Sequence[Array]) -> Array:
        return style_swap(own, style, patch_size=patch_size, stride=stride, alpha=alpha)

    factors: Sequence[float | Array] | None = weights
    if feature_masks is not None:
        factors = feature_masks
    if factors is None:
        return Restyled({level: swap(pictures)}, [])
    parts = (
        factor * swap(style) for factor, style in zip(factors, pictures, strict=True)
    )
    swapped = reduce(operator.add, parts)
    if feature_masks is not None:
        swapped += uncovered(feature_masks) * own
    return Restyled({level: swapped}, [])


def _pad(image: Array, multiple: int) -> Array:
    below, right = (-side % multiple for side in image.shape[1:3])
    if not (below or right):
        return image
    # Reflection, like the padding of the networks.
    return jnp.pad(image, ((0, 0), (0, below), (0, right), (0, 0)), mode="reflect")


def feature_mask(mask: Array, *, spec: OnePassSpec) -> Array:
    """Averages a mask over the positions of the finest features.

    Args:
        mask: [B, H, W, 1], of any size.
        spec: the spec of the networks.

    Returns:
        [B, ceil(H / m) m / s, ceil(W / m) m / s, 1] for m = `spec.multiple` and s the
        finest of `spec.strides`.
    """
    return mean_over_blocks(_pad(mask, spec.multiple), min(spec.strides.values()))


def at_level(mask: Array, level: str, *, spec: OnePassSpec) -> Array:
    """Resizes the result of `feature_mask` to a level's features."""
    side = spec.strides[level] // min(spec.strides.values())
    return mean_over_blocks(mask, side)


def uncovered(feature_masks: Sequence[Array]) -> Array:
    """The part of every position that no mask covers."""
    return 1 - reduce(operator.add, feature_masks)
