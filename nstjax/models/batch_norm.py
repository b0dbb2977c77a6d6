"""Batch normalisation for training, which leaves no trace in the trained network.

In training every normalised convolution has a third weight, "scale", and takes
out its output's mean and deviation over the batch. Nothing is remembered from
batch to batch. Afterwards the moments are taken once, over pictures set aside,
and put into kernel and bias: Wu & Johnson's "precise" normalisation.

References:
    Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167.
    Wu & Johnson, 2021, https://arxiv.org/abs/2105.07576, section 3.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from nstjax.ops.cpu.sums import sum_over_positions
from nstjax.types import Array, Params

_EPS = 1e-5


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of every channel over a batch.

    Args:
        x: of shape [B, H, W, C].

    Returns:
        Two float32 arrays [C]; the deviation is of the variance plus 1e-5.
    """
    x = x.astype(jnp.float32)
    mean = _mean(x)
    return mean, jnp.sqrt(_mean(jnp.square(x - mean)) + _EPS)


def _mean(x: Array) -> Array:
    return sum_over_positions(x).sum((0, 1, 2)) / (x.size // x.shape[-1])


def fold(params: Params, moments: Params) -> dict[str, Any]:
    """Puts scales and moments into kernels and biases.

    Args:
        params: nested dicts; a convolution has "kernel" [..., C], "bias" [C] and
            "scale" [C], or is not normalised and has no scale.
        moments: a tree of the same form with "mean" and "deviation" for each
            convolution that has a scale, and for no other of these.

    Returns:
        The tree without scales, which computes the same wherever the batch's
        moments are these.
    """

    def convolution(layer: Mapping[str, Any], batch: Mapping[str, Any]):
        factor = layer["scale"] / batch["deviation"]
        return {
            "kernel": layer["kernel"] * factor,
            "bias": layer["bias"] - batch["mean"] * factor,
        }

    return _walk(params, moments, convolution)


def unfold(params: Params, moments: Params) -> dict[str, Any]:
    """The inverse of `fold`: kernels stay, scales and biases undo the moments.

    Args:
        params: nested dicts of convolutions without scales.
        moments: of their outputs before the bias, a tree of the same form; without
            those that are not to be normalised.
    """

    def convolution(layer: Mapping[str, Any], batch: Mapping[str, Any]):
        return {
            "kernel": layer["kernel"],
            "bias": layer["bias"] + batch["mean"],
            "scale": batch["deviation"],
        }

    return _walk(params, moments, convolution)


def _walk(params: Params, moments: Params, convolution: Any) -> dict[str, Any]:
    def walked(name: str, layer: Any) -> Any:
        if name not in moments:
            return layer
        if "kernel" in layer:
            return convolution(layer, moments[name])
        return _walk(layer, moments[name], convolution)

    return {name: walked(name, layer) for name, layer in params.items()}
