"""The Laplacian of a picture after average pooling.

The filter is always the 4-neighbour Laplacian
``[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]``.
"""

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.ops.pooling import mean_over_blocks
from nstjax.precision import check_floating
from nstjax.types import Array

# "sum": one response, of the sum of the channels (askerlee/lapstyle's
# 3-to-1 convolution); "each": one response for every channel.
LAPLACIAN_CHANNELS = ("sum", "each")
# The fewest pooled cells on a side: the filter is 3 x 3 and does not pad.
LEAST_CELLS = 3


def laplacian_response(image: Array, *, pool: int, channels: str) -> Array:
    """Average-pools a picture and filters it with the Laplacian, unpadded.

    The pooling is a mean over a reshaped axis, and the filter a sum of shifts:
    on a CPU the gradient of a window reduction is up to ten times slower.

    Args:
        image: pictures of shape [B, H, W, C], on any scale.
        pool: side p of the pooling window and its stride. Rows and columns that do not
            fill a window are left out, as in torch's ``AvgPool2d(p)``. 1 does not pool.
        channels: one of `LAPLACIAN_CHANNELS`.

    Returns:
        The response, of shape [B, H // p - 2, W // p - 2, 1] for channels
        "sum" or [B, H // p - 2, W // p - 2, C] for "each".

    Raises:
        NstjaxError: if fewer than 3 x 3 windows fit into the picture, or it is of
            integers.
        ValueError: if `channels` is unknown or the pool is below 1.

    References:
        Li et al., 2017, https://arxiv.org/abs/1707.01253, section 3;
        askerlee/lapstyle, ``lap_style.lua``.
    """
    check_floating(image=image)
    chex.assert_rank(image, 4)
    if channels not in LAPLACIAN_CHANNELS:
        raise ValueError(
            f"channels must be one of {LAPLACIAN_CHANNELS}, not {channels!r}"
        )
    if pool < 1:
        raise ValueError(f"the pool must be 1 or more, not {pool}")
    height, width = image.shape[1:3]
    rows, columns = height // pool, width // pool
    if min(rows, columns) < LEAST_CELLS:
        raise NstjaxError(
            f"a picture of {width} x {height} pixels is too small for a Laplacian "
            f"at pool {pool}; its shorter side must be at least {LEAST_CELLS * pool}"
        )
    if channels == "sum":
        image = image.sum(axis=3, keepdims=True)
    if pool > 1:
        image = mean_over_blocks(image[:, : rows * pool, : columns * pool], pool)
    return (
        4 * image[:, 1:-1, 1:-1]
        - image[:, :-2, 1:-1]
        - image[:, 2:, 1:-1]
        - image[:, 1:-1, :-2]
        - image[:, 1:-1, 2:]
    )
