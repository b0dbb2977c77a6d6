"""Padding by one pixel, repeated or reflected, that is fast on a CPU.

`jnp.pad` goes through the whole picture once for each axis, and its gradient does so
several times. Here the parts are concatenated in one pass. The gradient is the middle
of the cotangent, with that of the border added in place. This is 3 to 6 times as fast.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.cpu import forms
from nstjax.types import Array

# The distance from the picture's edge of the pixels that the border copies.
_DEPTHS = {"edge": 0, "reflect": 1}


def pad_border(x: Array, *, mode: str, size: Array | None = None) -> Array:
    """Pads pictures by one pixel on every side.

    Args:
        x: of shape [B, H, W, C].
        mode: "edge" to repeat the outermost pixel, "reflect" for the one next to it,
            like torch's ``ReplicationPad2d`` and ``ReflectionPad2d``; a side of one
            pixel, which torch refuses to reflect, is repeated, as in NumPy.
        size: [B, 2] int32, the (height, width), 2 or more, of pictures that fill only
            the upper left part of `x`. They are padded at their own borders; the values
            beyond are undefined. By default they fill `x`.

    Returns:
        Of shape [B, H + 2, W + 2, C].

    Raises:
        ValueError: if `mode` is neither.
    """
    chex.assert_rank(x, 4)
    if mode not in _DEPTHS:
        raise ValueError(f"the mode must be one of {sorted(_DEPTHS)}, not {mode!r}")
    if 1 in x.shape[1:3]:
        return _joined(x, mode)
    if size is not None:
        return _continued(x, size, mode)
    if forms.are_plain():
        return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
    return _pad(x, mode)


def _continued(x: Array, size: Array, mode: str) -> Array:
    """Pads pictures that are smaller than their arrays.

    This uses gathers, which compile in a fifth of the time of slices written into the
    padded array, and run faster.
    """
    depth = _DEPTHS[mode]
    for axis in (1, 2):
        place = jnp.arange(-1, x.shape[axis] + 1)
        end = size[:, axis - 1, None]
        source = jnp.where(
            place < end, jnp.where(place < 0, depth, place), end - 1 - depth
        )
        if len(x) == 1:
            x = jnp.take(x, source[0], axis=axis, mode="clip")
        else:
            take = partial(jnp.take, axis=axis - 1, mode="clip")
            x = jax.vmap(take)(x, source)
    return x


def is_inside(shape: tuple[int, ...], size: Array) -> Array:
    """A mask of the pictures in arrays whose upper left part they fill.

    Args:
        shape: (height, width) of the arrays.
        size: [B, 2] int32, the (height, width) of each picture.

    Returns:
        A bool array, [B, *shape, 1].
    """
    rows = lax.broadcasted_iota(jnp.int32, (1, *shape, 1), 1)
    columns = lax.broadcasted_iota(jnp.int32, (1, *shape, 1), 2)
    height, width = (size[:, axis].reshape(-1, 1, 1, 1) for axis in (0, 1))
    return (rows < height) & (columns < width)


def _joined(x: Array, mode: str) -> Array:
    """Joins picture and border in one pass; a side of one pixel is repeated."""
    first, last = _DEPTHS[mode], -1 - _DEPTHS[mode]

    def edge(x: Array, place: int, axis: int) -> Array:
        start = place % x.shape[axis]
        return lax.slice_in_dim(x, start, start + 1, axis=axis)

    def wider(x: Array) -> Array:
        return jnp.concatenate([edge(x, first, 2), x, edge(x, last, 2)], axis=2)

    # Only the middle is widened: cutting a wider picture would take another pass.
    upper, lower = (wider(edge(x, place, 1)) for place in (first, last))
    return jnp.concatenate([upper, wider(x), lower], axis=1)


_pad = jax.custom_vjp(_joined, nondiff_argnums=(1,))


def _pad_forward(x, mode):
    return _joined(x, mode), None


def _pad_backward(mode, _, cotangent):
    cotangent = jnp.asarray(cotangent)
    first, last = _DEPTHS[mode], -1 - _DEPTHS[mode]

    def fold(rows: Array) -> Array:
        """Adds the cotangents of the left and right borders to their source pixels."""
        left, right = rows[:, :, 0], rows[:, :, -1]
        return rows[:, :, 1:-1].at[:, :, first].add(left).at[:, :, last].add(right)

    upper, middle, lower = (
        fold(rows) for rows in (cotangent[:, :1], cotangent[:, 1:-1], cotangent[:, -1:])
    )
    return (middle.at[:, first].add(upper[:, 0]).at[:, last].add(lower[:, 0]),)


_pad.defvjp(_pad_forward, _pad_backward)
