"""The depth loss: the picture keeps the content's disparities."""

import chex
import jax.numpy as jnp

from nstjax.types import Array

DEPTH_NORMS = ("l1", "l2")

# Keeps the quotient finite for a disparity map that is zero everywhere.
_EPS = 1e-7


def depth_loss(disparity: Array, target: Array, *, norm: str) -> Array:
    """Distance of two disparity maps, each divided by its own mean.

    A single camera gives disparity up to a factor, which the division takes
    out; the mean over pixels makes the loss independent of the picture's size.

    Args:
        disparity: maps of shape [B, H, W, 1], not negative.
        target: the content's, of the same shape.
        norm: "l1" for the mean absolute difference, "l2" for the mean squared
            one. The project's paper writes a norm and names none.

    Returns:
        A scalar, averaged over the batch.

    Raises:
        ValueError: for another norm.
    """
    chex.assert_rank(disparity, 4)
    chex.assert_axis_dimension(disparity, 3, 1)
    chex.assert_equal_shape([disparity, target])
    difference = _mean_normalised(disparity) - _mean_normalised(target)
    if norm == "l1":
        return jnp.abs(difference).mean()
    if norm == "l2":
        return jnp.square(difference).mean()
    raise ValueError(f"the norm must be one of {DEPTH_NORMS}, not {norm!r}")


def _mean_normalised(disparity: Array) -> Array:
    return disparity / (disparity.mean(axis=(1, 2, 3), keepdims=True) + _EPS)
