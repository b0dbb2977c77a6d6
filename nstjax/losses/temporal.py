"""The temporal loss of video: the distance of a frame to the last one, warped to it.

References:
    Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, equation 6.
"""

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.precision import check_floating
from nstjax.types import Array


def temporal_loss(image: Array, warped: Array, holds: Array) -> Array:
    """The mean squared difference to the warped last frame, where that holds.

    Args:
        image: pictures [B, H, W, 3], in [0, 1].
        warped: the last ones, warped to where they are now, of the same shape.
        holds: how far `warped` can be trusted, [B, H, W, 1] in [0, 1].

    Returns:
        A scalar, averaged over the batch and all pixels, those with a `holds` of 0
        included.

    Raises:
        NstjaxError: for pictures of integers.

    References:
        Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, equation 6.
    """
    check_floating(image=image, warped=warped)
    chex.assert_equal_shape([image, warped])
    return jnp.mean(holds * jnp.square(image - warped))
