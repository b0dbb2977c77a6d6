"""Comparisons of a picture's colours with a style's, regardless of position.

Features of the shallowest layers encode colour, but edges dominate their statistics.
These terms compare the colours themselves. Neither is in any publication on style
transfer.

References:
    Rabin et al., 2011 (sliced Wasserstein distances of point clouds).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.losses.base import Loss, Picture
from nstjax.ops.color import opponent_colors
from nstjax.ops.laplacian import laplacian_response
from nstjax.precision import check_floating
from nstjax.types import Array


def palette_loss(
    image: Array,
    style: Array,
    *,
    key: Array,
    directions: int = 8,
    samples: int | None = 4096,
) -> Array:
    """Sliced squared Wasserstein-2 distance between two pictures' colours.

    Colours are projected onto random directions in RGB, where the distance between two
    distributions is that between their sorted values.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1].
        style: of any size, [B, H', W', 3].
        key: a random key, for the directions and the sampled pixels.
        directions: the number of directions.
        samples: the number of pixels drawn from each picture, with replacement; None
            for all pixels of the result and as many quantiles of the style's.

    Returns:
        The mean over directions and pictures, a float32 scalar.

    Raises:
        NstjaxError: for pictures of integers.

    References:
        Rabin et al., 2011, https://doi.org/10.1007/978-3-642-24785-9_37.
    """
    check_floating(image=image, style=style)
    chex.assert_rank([image, style], 4)
    along, of_image, of_style = jax.random.split(key, 3)
    axes = jax.random.normal(along, (3, directions))
    axes = axes / jnp.linalg.norm(axes, axis=0)

    def projected(picture: Array, key: Array) -> Array:
        pixels = picture.astype(jnp.float32).reshape(len(picture), -1, 3)
        if samples is not None:
            pixels = pixels[:, jax.random.randint(key, (samples,), 0, pixels.shape[1])]
        return jnp.sort(jnp.einsum("cd,bnc->bdn", axes, pixels))

    of_result, wanted = projected(image, of_image), projected(style, of_style)
    difference = of_result - _quantiles(wanted, of_result.shape[-1])
    return jnp.square(difference).mean()


def _quantiles(values: Array, count: int) -> Array:
    """`count` quantiles of sorted values [..., N]; all of them if N is `count`."""
    number = values.shape[-1]
    if number == count:
        return values
    places = jnp.clip((jnp.arange(count) + 0.5) * number / count - 0.5, 0, number - 1)
    below = jnp.floor(places).astype(int)
    share = places - below
    above = jnp.minimum(below + 1, number - 1)
    return (1 - share) * values[..., below] + share * values[..., above]


def fringe_loss(image: Array, style: Array) -> Array:
    """The ratio of detail in colour to detail in brightness, beyond the style's own.

    Decoders tend to put coloured fringes along edges. This divides the mean squares of
    the Laplacian of the opponent colours R - G and (R + G) / 2 - B by that of the grey
    picture.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1].
        style: of any size, [B, H', W', 3].

    Returns:
        The mean excess over the style's ratio, a float32 scalar. The gradient treats
        the detail in brightness as constant, so that adding some does not lower the
        loss.

    Raises:
        NstjaxError: if a picture has a side below 3 pixels, or is of integers.
    """
    check_floating(image=image, style=style)
    excess = fringe_ratio(image) - lax.stop_gradient(fringe_ratio(style))
    return jnp.maximum(excess, 0).mean()


# Detail in brightness below an 8-bit step does not count.
_LEAST_DETAIL = (1 / 255) ** 2


def fringe_ratio(image: Array) -> Array:
    """The ratio that `fringe_loss` compares, of pictures [B, H, W, 3]: [B]."""
    grey, *colours = opponent_colors(image.astype(jnp.float32))
    brightness = lax.stop_gradient(_laplacian_energy(grey))
    return _laplacian_energy(jnp.concatenate(colours, axis=3)) / (
        brightness + _LEAST_DETAIL
    )


def _laplacian_energy(image: Array) -> Array:
    response = laplacian_response(image, pool=1, channels="each")
    return jnp.square(response).mean(axis=(1, 2, 3))


@dataclasses.dataclass(frozen=True)
class Palette(Loss):
    """`palette_loss`, with new samples for each key; of all pixels without a key."""

    def target(self, content: Picture, style: Picture) -> tuple[Array, Array | None]:
        return style.image, style.key

    def loss(self, result: Picture, target: Any) -> Array:
        style, key = target
        if key is None:
            # If they were drawn only once, no other pixels would change.
            return palette_loss(
                result.image, style, key=jax.random.key(0), samples=None
            )
        return palette_loss(result.image, style, key=key)


@dataclasses.dataclass(frozen=True)
class Fringe(Loss):
    """`fringe_loss`."""

    def target(self, content: Picture, style: Picture) -> Array:
        return style.image

    def loss(self, result: Picture, target: Any) -> Array:
        return fringe_loss(result.image, target)
