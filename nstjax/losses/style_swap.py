"""The Style-Swap loss: the picture takes on the swapped features.

References:
    Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337;
    rtqichen/style-swap, ``lib/ContentLossModule.lua``.
"""

from functools import partial

import jax
import jax.numpy as jnp

from nstjax.losses.gatys import content_loss
from nstjax.types import Array

SWAP_GRADIENTS = ("plain", "unit_l1")

# Added to the gradient's norm, as in the reference.
_EPS = 1e-8


def swap_loss(
    features: Array, target: Array, *, normalisation: str, gradient: str
) -> Array:
    """Squared distance of a picture's features to the swapped ones.

    Args:
        features: of shape [B, H, W, C].
        target: of the same shape, from `nstjax.transforms.style_swap`.
        normalisation: see `nstjax.losses.gatys.content_loss`.
        gradient: "plain" for the loss's own; "unit_l1" for the same direction
            with absolute values that sum to 1 for each picture (times the
            loss's weight), which is what the reference sends back through
            VGG. It is then no gradient of any loss: the step's balance to the
            other terms does not change as the picture gets nearer.

    Returns:
        A scalar, averaged over the batch.

    Raises:
        ValueError: for an unknown normalisation or gradient.
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
    # An average over the batch, as the value is.
    scale = cotangent / len(gradient)
    # Nothing goes to the target, which is a constant of the optimisation.
    return scale * gradient / (norm + _EPS), jnp.zeros_like(gradient)


_with_unit_gradient.defvjp(_forward, _backward)
