"""Total variation, which penalises differences between neighbouring pixels."""

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.losses.base import Loss, Picture, check_choice
from nstjax.precision import check_floating
from nstjax.types import Array

TV_KINDS = ("mean_squares", "absolute", "sum_squares", "half_sum_squares")


def total_variation_loss(image: Array, *, kind: str) -> Array:
    """Differences between horizontal and between vertical neighbours, added up.

    Args:
        image: pictures of shape [B, H, W, C], on any scale; H and W must be 2 or more.
        kind: one of the published forms, d being a difference:

            - "mean_squares": the mean of d^2, separately for each direction.
            - "absolute": the mean of abs(d), separately for each direction (Rudin et
              al., 1992, anisotropic).
            - "sum_squares": the sum of d^2 (rtqichen/style-swap, weight 1e-7;
              irasin/Pytorch_Style_Swap, weight 1e-6 and summed over the batch).
            - "half_sum_squares": half the sum of d^2 over the pixels that have both a
              right and a lower neighbour, so without the last row and column
              (jcjohnson/neural-style, askerlee/lapstyle; they add its gradient but
              leave its value out of the loss they print).

    Returns:
        A scalar, averaged over the batch. The sums grow with the picture; the means do
        not.

    Raises:
        NstjaxError: for a picture of integers.
        ValueError: if the kind is unknown, or a picture has only one row or column.
    """
    check_floating(image=image)
    chex.assert_rank(image, 4)
    if min(image.shape[1:3]) < 2:
        raise ValueError(f"no neighbours in pictures of shape {image.shape}")
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    if kind == "mean_squares":
        return jnp.square(down).mean() + jnp.square(right).mean()
    if kind == "absolute":
        return jnp.abs(down).mean() + jnp.abs(right).mean()
    if kind == "sum_squares":
        return (jnp.square(down).sum() + jnp.square(right).sum()) / len(image)
    if kind == "half_sum_squares":
        down, right = down[:, :, :-1], right[:, :-1]
        return (jnp.square(down).sum() + jnp.square(right).sum()) / (2 * len(image))
    raise ValueError(f"the kind must be one of {TV_KINDS}, not {kind!r}")


def range_loss(image: Array) -> Array:
    """The mean squared distance of a picture's values from [0, 1].

    Args:
        image: pictures of shape [B, H, W, C].

    Returns:
        A scalar, averaged over the batch.

    Raises:
        NstjaxError: for a picture of integers.
    """
    check_floating(image=image)
    outside = jnp.maximum(-image, 0) + jnp.maximum(image - 1, 0)
    return jnp.square(outside).mean()


@dataclasses.dataclass(frozen=True)
class TotalVariation(Loss):
    """`total_variation_loss` of `pixel_scale` times the picture.

    Attributes:
        tv_kind: see `total_variation_loss`.
        pixel_scale: 256 in the Torch references, whatever the pixels' domain.
    """

    uses_style: ClassVar[bool] = False

    tv_kind: str = "mean_squares"
    pixel_scale: float = 1.0

    def __post_init__(self) -> None:
        check_choice("tv_kind", self.tv_kind, TV_KINDS)

    def loss(self, result: Picture, target: Any) -> Array:
        return total_variation_loss(self.pixel_scale * result.image, kind=self.tv_kind)


@dataclasses.dataclass(frozen=True)
class Range(Loss):
    """`range_loss`."""

    uses_style: ClassVar[bool] = False

    def loss(self, result: Picture, target: Any) -> Array:
        return range_loss(result.image)
