"""A border of one pixel, repeated or reflected, that is quick on a CPU.

`jnp.pad` goes through the whole picture once for each axis, and its gradient several
times. Here it is joined in one pass, and the gradient is the middle of what comes in,
to which what the border got is added in place: 3 to 6 times as fast.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.cpu import forms
from nstjax.types import Array

# How far inside the picture lies what the border repeats.
_DEPTHS = {"edge": 0, "reflect": 1}


def pad_border(x: Array, *, mode: str, size: Array | None = None) -> Array:
    """Continues pictures by one pixel on every side.

    Args:
        x: of shape [B, H, W, C].
        mode: "edge" to repeat the outermost pixel, "reflect" for the one next to it,
            as torch's ``ReplicationPad2d`` and ``ReflectionPad2d``; a side of one
            pixel, which torch refuses to reflect, is repeated, as NumPy does.
        size: [B, 2] int32, the (height, width), of 2 or more, of pictures that take up
            the upper left part of `x` only. They are continued where they end; what
            comes after that has no meaning. By default all of `x` is the picture.

    Returns:
        Of shape [B, H + 2, W + 2, C].

    Raises:
        ValueError: if `mode` is neither of the two.
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
    """Continues pictures that end inside of their arrays.

    By gathers, which compile in a fifth of the time that slices written into the
    padded array take, and run faster.
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
    """Where arrays hold pictures that take up their upper left part only.

    Args:
        shape: (height, width) of the arrays.
        size: [B, 2] int32, those of each picture.

    Returns:
        Of bool, [B, *shape, 1].
    """
    rows = lax.broadcasted_iota(jnp.int32, (1, *shape, 1), 1)
    columns = lax.broadcasted_iota(jnp.int32, (1, *shape, 1), 2)
    height, width = (size[:, axis].reshape(-1, 1, 1, 1) for axis in (0, 1))
    return (rows < height) & (columns < width)


def _joined(x: Array, mode: str) -> Array:
    """The picture and its border in one pass; a side of one pixel is repeated."""
    first, last = _DEPTHS[mode], -1 - _DEPTHS[mode]

    def edge(x: Array, place: int, axis: int) -> Array:
        start = place % x.shape[axis]
        return lax.slice_in_dim(x, start, start + 1, axis=axis)

    def wider(x: Array) -> Array:
        return jnp.concatenate([edge(x, first, 2), x, edge(x, last, 2)], axis=2)

    # The middle is widened as such: were a wider picture cut, it would be a pass.
    upper, lower = (wider(edge(x, place, 1)) for place in (first, last))
    return jnp.concatenate([upper, wider(x), lower], axis=1)


_pad = jax.custom_vjp(_joined, nondiff_argnums=(1,))


def _pad_forward(x, mode):
    return _joined(x, mode), None


def _pad_backward(mode, _, cotangent):
    cotangent = jnp.asarray(cotangent)
    first, last = _DEPTHS[mode], -1 - _DEPTHS[mode]

    def fold(rows: Array) -> Array:
        """Adds what left and right borders of some rows got where it came from."""
        left, right = rows[:, :, 0], rows[:, :, -1]
        return rows[:, :, 1:-1].at[:, :, first].add(left).at[:, :, last].add(right)

    upper, middle, lower = (
        fold(rows) for rows in (cotangent[:, :1], cotangent[:, 1:-1], cotangent[:, -1:])
    )
    return (middle.at[:, first].add(upper[:, 0]).at[:, last].add(lower[:, 0]),)


_pad.defvjp(_pad_forward, _pad_backward)
