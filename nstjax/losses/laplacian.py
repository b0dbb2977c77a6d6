"""The Laplacian loss, which keeps the content's edges and details.

References:
    Li et al., 2017, https://arxiv.org/abs/1707.01253;
    askerlee/lapstyle, ``lap_style.lua``.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.losses.base import Loss, Picture, check_choice, check_weight
from nstjax.ops.laplacian import LAPLACIAN_CHANNELS, laplacian_response
from nstjax.types import Array

LAPLACIAN_REDUCTIONS = ("mean", "sum", "relative")

# "relative" adds this to the mean square of the target's response, for pictures
# in [0, 1], where a photograph has 0.1 to 1 (channels summed, any pool): a content
# without edges then does not get an infinite weight.
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
        One response for each pool p: [B, H // p - 2, W // p - 2, 1] for channels "sum",
        [B, H // p - 2, W // p - 2, C] for "each".

    Raises:
        NstjaxError: if the picture is too small for a pool, or of integers.
        ValueError: for another value of `channels`, or a pool below 1.

    References:
        Li et al., 2017, https://arxiv.org/abs/1707.01253, section 3.
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
    """Squared distance of a picture's Laplacians from the content's.

    Args:
        image: pictures of shape [B, H, W, C], on the scale of the content that the
            targets were made from.
        targets: from `laplacian_targets`, with the same pools and channels.
        pools: sides of the pooling windows.
        weights: the factor of each pool's distance.
        channels: "sum" or "each", see `laplacian_response`.
        reduction: "mean" over the response (``lap_style.lua``); "sum", as the
            papers write it (grows with the picture); "relative", the mean divided by
            the target's own mean square (plus a small floor), which makes one weight
            suit every pool and picture and is for pictures in [0, 1].

    Returns:
        A scalar: the weighted sum over the pools, averaged over the batch.

    Raises:
        NstjaxError: if the picture is too small for a pool, or of integers.
        ValueError: for an unknown reduction, or lists of different lengths.

    References:
        Li et al., 2017, https://arxiv.org/abs/1707.01253, section 3;
        askerlee/lapstyle, ``lap_style.lua``.
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


@dataclasses.dataclass(frozen=True)
class Laplacian(Loss):
    """`laplacian_loss` between `pixel_scale` times the pictures and the content.

    Attributes:
        lap_pools: sides of the pooling windows.
        lap_pool_weights: each pool's factor in the term.
        lap_channels: see `nstjax.ops.laplacian.laplacian_response`.
        lap_reduction: see `laplacian_loss`.
        pixel_scale: 256 in the Torch references, whatever the pixels' domain.
    """

    uses_style: ClassVar[bool] = False

    lap_pools: tuple[int, ...] = (4,)
    lap_pool_weights: tuple[float, ...] = (1.0,)
    lap_channels: str = "sum"
    lap_reduction: str = "mean"
    pixel_scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lap_pools", "lap_pool_weights"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_choice("lap_channels", self.lap_channels, LAPLACIAN_CHANNELS)
        check_choice("lap_reduction", self.lap_reduction, LAPLACIAN_REDUCTIONS)
        if not (math.isfinite(self.pixel_scale) and self.pixel_scale > 0):
            raise NstjaxError(
                f"pixel_scale must be positive and finite, not {self.pixel_scale!r}"
            )
        if self.lap_reduction == "relative" and self.pixel_scale != 1:
            raise NstjaxError(
                "lap_reduction 'relative' is defined for pixel_scale 1, "
                f"not {self.pixel_scale}; set that too"
            )
        for weight in self.lap_pool_weights:
            check_weight("lap_pool_weights", weight)
        if len(self.lap_pools) != len(self.lap_pool_weights):
            raise NstjaxError(
                f"lap_pools {self.lap_pools} and lap_pool_weights "
                f"{self.lap_pool_weights} must have the same length"
            )
        for pool in self.lap_pools:
            if not isinstance(pool, int) or isinstance(pool, bool) or pool < 1:
                raise NstjaxError(
                    f"lap_pools must be whole numbers of 1 or more, not {pool!r}"
                )

    def target(self, content: Picture, style: Picture) -> tuple[Array, ...]:
        return laplacian_targets(
            self.pixel_scale * content.image,
            pools=self.lap_pools,
            channels=self.lap_channels,
        )

    def loss(self, result: Picture, target: Any) -> Array:
        return laplacian_loss(
            self.pixel_scale * result.image,
            target,
            pools=self.lap_pools,
            weights=self.lap_pool_weights,
            channels=self.lap_channels,
            reduction=self.lap_reduction,
        )
