"""Distances between disparity maps, for style transfer and for training.

References:
    Ranftl et al., 2019, https://arxiv.org/abs/1907.01341 (MiDaS: losses that
    invariant to scale and shift).
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.losses.base import Loss, Picture, check_choice
from nstjax.precision import check_floating
from nstjax.types import Array

DEPTH_NORMS = ("l1", "l2")

# Keeps the quotient finite for a disparity map that is zero everywhere.
_EPS = 1e-7
# The same for a constant map. At the start of training a network's maps nearly are, and
# their reciprocal must stay bounded.
_LEAST_DEVIATION = 1e-2


def depth_loss(disparity: Array, target: Array, *, norm: str) -> Array:
    """Distance of two disparity maps, each divided by its own mean.

    From a single camera, disparity is known up to a factor, which the division removes:
    a departure from "Style Transfer: Laplacian, Depth loss and AdaIN", which compares
    the maps directly. The mean over pixels makes the loss independent of the picture's
    size.

    Args:
        disparity: non-negative maps of shape [B, H, W, 1].
        target: the content's, of the same shape.
        norm: "l1" for the mean absolute difference, "l2" for the mean squared one. The
            paper does not say which norm it uses.

    Returns:
        A scalar, averaged over the batch.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown norm.
    """
    check_floating(disparity=disparity, target=target)
    _check_pair(disparity, target)
    difference = _mean_normalised(disparity) - _mean_normalised(target)
    if norm == "l1":
        return jnp.abs(difference).mean()
    if norm == "l2":
        return jnp.square(difference).mean()
    raise ValueError(f"the norm must be one of {DEPTH_NORMS}, not {norm!r}")


def scale_shift_invariant_loss(disparity: Array, target: Array) -> Array:
    """Mean absolute difference after normalising both maps in scale and shift.

    Departures from MiDaS: a map's shift is its mean and its scale the mean absolute
    deviation from it, whereas MiDaS uses the median instead of the mean, which needs a
    sort; and all residuals count, whereas MiDaS drops the largest fifth.

    Args:
        disparity: maps of shape [B, H, W, 1].
        target: of the same shape.

    Returns:
        A scalar, averaged over the batch.
    """
    _check_pair(disparity, target)
    return jnp.abs(_centred(disparity) - _centred(target)).mean()


def gradient_matching_loss(disparity: Array, target: Array, *, levels: int) -> Array:
    """MiDaS' second term, which aligns edges with the target's.

    It sums absolute differences between neighbours in the residual at several
    resolutions, each of which keeps every second pixel of the one before. The maps are
    first normalised in scale and shift, as in `scale_shift_invariant_loss`.

    Args:
        disparity: maps of shape [B, H, W, 1].
        target: of the same shape.
        levels: the number of resolutions; 4 in MiDaS.

    Returns:
        A scalar, averaged over pixels and the batch and summed over levels.
    """
    _check_pair(disparity, target)
    residual = _centred(disparity) - _centred(target)
    total = jnp.zeros((), residual.dtype)
    for level in range(levels):
        part = residual[:, :: 2**level, :: 2**level]
        for axis in (1, 2):
            if part.shape[axis] > 1:
                total += jnp.abs(jnp.diff(part, axis=axis)).mean()
    return total


def cross_entropy_loss(disparity: Array, target: Array) -> Array:
    """Cross entropy of two maps, each pixel read as a probability of being near.

    The losses that are invariant to scale and shift allow a network to saturate its
    sigmoid, from where no gradient leads back. The gradient of this loss with respect
    to the sigmoid's argument is simply the difference of the maps.

    Args:
        disparity: maps of shape [B, H, W, 1], in (0, 1).
        target: of the same shape, in [0, 1].

    Returns:
        A scalar, averaged over pixels and the batch, less the target's own
        entropy, so that equal maps give 0.
    """
    _check_pair(disparity, target)
    # After resizing, a map of ones can exceed 1 by a rounding error.
    target = jnp.clip(target, 0, 1)

    def entropy(of: Array) -> Array:
        return -(target * jnp.log(of + _EPS) + (1 - target) * jnp.log1p(_EPS - of))

    return (entropy(disparity) - entropy(target)).mean()


def rank_correlation(disparity: Array, target: Array) -> Array:
    """Spearman's rank correlation of the pixels: how well the order in depth agrees.

    Monotonic changes of a map have no effect. Equal pixels share their mean rank. Do
    not differentiate this function.

    Args:
        disparity: maps of shape [B, H, W, 1].
        target: of the same shape.

    Returns:
        A scalar from -1 to 1, averaged over the batch; 0 for a constant map.
    """
    _check_pair(disparity, target)
    first, second = (
        jax.vmap(_ranks)(x.astype(jnp.float32).reshape(len(x), -1))
        for x in (disparity, target)
    )
    products = (first * second).mean(1)
    norms = jnp.sqrt(jnp.square(first).mean(1) * jnp.square(second).mean(1))
    return (products / jnp.maximum(norms, 1e-12)).mean()


def _ranks(values: Array) -> Array:
    """A vector's ranks, centred at 0 and divided by their number."""
    ordered = jnp.sort(values)
    below, not_above = (
        jnp.searchsorted(ordered, values, side=side, method="sort")
        for side in ("left", "right")
    )
    ranks = (below + not_above).astype(jnp.float32) / (2 * len(values))
    return ranks - 0.5


def _check_pair(disparity: Array, target: Array) -> None:
    chex.assert_rank(disparity, 4)
    chex.assert_axis_dimension(disparity, 3, 1)
    chex.assert_equal_shape([disparity, target])


def _centred(disparity: Array) -> Array:
    """A map minus its mean, divided by its mean absolute deviation."""
    centred = disparity - disparity.mean(axis=(1, 2, 3), keepdims=True)
    deviation = jnp.abs(centred).mean(axis=(1, 2, 3), keepdims=True)
    return centred / jnp.maximum(deviation, _LEAST_DEVIATION)


def _mean_normalised(disparity: Array) -> Array:
    return disparity / (disparity.mean(axis=(1, 2, 3), keepdims=True) + _EPS)


@dataclasses.dataclass(frozen=True)
class Depth(Loss):
    """`depth_loss` between the result's disparity and the content's.

    Attributes:
        depth_norm: see `depth_loss`.
    """

    needs_depth: ClassVar[bool] = True
    uses_style: ClassVar[bool] = False

    depth_norm: str = "l1"

    def __post_init__(self) -> None:
        check_choice("depth_norm", self.depth_norm, DEPTH_NORMS)

    def target(self, content: Picture, style: Picture) -> Array | None:
        return content.disparity

    def loss(self, result: Picture, target: Any) -> Array:
        assert result.disparity is not None
        return depth_loss(result.disparity, target, norm=self.depth_norm)
