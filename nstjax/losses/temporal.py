"""The temporal loss of video: the distance of a frame from the warped last frame.

References:
    Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, equation 6.
"""

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.precision import check_floating
from nstjax.types import Array


def temporal_loss(image: Array, warped: Array, holds: Array) -> Array:
    """The mean squared difference from the warped last frame, where that is reliable.

    Args:
        image: pictures [B, H, W, 3], in [0, 1].
        warped: the last pictures, warped to the current positions, of the same shape.
        holds: how reliable `warped` is, [B, H, W, 1] in [0, 1].

    Returns:
        A scalar, averaged over the batch and all pixels, including those where `holds`
        is 0.

    Raises:
        NstjaxError: for pictures of integers.

    References:
        Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, equation 6.
    """
    check_floating(image=image, warped=warped)
    chex.assert_equal_shape([image, warped])
    return jnp.mean(holds * jnp.square(image - warped))
