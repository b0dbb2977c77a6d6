"""The Laplacian loss: the picture keeps the content's edges and details.

References:
    Li et al., 2017, https://arxiv.org/abs/1707.01253;
    askerlee/lapstyle, ``lap_style.lua``.
"""

from collections.abc import Sequence

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.ops.laplacian import laplacian_response
from nstjax.types import Array

LAPLACIAN_REDUCTIONS = ("mean", "sum", "relative")

# "relative" adds this to the mean square of the target's response, for pictures
# in [0, 1], where a photograph has 0.1 to 1 (channels summed, any pool): a
# content without edges asks for none, but not with an infinite weight.
_FLOOR = 1e-2


def laplacian_targets(
    content: Array, *, pools: Sequence[int], channels: str
) -> tuple[Array, ...]:
    """The content's Laplacian at every pool, for `laplacian_loss`.

    Args:
        content: pictures of shape [B, H, W, C].
        pools: sides of the pooling windows.
        channels: "sum" or "each", see `laplacian_response`.

    Returns:
        One response for each pool.

    Raises:
        NstjaxError: if the picture is too small for a pool.
    """
    return tuple(
        laplacian_response(content, pool=pool, channels=channels) for pool in pools
    )


def laplacian_loss(
    image: Array,
    targets: Sequence[Array],
    *,
    pools: Sequence[int],
    weights: Sequence[float],
    channels: str,
    reduction: str,
) -> Array:
    """Squared distance of a picture's Laplacians to the content's.

    Args:
        image: pictures of shape [B, H, W, C], in the scale of the content that
            gave the targets.
        targets: from `laplacian_targets`, with the same pools and channels.
        pools: sides of the pooling windows.
        weights: factor of each pool's distance.
        channels: "sum" or "each", see `laplacian_response`.
        reduction: "mean" over the response (``lap_style.lua``); "sum", as the
            papers write it (grows with the picture); "relative", the mean over
            the target's own mean square (plus a small floor), which makes one
            weight fit every pool and picture and is for pictures in [0, 1].

    Returns:
        A scalar: the weighted sum over the pools, averaged over the batch.

    Raises:
        NstjaxError: if the picture is too small for a pool.
        ValueError: for an unknown reduction, or lists of different lengths.
    """
    if reduction not in LAPLACIAN_REDUCTIONS:
        raise ValueError(
            f"the reduction must be one of {LAPLACIAN_REDUCTIONS}, not {reduction!r}"
        )
    total = jnp.zeros((), image.dtype)
    for pool, weight, target in zip(pools, weights, targets, strict=True):
        response = laplacian_response(image, pool=pool, channels=channels)
        chex.assert_equal_shape([response, target])
        squares = jnp.square(response - target)
        if reduction == "sum":
            loss = squares.sum(axis=(1, 2, 3))
        else:
            loss = squares.mean(axis=(1, 2, 3))
        if reduction == "relative":
            loss /= jnp.square(target).mean(axis=(1, 2, 3)) + _FLOOR
        total += weight * loss.mean()
    return total
