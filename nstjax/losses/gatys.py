"""Content and style losses on features, as in Gatys et al.

Every loss takes a batch, is computed separately for each picture and averaged over the
batch, so no picture's loss depends on the others.

References:
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.losses.base import (
    Layers,
    Loss,
    Picture,
    at_most_one,
    blend_weights,
    check_choice,
    layer_pairs,
    names_of,
)
from nstjax.ops.stats import GRAM_NORMALISATIONS, channel_mean_std, gram_matrix
from nstjax.precision import check_floating
from nstjax.types import Array

CONTENT_NORMALISATIONS = ("mean", "half_sum", "relative")
STYLE_NORMALISATIONS = ("mean", "gatys", "relative", "bounded")

# Keeps a "relative" loss finite where the target is zero everywhere; far
# below the mean square of any feature or Gram matrix of a real picture.
_EPS = 1e-8
# The smallest deviation that `NormalisedContent` divides a channel by, as a fraction of
# the mean deviation: otherwise nearly inactive channels would count like all others.
_LEAST_DEVIATION = 0.1


def content_loss(features: Array, target: Array, *, normalisation: str) -> Array:
    """Squared distance between two feature maps.

    Args:
        features: F of shape [B, H, W, C].
        target: P of the same shape.
        normalisation: "mean", the mean of (F - P)^2
            (leongatys/PytorchNeuralStyleTransfer, jcjohnson/neural-style);
            "half_sum", half its sum (the paper's equation 1; grows with the
            picture); "relative", its sum divided by that of P^2 (independent of the
            picture's size and of the encoder's scale).

    Returns:
        A scalar, averaged over the batch.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown normalisation.

    References:
        Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equation 1.
    """
    check_floating(features=features, target=target)
    chex.assert_rank(features, 4)
    chex.assert_equal_shape([features, target])
    squares = jnp.square(features - target)
    if normalisation == "mean":
        return squares.mean()
    if normalisation == "half_sum":
        return squares.sum(axis=(1, 2, 3)).mean() / 2
    if normalisation == "relative":
        return _relative(squares, target).mean()
    raise ValueError(
        f"the content normalisation must be one of {CONTENT_NORMALISATIONS}, "
        f"not {normalisation!r}"
    )


def style_loss(gram: Array, target: Array, *, normalisation: str) -> Array:
    """Squared distance between two Gram matrices.

    Args:
        gram: G of shape [B, N, N], from `nstjax.ops.stats.gram_matrix`, for N
            channels.
        target: A of the same shape.
        normalisation: "mean", the mean of (G - A)^2 over the N^2 entries
            (leongatys/PytorchNeuralStyleTransfer with Grams over H * W,
            jcjohnson/neural-style with Grams over C * H * W); "gatys", the
            paper's equation 4, 1 / (4 N^2 M^2) times the sum of (G - A)^2,
            which expects Grams already divided by their M = H * W; "relative",
            the sum of (G - A)^2 divided by that of A^2; "bounded", the same, but at
            most 1 for each picture.

    Returns:
        A scalar, averaged over the batch.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown normalisation.

    Note:
        The paper has a single M because its style picture has the content's size.
        Dividing each Gram matrix by its own M is the same in that case; otherwise, it
        makes the style's strength independent of the style picture's size.

    References:
        Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equation 4.
    """
    check_floating(gram=gram, target=target)
    chex.assert_rank(gram, 3)
    chex.assert_equal_shape([gram, target])
    squares = jnp.square(gram - target)
    if normalisation == "mean":
        return squares.mean()
    if normalisation == "gatys":
        return squares.mean() / 4
    if normalisation == "relative":
        return _relative(squares, target).mean()
    if normalisation == "bounded":
        return at_most_one(_relative(squares, target)).mean()
    raise ValueError(
        f"the style normalisation must be one of {STYLE_NORMALISATIONS}, "
        f"not {normalisation!r}"
    )


def _relative(squares: Array, target: Array) -> Array:
    axes = tuple(range(1, target.ndim))
    energy = jnp.square(target).mean(axis=axes)
    return squares.mean(axis=axes) / (energy + _EPS)


@dataclasses.dataclass(frozen=True)
class Content(Loss):
    """`content_loss` between the result's and the content's features, over layers.

    Attributes:
        content_layers: layers with their factors.
        content_normalisation: see `content_loss`.
    """

    uses_style: ClassVar[bool] = False

    content_layers: Layers = (("relu4_2", 1.0),)
    content_normalisation: str = "mean"

    def __post_init__(self) -> None:
        layers = layer_pairs("content_layers", self.content_layers)
        object.__setattr__(self, "content_layers", layers)
        check_choice(
            "content_normalisation", self.content_normalisation, CONTENT_NORMALISATIONS
        )

    @property
    def layers_of_content(self) -> tuple[str, ...]:
        return names_of(self.content_layers)

    def target(self, content: Picture, style: Picture) -> dict[str, Array]:
        return {layer: content.features[layer] for layer, _ in self.content_layers}

    def loss(self, result: Picture, target: Any) -> Array:
        total = sum(
            weight
            * content_loss(
                result.features[layer],
                target[layer],
                normalisation=self.content_normalisation,
            )
            for layer, weight in self.content_layers
        )
        return jnp.asarray(total)


@dataclasses.dataclass(frozen=True)
class NormalisedContent(Loss):
    """Mean squared distance of instance-normalised features, averaged over layers.

    Unlike the plain features, it does not bind the result to the content's palette. It
    is not in any publication.

    Attributes:
        content_layers: layers with their factors.
    """

    uses_style: ClassVar[bool] = False

    content_layers: Layers = (("relu4_1", 1.0),)

    def __post_init__(self) -> None:
        layers = layer_pairs("content_layers", self.content_layers)
        object.__setattr__(self, "content_layers", layers)

    @property
    def layers_of_content(self) -> tuple[str, ...]:
        return names_of(self.content_layers)

    def target(self, content: Picture, style: Picture) -> dict[str, Array]:
        return {
            layer: _instance_normalised(content.features[layer])
            for layer, _ in self.content_layers
        }

    def loss(self, result: Picture, target: Any) -> Array:
        distances = [
            jnp.square(
                _instance_normalised(result.features[layer]) - target[layer]
            ).mean()
            for layer, _ in self.content_layers
        ]
        weights = jnp.array([weight for _, weight in self.content_layers])
        return jnp.average(jnp.stack(distances), weights=weights)


@dataclasses.dataclass(frozen=True)
class Gram(Loss):
    """`style_loss` over layers; several styles' Gram matrices are averaged.

    Attributes:
        style_layers: layers with their factors.
        gram_normalisation: see `nstjax.ops.stats.gram_matrix`.
        style_normalisation: see `style_loss`.
    """

    style_layers: Layers = tuple((f"relu{block}_1", 1.0) for block in range(1, 6))
    gram_normalisation: str = "hw"
    style_normalisation: str = "mean"

    def __post_init__(self) -> None:
        layers = layer_pairs("style_layers", self.style_layers)
        object.__setattr__(self, "style_layers", layers)
        check_choice("gram_normalisation", self.gram_normalisation, GRAM_NORMALISATIONS)
        check_choice(
            "style_normalisation", self.style_normalisation, STYLE_NORMALISATIONS
        )
        if self.style_normalisation == "gatys" and self.gram_normalisation != "hw":
            raise NstjaxError(
                "style_normalisation 'gatys' is defined for gram_normalisation 'hw', "
                f"not {self.gram_normalisation!r}; set that too"
            )

    @property
    def layers_of_style(self) -> tuple[str, ...]:
        return names_of(self.style_layers)

    def target(self, content: Picture, style: Picture) -> dict[str, Array]:
        return {
            layer: gram_matrix(
                style.features[layer], normalisation=self.gram_normalisation
            )
            for layer, _ in self.style_layers
        }

    def targets(
        self,
        content: Picture,
        styles: Sequence[Picture],
        blend: Sequence[float] | None,
    ) -> list[tuple[float, Any]]:
        weights = blend_weights(blend, styles)
        grams = [self.target(content, style) for style in styles]
        mean = {
            layer: sum(
                weight * gram[layer]
                for weight, gram in zip(weights, grams, strict=True)
            )
            for layer, _ in self.style_layers
        }
        return [(1.0, mean)]

    def loss(self, result: Picture, target: Any) -> Array:
        total = sum(
            weight
            * style_loss(
                gram_matrix(
                    result.features[layer], normalisation=self.gram_normalisation
                ),
                target[layer],
                normalisation=self.style_normalisation,
            )
            for layer, weight in self.style_layers
        )
        return jnp.asarray(total)


def _instance_normalised(features: Array) -> Array:
    mean, std = channel_mean_std(features, eps=1e-5)
    floor = _LEAST_DEVIATION * jax.lax.stop_gradient(std).mean(axis=3, keepdims=True)
    return (features - mean) / jnp.sqrt(jnp.square(std) + jnp.square(floor))
