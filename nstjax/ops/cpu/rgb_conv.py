"""3x3 convolutions from or to pixels, with about three channels on one side.

XLA's CPU backend runs them at a few per cent of the speed of a matrix product, so here
they are written as one: either for pairs of neighbouring pixels with all their inputs,
or for pixels with all taps at once.
"""

import operator
from functools import reduce

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.types import Array

# Up to this many channels count as few.
RGB_CHANNELS = 4


def conv3x3_from_rgb(x: Array, kernel: Array) -> Array:
    """Convolves a few channels with a 3x3 kernel without padding.

    Two neighbours in a row depend on 3 x 4 pixels, which form a row of one matrix; the
    other matrix contains the kernel twice, once for each neighbour.

    Args:
        x: input of shape [B, H + 2, W + 2, C].
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, H, W, D].
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    batch, height, width, channels = x.shape
    height, width = height - 2, width - 2
    # The last pixel of an odd side gets an extra neighbour, which is dropped.
    pairs = -(-width // 2)
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 2 * pairs - width), (0, 0)))
    pairs_of_pixels = x.reshape(batch, height + 2, pairs + 1, 2 * channels)
    windows = jnp.concatenate(
        [
            pairs_of_pixels[:, row : row + height, column : column + pairs]
            for row in range(3)
            for column in range(2)
        ],
        axis=-1,
    )
    both = jnp.stack(
        [jnp.pad(kernel, ((0, 0), (i, 1 - i), (0, 0), (0, 0))) for i in range(2)],
        axis=-2,
    )
    both = both.reshape(windows.shape[-1], -1)
    y = jnp.matmul(windows, both, precision="highest")
    return y.reshape(batch, height, 2 * pairs, -1)[:, :, :width]


def conv3x3_to_rgb(x: Array, kernel: Array) -> Array:
    """Convolves to a few channels with a 3x3 kernel without padding.

    Every pixel is multiplied by all nine taps; then shifted products are summed.

    Args:
        x: input of shape [B, H + 2, W + 2, C].
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, H, W, D].
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    channels = x.shape[-1]
    height, width = (side - 2 for side in x.shape[1:3])
    taps = jnp.moveaxis(kernel, 2, 0).reshape(channels, -1)
    products = jnp.matmul(x, taps, precision="highest")
    products = products.reshape(*x.shape[:3], 3, 3, -1)
    parts = (
        products[:, row : row + height, column : column + width, row, column]
        for row in range(3)
        for column in range(3)
    )
    return reduce(operator.add, parts)
