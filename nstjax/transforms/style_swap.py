"""Style-Swap: replaces every patch of the content by the nearest patch of the style.

The nearest patch is found by normalised cross-correlation, in an exact search over all
patches. The paper prints phi_i(S) in the numerator of the correlation, but its text and
the authors' code have phi_j(S), any patch of the style.

The correlation of two patches is a sum of inner products of their positions. Each inner
product of a content position and a style position belongs to patch_size^2 pairs of
patches. So it is computed once, by matrix products of small blocks of rows; sums of
shifted blocks give the patches' correlations, of which only a running maximum is kept.
This takes patch_size^2 times fewer multiplications than convolving with style patches,
and memory for two blocks at any size.

References:
    Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337;
    rtqichen/style-swap, ``lib/NonparametricPatchAutoencoderFactory.lua``.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.ops.resample import size_of
from nstjax.precision import check_floating
from nstjax.types import Array

# The approximate number of positions in a block, such that its scores (this number
# squared) fit into the cache.
_BLOCK = 1024
# The smallest norm of a style patch: a patch of zeros correlates 0 with everything.
_LEAST_NORM = 1e-8
# Positions are counted in 32 bits, also where jax has been told to use 64.
_FIRST = np.int32(0)


def style_swap(
    content_features: Array,
    style_features: Array | Sequence[Array],
    *,
    patch_size: int = 3,
    stride: int = 1,
    alpha: float | Array = 1.0,
) -> Array:
    """Rebuilds the content's features from patches of the style's.

    Patches are `stride` positions apart in both; where they overlap in the result, they
    are averaged. If the last patch ends before the content does, the content's last row
    or column is repeated until another patch fits (the published code drops those
    positions, which makes the picture smaller).

    Args:
        content_features: feature maps of shape [B, H, W, C], such as relu3_1.
        style_features: maps of shape [B, H', W', C], or several such arrays of
            different sizes; the best patch of all is used.
        patch_size: the side of the patches, in positions; larger patches carry over
            more of the style's shapes.
        stride: the step from one patch to the next, at most `patch_size`.
        alpha: 1 for the swapped features, 0 for the content's, or a mixture.

    Returns:
        Feature maps with the content's shape and dtype. Gradients are stopped.

    Raises:
        NstjaxError: if a size is out of range, or a map is smaller than a patch
            or of integers.

    References:
        Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337, section 3.1.
    """
    styles = _as_maps(style_features)
    matches = match_patches(
        content_features, styles, patch_size=patch_size, stride=stride
    )
    rebuild = partial(
        _rebuild, size=size_of(content_features), patch_size=patch_size, stride=stride
    )
    content = lax.stop_gradient(content_features)
    swapped = jax.vmap(rebuild)(matches, lax.stop_gradient(styles))
    return ((1 - alpha) * content + alpha * swapped).astype(content.dtype)


def match_patches(
    content_features: Array,
    style_features: Array | Sequence[Array],
    *,
    patch_size: int,
    stride: int,
) -> Array:
    """Finds the style patch that correlates best with each content patch.

    The norm of a content patch scales all its correlations equally, so only the norms
    of the style patches are needed.

    Args:
        content_features, style_features, patch_size, stride: see `style_swap`.

    Returns:
        int32 indices [B, N, N'] for the N x N' patches of the content. Style patches
        are counted row by row, one map after the other; if several are equally good,
        the first is used.

    Raises:
        NstjaxError: see `style_swap`.
    """
    styles = _as_maps(style_features)
    _check(content_features, styles, patch_size, stride)
    match = partial(_match, patch_size=patch_size, stride=stride)
    return jax.vmap(match)(*lax.stop_gradient((content_features, styles)))


def _match(
    content: Array, styles: Sequence[Array], *, patch_size: int, stride: int
) -> Array:
    """`match_patches` for maps [H, W, C] without a batch."""
    content = _complete(content.astype(jnp.float32), patch_size, stride)
    count = _count(content.shape[:2], patch_size, stride)
    width = content.shape[1]
    rows = min(_rows_of_block(width, patch_size, stride), count[0])
    height = (rows - 1) * stride + patch_size

    def match_block(number, matches):
        # The last block starts early enough to be complete.
        row = jnp.minimum(number * rows, count[0] - rows)
        block = lax.dynamic_slice_in_dim(content, row * stride, height)
        best = jnp.full((rows, count[1]), -jnp.inf, jnp.float32)
        found = jnp.zeros((rows, count[1]), jnp.int32)
        first = 0
        for style in styles:
            best, found = _match_style(
                block, style, (best, found), first, patch_size, stride
            )
            first += math.prod(_count(style.shape[:2], patch_size, stride))
        return lax.dynamic_update_slice_in_dim(matches, found, row, 0)

    blocks = np.int32(-(-count[0] // rows))
    return lax.fori_loop(_FIRST, blocks, match_block, jnp.zeros(count, jnp.int32))


def _match_style(
    content: Array,
    style: Array,
    best: tuple[Array, Array],
    first: int,
    patch_size: int,
    stride: int,
) -> tuple[Array, Array]:
    """Updates the best scores and indices of a content block with one style.

    Args:
        content: a block of rows, [h, W, C].
        style: a whole map [H', W', C].
        best: scores and indices [N, N'] of the block's patches.
        first: the index of the style's first patch.
    """
    style = style.astype(jnp.float32)
    count = _count(style.shape[:2], patch_size, stride)
    rows = min(_rows_of_block(style.shape[1], patch_size, stride), count[0])
    height = (rows - 1) * stride + patch_size
    patches = best[0].shape
    energy = _window_sums(jnp.square(style).sum(-1), patch_size, stride)
    weights = 1 / jnp.maximum(jnp.sqrt(energy), _LEAST_NORM)
    flat = content.reshape(-1, content.shape[-1])
    numbers = np.arange(rows * count[1], dtype=np.int32).reshape(rows, -1, 1, 1)

    def improve(number, best):
        row = jnp.minimum(number * rows, count[0] - rows)
        block = lax.dynamic_slice_in_dim(style, row * stride, height)
        products = jnp.matmul(
            block.reshape(-1, block.shape[-1]), flat.T, precision="highest"
        ).reshape(*block.shape[:2], *content.shape[:2])
        scores = sum(
            products[
                _every(dy, rows, stride),
                _every(dx, count[1], stride),
                _every(dy, patches[0], stride),
                _every(dx, patches[1], stride),
            ]
            for dy in range(patch_size)
            for dx in range(patch_size)
        )
        scores *= lax.dynamic_slice_in_dim(weights, row, rows)[:, :, None, None]
        # Used twice below; without the barrier it would be computed twice.
        scores = lax.optimization_barrier(scores)
        # XLA vectorises maximum and minimum, but not argmax.
        score = scores.max((0, 1))
        index = jnp.where(scores == score, numbers, numbers.size).min((0, 1))
        index += first + row * count[1]
        better = score > best[0]
        return jnp.where(better, score, best[0]), jnp.where(better, index, best[1])

    blocks = np.int32(-(-count[0] // rows))
    return lax.fori_loop(_FIRST, blocks, improve, best)


def _rebuild(
    matches: Array,
    styles: Sequence[Array],
    *,
    size: tuple[int, int],
    patch_size: int,
    stride: int,
) -> Array:
    """The mean of the matched patches at every position, [H, W, C] for one picture."""
    corners, widths = _style_corners(
        [style.shape[:2] for style in styles], patch_size, stride
    )
    corner, width = jnp.asarray(corners)[matches], jnp.asarray(widths)[matches]
    channels = styles[0].shape[-1]
    features = jnp.concatenate(
        [style.reshape(-1, channels).astype(jnp.float32) for style in styles]
    )
    padded = [(n - 1) * stride + patch_size for n in matches.shape]
    gaps = [(0, 0, stride - 1)] * 2 + [(0, 0, 0)]

    def add(total, offset):
        dy, dx = offset
        values = features[corner + dy * width + dx]
        values = lax.pad(values, jnp.float32(0), gaps)
        window = lax.dynamic_slice(total, (dy, dx, _FIRST), values.shape)
        total = lax.dynamic_update_slice(total, window + values, (dy, dx, _FIRST))
        return total, None

    offsets = np.indices((patch_size, patch_size), np.int32).reshape(2, -1)
    empty = jnp.zeros((*padded, channels), jnp.float32)
    total, _ = lax.scan(add, empty, tuple(offsets))
    overlaps = [_overlaps(n, patch_size, stride) for n in matches.shape]
    mean = total / np.multiply.outer(*overlaps)[:, :, None]
    return mean[: size[0], : size[1]]


def _as_maps(style_features: Array | Sequence[Array]) -> list[Array]:
    if isinstance(style_features, Sequence):
        return list(style_features)
    return [style_features]


def _check(
    content: Array, styles: Sequence[Array], patch_size: int, stride: int
) -> None:
    if patch_size < 1:
        raise NstjaxError(f"patch_size must be 1 or more, not {patch_size}")
    if not 1 <= stride <= patch_size:
        raise NstjaxError(
            f"stride must be from 1 to patch_size ({patch_size}), so that patches "
            f"leave no gaps, not {stride}"
        )
    if not styles:
        raise NstjaxError("style_swap needs at least one style's features")
    for features in (content, *styles):
        check_floating(features=features)
    chex.assert_rank([content, *styles], 4)
    for style in styles:
        chex.assert_equal_shape_prefix([content, style], 1)
        chex.assert_axis_dimension(style, 3, content.shape[3])
    for name, features in (("content", content), *(("style", s) for s in styles)):
        height, width = features.shape[1:3]
        if min(height, width) < patch_size:
            raise NstjaxError(
                f"the {name}'s features have {width} x {height} positions, too few for "
                f"patches of {patch_size}; use a larger picture or smaller patches"
            )


def _complete(features: Array, patch_size: int, stride: int) -> Array:
    """Repeats the last row and column until patches cover every position."""
    missing = [-(n - patch_size) % stride for n in features.shape[:2]]
    return jnp.pad(features, (*((0, n) for n in missing), (0, 0)), mode="edge")


def _count(size: Sequence[int], patch_size: int, stride: int) -> tuple[int, int]:
    """How many patches a map has, downwards and across."""
    height, width = ((n - patch_size) // stride + 1 for n in size)
    return height, width


def _rows_of_block(width: int, patch_size: int, stride: int) -> int:
    """The rows of patches in a block, at least as many as its rows of overlap."""
    return max(-(-_BLOCK // (width * stride)), -(-patch_size // stride))


def _every(start: int, count: int, stride: int) -> slice:
    return slice(start, start + (count - 1) * stride + 1, stride)


def _window_sums(values: Array, patch_size: int, stride: int) -> Array:
    """Sums of an [H, W] map over every patch."""
    height, width = _count(values.shape, patch_size, stride)
    parts = (
        values[_every(dy, height, stride), _every(dx, width, stride)]
        for dy in range(patch_size)
        for dx in range(patch_size)
    )
    return reduce(operator.add, parts)


def _style_corners(
    sizes: Iterable[Sequence[int]], patch_size: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each style patch's first position, counted over all maps, and its map's width."""
    corners, widths, first = [], [], 0
    for height, width in sizes:
        rows, columns = _count((height, width), patch_size, stride)
        grid = stride * (width * np.arange(rows)[:, None] + np.arange(columns))
        corners.append(first + grid.ravel())
        widths.append(np.full(grid.size, width))
        first += height * width
    return (
        np.concatenate(corners).astype(np.int32),
        np.concatenate(widths).astype(np.int32),
    )


def _overlaps(count: int, patch_size: int, stride: int) -> np.ndarray:
    """How many of `count` patches in a row cover each position."""
    overlaps = np.zeros((count - 1) * stride + patch_size, np.float32)
    for number in range(count):
        overlaps[number * stride : number * stride + patch_size] += 1
    return overlaps
