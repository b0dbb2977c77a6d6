"""AdaIN's losses: on the target's features and on the style's statistics.

The normalisations, with the style weights of the publications:

    "mean": mean squared differences, also of means and deviations. Style weight 10
        (irasin/Pytorch_AdaIN; naoto0804/pytorch-AdaIN).
    "sum": the mean squared difference for the content; for the style, squares summed
        over channels and averaged over the batch. Style weight 1e-2 or 1e-1
        (xunhuang1995/AdaIN-style, ``train.lua``).
    "relative": every distance divided by the target's own magnitude, so that weights
        suit any encoder and every layer counts equally.
    "bounded": like "relative", but no picture counts for more than 1.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equations 11 to 13.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.losses.base import (
    Layers,
    Loss,
    Picture,
    at_most_one,
    check_choice,
    layer_pairs,
    names_of,
)
from nstjax.ops.color import opponent_colors
from nstjax.ops.stats import Statistics, channel_mean_std
from nstjax.precision import check_floating
from nstjax.types import Array

ADAIN_NORMALISATIONS = ("mean", "sum", "relative", "bounded")

# Keeps "relative" finite for a target that is zero.
_FLOOR = 1e-4


def adain_content_loss(features: Array, target: Array, *, normalisation: str) -> Array:
    """Distance of the result's features f(g(t)) to AdaIN's output t.

    "Style Transfer: Laplacian, Depth loss and AdaIN" prints f(g(t) - t) where f(g(t)) -
    t is meant; this computes the latter, as in equation 12 of Huang & Belongie. They
    print its norm; their code, like all others, uses the mean square.

    Args:
        features: of shape [B, H, W, C].
        target: of the same shape.
        normalisation: one of `ADAIN_NORMALISATIONS`; "relative" and "bounded" divide by
            the target's mean square.

    Returns:
        A float32 scalar.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown normalisation.

    References:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 12.
    """
    _check(normalisation)
    check_floating(features=features, target=target)
    chex.assert_equal_shape([features, target])
    features, target = (x.astype(jnp.float32) for x in (features, target))
    squares = jnp.square(features - target)
    if normalisation in ("mean", "sum"):
        return squares.mean()
    # Not by the variance, which is nearly zero for a style of one plain colour.
    energy = jnp.square(target).mean(axis=(1, 2, 3))
    relative = squares.mean(axis=(1, 2, 3)) / (energy + _FLOOR)
    return (at_most_one(relative) if normalisation == "bounded" else relative).mean()


def adain_style_loss(
    features: Mapping[str, Array],
    target: Mapping[str, Statistics],
    *,
    normalisation: str,
    eps: float,
    ddof: int = 0,
) -> Array:
    """Distance of channel means and deviations from the style's, over layers.

    "Style Transfer: Laplacian, Depth loss and AdaIN" prints mu(sigma_i) -
    mu(sigma_i) for the second term; it should be sigma(phi_i(.)) - sigma(phi_i(.)), as
    in equation 13 of Huang & Belongie. As in their code, squares replace the norms that
    they print.

    Args:
        features: the result's, [B, H, W, C], by layer.
        target: the style's statistics, [B, 1, 1, C], of the same layers.
        normalisation: one of `ADAIN_NORMALISATIONS`; "relative" and "bounded" divide by
            the squares of the style's statistics and average over layers; the others
            sum over layers.
        eps: added to the variances. irasin adds 1e-6 to the deviations instead, whose
            gradient is infinite where a channel is constant.
        ddof: 1 for torch's unbiased variance.

    Returns:
        A float32 scalar.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown normalisation, or different layers.

    References:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 13.
    """
    _check(normalisation)
    if set(features) != set(target):
        raise ValueError(
            f"the features' layers {sorted(features)} differ from the "
            f"target's, {sorted(target)}"
        )
    check_floating(**features)
    total = jnp.zeros((), jnp.float32)
    for layer in sorted(features):
        mean, std = channel_mean_std(
            features[layer].astype(jnp.float32), eps=eps, ddof=ddof
        )
        wanted = Statistics(*(x.astype(jnp.float32) for x in target[layer]))
        chex.assert_equal_shape([mean, wanted.mean])
        squares = jnp.square(mean - wanted.mean) + jnp.square(std - wanted.std)
        if normalisation == "mean":
            total += squares.mean()
        elif normalisation == "sum":
            total += squares.sum() / len(squares)
        else:
            energy = jnp.square(wanted.mean) + jnp.square(wanted.std)
            axes = (1, 2, 3)
            relative = squares.sum(axes) / (energy.sum(axes) + _FLOOR)
            if normalisation == "bounded":
                relative = at_most_one(relative)
            total += relative.mean() / len(features)
    return total


def color_statistics(image: Array) -> Statistics:
    """Mean and deviation of brightness and of two opponent colours.

    Args:
        image: of shape [B, H, W, 3].

    Returns:
        Statistics [B, 1, 1, 3] of (R + G + B) / 3, (R + G) / 2 - B and R - G.
    """
    opponent = opponent_colors(image.astype(jnp.float32))
    return channel_mean_std(jnp.concatenate(opponent, axis=3), eps=1e-5)


def color_loss(image: Array, target: Statistics) -> Array:
    """Distance of a picture's colours from the style's.

    In the shallowest features, edges outweigh differences in colour. This term, which
    is not in any publication, compares the colours themselves.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1].
        target: `nstjax.losses.adain.color_statistics` of the style, [B, 1, 1, 3].

    Returns:
        The sum of squared differences of means and deviations, a float32 scalar.

    Raises:
        NstjaxError: for a picture of integers.
    """
    check_floating(image=image)
    mine = color_statistics(image)
    squares = jnp.square(mine.mean - target.mean) + jnp.square(mine.std - target.std)
    return squares.sum(axis=(1, 2, 3)).mean()


@dataclasses.dataclass(frozen=True)
class Moments(Loss):
    """`adain_style_loss`, with a factor for each layer.

    Attributes:
        style_layers: layers with their factors; all normalisations sum over them.
        normalisation: one of `ADAIN_NORMALISATIONS`.
        eps, ddof: see `adain_style_loss`.
    """

    style_layers: Layers = tuple((f"relu{block}_1", 1.0) for block in range(1, 6))
    normalisation: str = "relative"
    eps: float = 1e-5
    ddof: int = 0

    def __post_init__(self) -> None:
        layers = layer_pairs("style_layers", self.style_layers)
        object.__setattr__(self, "style_layers", layers)
        check_choice("normalisation", self.normalisation, ADAIN_NORMALISATIONS)

    @property
    def layers_of_style(self) -> tuple[str, ...]:
        return names_of(self.style_layers)

    def target(self, content: Picture, style: Picture) -> dict[str, Statistics]:
        return {
            layer: channel_mean_std(
                style.features[layer].astype(jnp.float32), eps=self.eps, ddof=self.ddof
            )
            for layer, _ in self.style_layers
        }

    def loss(self, result: Picture, target: Any) -> Array:
        total = sum(
            weight
            * adain_style_loss(
                {layer: result.features[layer]},
                {layer: target[layer]},
                normalisation=self.normalisation,
                eps=self.eps,
                ddof=self.ddof,
            )
            for layer, weight in self.style_layers
        )
        return jnp.asarray(total)


@dataclasses.dataclass(frozen=True)
class Color(Loss):
    """`color_loss` with the style as the target."""

    def target(self, content: Picture, style: Picture) -> Statistics:
        return color_statistics(style.image)

    def loss(self, result: Picture, target: Any) -> Array:
        return color_loss(result.image, target)


def _check(normalisation: str) -> None:
    if normalisation not in ADAIN_NORMALISATIONS:
        raise ValueError(
            f"the normalisation must be one of {ADAIN_NORMALISATIONS}, "
            f"not {normalisation!r}"
        )
