"""Statistics of feature maps that discard positions: moments and Gram matrices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.cpu import forms
from nstjax.ops.cpu.sums import sum_over_positions
from nstjax.precision import check_floating
from nstjax.types import Array

# What a Gram matrix is divided by: nothing (Gatys et al., 2015), the number of
# positions (leongatys/PytorchNeuralStyleTransfer), or that of positions times channels
# (jcjohnson/neural-style, askerlee/lapstyle).
GRAM_NORMALISATIONS = ("none", "hw", "chw")


class Statistics(NamedTuple):
    """Each channel's mean and standard deviation, all that AdaIN uses of a style.

    Attributes:
        mean: of shape [B, 1, 1, C].
        std: of the same shape.
    """

    mean: Array
    std: Array


def channel_mean_std(features: Array, *, eps: float, ddof: int = 0) -> Statistics:
    """Mean and standard deviation of every channel over positions.

    Args:
        features: feature maps of shape [B, H, W, C].
        eps: added to the variance, not to the deviation, so that the gradient of a
            constant channel is finite; must be positive.
        ddof: 0 for the variance over H * W, 1 for torch's unbiased one, over
            H * W - 1.

    Returns:
        The mean and the deviation, each of shape [B, 1, 1, C].

    Raises:
        NstjaxError: for features of integers.
        ValueError: if `eps` is not positive, or there are no more positions
            than `ddof`.
    """
    check_floating(features=features)
    chex.assert_rank(features, 4)
    if not eps > 0:
        raise ValueError(f"eps must be positive, not {eps}")
    positions = features.shape[1] * features.shape[2]
    if positions <= ddof:
        raise ValueError(f"{positions} positions are too few for ddof={ddof}")
    if forms.are_plain():
        dtype = jnp.promote_types(features.dtype, jnp.float32)
        wide = features.astype(dtype)
        mean = wide.mean((1, 2), keepdims=True)
        variance = wide.var((1, 2), ddof=ddof, keepdims=True)
        return Statistics(mean, jnp.sqrt(variance + eps))
    return _mean_std(features, eps, ddof)


def _measure(features: Array, eps: float, ddof: int) -> Statistics:
    positions = features.shape[1] * features.shape[2]
    mean = sum_over_positions(features) / positions
    squares = sum_over_positions(jnp.square(features - mean))
    return Statistics(mean, jnp.sqrt(squares / (positions - ddof) + eps))


_mean_std = jax.custom_vjp(_measure, nondiff_argnums=(1, 2))


def _mean_std_forward(features, eps, ddof):
    statistics = _measure(features, eps, ddof)
    return statistics, (features, statistics)


def _mean_std_backward(eps, ddof, residual, cotangent):
    # Autodiff also computes the gradient of the squares with respect to the mean, in
    # two more passes; it is zero, since differences from the mean sum to zero.
    del eps
    features, (mean, std) = residual
    positions = features.shape[1] * features.shape[2]
    slope = cotangent.std / (std * (positions - ddof))
    gradient = cotangent.mean / positions + slope * (features - mean)
    return (gradient.astype(features.dtype),)


_mean_std.defvjp(_mean_std_forward, _mean_std_backward)


def gram_matrix(features: Array, *, normalisation: str) -> Array:
    """Inner products of all pairs of channels, summed over positions.

    Args:
        features: feature maps of shape [B, H, W, C].
        normalisation: one of `GRAM_NORMALISATIONS`; the sums are divided by nothing
            ("none"), H * W ("hw") or C * H * W ("chw").

    Returns:
        Symmetric matrices of shape [B, C, C].

    Raises:
        NstjaxError: for features of integers.
        ValueError: for an unknown normalisation.

    References:
        Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equation 3.
    """
    check_floating(features=features)
    chex.assert_rank(features, 4)
    batch, height, width, channels = features.shape
    divisors = {"none": 1, "hw": height * width, "chw": channels * height * width}
    if normalisation not in divisors:
        raise ValueError(
            f"the Gram normalisation must be one of {GRAM_NORMALISATIONS}, "
            f"not {normalisation!r}"
        )
    flat = features.reshape(batch, height * width, channels)
    if forms.are_plain():
        products = jnp.einsum("bnc,bnd->bcd", flat, flat)
    else:
        products = _products(flat)
    return products / divisors[normalisation]


def _multiply(flat: Array) -> Array:
    """From [B, N, C] to the [B, C, C] sums over N."""
    return lax.dot_general(flat, flat, (((1,), (1,)), ((0,), (0,))))


_products = jax.custom_vjp(_multiply)


def _products_forward(flat):
    return _multiply(flat), flat


def _products_backward(flat, cotangent):
    # Autodiff treats the two factors as independent and multiplies twice; since they
    # are the same array, one product is enough, in a third to half of the time.
    return (jnp.matmul(flat, cotangent + cotangent.swapaxes(1, 2)),)


_products.defvjp(_products_forward, _products_backward)
