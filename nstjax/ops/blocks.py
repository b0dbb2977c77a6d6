"""Folds blocks of 2x2 positions into channels, and back. Arrays are NHWC."""

from nstjax.lazy import chex
from nstjax.types import Array


def space_to_depth(x: Array) -> Array:
    """Concatenates the channels of each 2x2 block's positions, row by row.

    Args:
        x: of shape [B, H, W, C], H and W even.

    Returns:
        Of shape [B, H / 2, W / 2, 4 C].

    References:
        Shi et al., 2016, https://arxiv.org/abs/1609.05158 (the inverse, pixel shuffle).
    """
    chex.assert_rank(x, 4)
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, height // 2, width // 2, 4 * channels)


def depth_to_space(x: Array) -> Array:
    """The inverse of `space_to_depth`, from [B, H, W, 4 C] to [B, 2 H, 2 W, C]."""
    chex.assert_rank(x, 4)
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height, width, 2, 2, channels // 4)
    blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, 2 * height, 2 * width, channels // 4)
