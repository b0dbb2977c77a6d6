"""2x2 pooling with stride 2, written as four strided slices.

The gradient of slices and maxima is about four times faster on a CPU than
that of ``lax.reduce_window``. Arrays are NHWC.
"""

import chex
import jax.numpy as jnp

from nstjax.types import Array


def pool2x2(x: Array, *, kind: str, rounding: str) -> Array:
    """Pools every 2x2 block to one cell.

    Args:
        x: input of shape [B, H, W, C].
        kind: "max" or "average".
        rounding: what becomes of an odd last row or column: "floor" drops
            it, "ceil" pools it alone. An average over a cut block divides by
            the cells that are there, as torch does.

    Returns:
        Output of shape [B, H // 2, W // 2, C], halves rounded as asked.

    Raises:
        ValueError: if an option is none of those named.
    """
    chex.assert_rank(x, 4)
    height, width = x.shape[1:3]
    if rounding == "floor":
        x = x[:, : height // 2 * 2, : width // 2 * 2]
    elif rounding == "ceil":
        # Repeating the edge changes neither the maximum nor the mean of the
        # cells that are there.
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
