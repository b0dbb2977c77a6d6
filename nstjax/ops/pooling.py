"""Pooling with stride 2, written as strided slices.

The gradient of slices and maxima is about four times faster on a CPU than
that of ``lax.reduce_window``. Arrays are NHWC.
"""

import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.types import Array


def pool2x2(x: Array, *, kind: str, rounding: str) -> Array:
    """Pools every 2x2 block to one position.

    Args:
        x: input of shape [B, H, W, C].
        kind: "max" or "average".
        rounding: how an odd last row or column is treated: "floor" drops
            it, "ceil" pools it alone. The average over an incomplete block divides by
            the positions that exist, as in torch.

    Returns:
        Output of shape [B, H // 2, W // 2, C], halves rounded according to `rounding`.

    Raises:
        ValueError: if an option is not one of those named.
    """
    chex.assert_rank(x, 4)
    height, width = x.shape[1:3]
    if rounding == "floor":
        x = x[:, : height // 2 * 2, : width // 2 * 2]
    elif rounding == "ceil":
        # Repeating the edge changes neither the maximum nor the mean of the positions
        # that exist.
        if height % 2 or width % 2:
            x = jnp.pad(
                x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge"
            )
    else:
        raise ValueError(f"rounding must be 'floor' or 'ceil', not {rounding!r}")
    corners = x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, ::2], x[:, 1::2, 1::2]
    if kind == "max":
        return jnp.maximum(
            jnp.maximum(corners[0], corners[1]), jnp.maximum(corners[2], corners[3])
        )
    if kind == "average":
        return sum(corners[1:], corners[0]) / 4
    raise ValueError(f"pooling must be 'max' or 'average', not {kind!r}")


def max_pool3x3_stride2(x: Array) -> Array:
    """Maxima of 3x3 windows around every second position: a ResNet's pooling.

    The border is padded with minus infinity, as torch does.

    Args:
        x: input of shape [B, H, W, C].

    Returns:
        Output of shape [B, H / 2, W / 2, C], halves rounded up.
    """
    chex.assert_rank(x, 4)
    return _max_of_three(_max_of_three(x, axis=1), axis=2)


def _max_of_three(x: Array, *, axis: int) -> Array:
    length = -(-x.shape[axis] // 2)
    margins = [(0, 0)] * 4
    margins[axis] = (1, 1)
    padded = jnp.pad(x, margins, constant_values=-jnp.inf)
    first, middle, last = (
        lax.slice_in_dim(padded, i, i + 2 * length - 1, 2, axis) for i in range(3)
    )
    return jnp.maximum(jnp.maximum(first, middle), last)


def mean_over_blocks(x: Array, side: int) -> Array:
    """Means over squares of `side` pixels, [B, H, W, C] to [B, H / side, W / side, C].

    Raises:
        ValueError: if H or W is not a multiple of `side`.
    """
    chex.assert_rank(x, 4)
    batch, height, width, channels = x.shape
    if height % side or width % side:
        raise ValueError(f"{height} x {width} is not a multiple of {side}")
    blocks = x.reshape(batch, height // side, side, width // side, side, channels)
    return blocks.mean(axis=(2, 4))
