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


def pad_border(x: Array, *, mode: str) -> Array:
    """Continues pictures by one pixel on every side.

    Args:
        x: of shape [B, H, W, C].
        mode: "edge" to repeat the outermost pixel, "reflect" for the one next to it,
            as torch's ``ReplicationPad2d`` and ``ReflectionPad2d``; a side of one
            pixel, which torch refuses to reflect, is repeated, as NumPy does.

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
    if forms.are_plain():
        return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
    return _pad(x, mode)


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


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _pad(x: Array, mode: str) -> Array:
    return _joined(x, mode)


def _pad_forward(x, mode):
    return _pad(x, mode), None


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
