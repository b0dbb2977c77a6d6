"""The Style-Swap loss, which matches the swapped features.

References:
    Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337;
    rtqichen/style-swap, ``lib/ContentLossModule.lua``.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.losses.base import Loss, Picture, check_choice
from nstjax.losses.gatys import CONTENT_NORMALISATIONS, content_loss
from nstjax.transforms.style_swap import style_swap
from nstjax.types import Array

SWAP_GRADIENTS = ("plain", "unit_l1")

# Added to the gradient's norm, as in the reference.
_EPS = 1e-8


def swap_loss(
    features: Array, target: Array, *, normalisation: str, gradient: str
) -> Array:
    """Squared distance of a picture's features from the swapped ones.

    Args:
        features: of shape [B, H, W, C].
        target: of the same shape, from `nstjax.transforms.style_swap`.
        normalisation: see `nstjax.losses.gatys.content_loss`.
        gradient: "plain" for the loss's own gradient; "unit_l1" for the same direction
            with absolute values that sum to 1 for each picture (times the loss's
            weight, divided by the batch size), which is what the reference propagates
            back through VGG. This is not the gradient of any loss: its balance with the
            other terms does not change as the picture approaches the target.

    Returns:
        A scalar, averaged over the batch.

    Raises:
        NstjaxError: for arrays of integers.
        ValueError: for an unknown normalisation or gradient.

    References:
        Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337, section 3;
        rtqichen/style-swap, ``lib/ContentLossModule.lua``.
    """
    if gradient not in SWAP_GRADIENTS:
        raise ValueError(
            f"the swap gradient must be one of {SWAP_GRADIENTS}, not {gradient!r}"
        )
    if gradient == "unit_l1":
        return _with_unit_gradient(features, target, normalisation)
    return content_loss(features, target, normalisation=normalisation)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _with_unit_gradient(features: Array, target: Array, normalisation: str) -> Array:
    return content_loss(features, target, normalisation=normalisation)


def _forward(features, target, normalisation):
    loss = partial(content_loss, normalisation=normalisation)
    value, gradient = jax.value_and_grad(loss)(features, target)
    return value, gradient


def _backward(normalisation, gradient, cotangent):
    del normalisation
    norm = jnp.abs(gradient).sum(axis=(1, 2, 3), keepdims=True)
    # An average over the batch, like the value.
    scale = cotangent / len(gradient)
    # No gradient for the target, which is constant during the optimisation.
    return scale * gradient / (norm + _EPS), jnp.zeros_like(gradient)


_with_unit_gradient.defvjp(_forward, _backward)


@dataclasses.dataclass(frozen=True)
class Swap(Loss):
    """`swap_loss`, with the content's features rebuilt from style patches as target.

    With several styles, patches are chosen from all of them. With a blend, the target
    is the weighted sum of the targets of the individual styles.

    Attributes:
        swap_layer: the layer whose features are swapped for the style's.
        patch_size, stride, alpha: see `nstjax.transforms.style_swap`.
        swap_normalisation: see `nstjax.losses.gatys.content_loss`.
        swap_gradient: see `swap_loss`.
    """

    swap_layer: str = "relu3_1"
    patch_size: int = 3
    stride: int = 1
    alpha: float = 1.0
    swap_normalisation: str = "mean"
    swap_gradient: str = "plain"

    def __post_init__(self) -> None:
        check_choice(
            "swap_normalisation", self.swap_normalisation, CONTENT_NORMALISATIONS
        )
        check_choice("swap_gradient", self.swap_gradient, SWAP_GRADIENTS)
        if not 0 <= self.alpha <= 1:
            raise NstjaxError(f"alpha must be from 0 to 1, not {self.alpha!r}")

    @property
    def layers_of_content(self) -> tuple[str, ...]:
        return (self.swap_layer,)

    @property
    def layers_of_style(self) -> tuple[str, ...]:
        return (self.swap_layer,)

    def target(self, content: Picture, style: Picture) -> Array:
        return self._swapped(content, [style])

    def targets(
        self,
        content: Picture,
        styles: Sequence[Picture],
        blend: Sequence[float] | None,
    ) -> list[tuple[float, Any]]:
        if blend is None:
            return [(1.0, self._swapped(content, styles))]
        blended = sum(
            weight * self._swapped(content, [style])
            for weight, style in zip(blend, styles, strict=True)
            if weight
        )
        return [(1.0, blended)]

    def loss(self, result: Picture, target: Any) -> Array:
        return swap_loss(
            result.features[self.swap_layer],
            target,
            normalisation=self.swap_normalisation,
            gradient=self.swap_gradient,
        )

    def _swapped(self, content: Picture, styles: Sequence[Picture]) -> Array:
        return style_swap(
            content.features[self.swap_layer],
            [style.features[self.swap_layer] for style in styles],
            patch_size=self.patch_size,
            stride=self.stride,
            alpha=self.alpha,
        )
