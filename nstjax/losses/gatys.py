"""Content and style losses on features, as in Gatys et al.

Every loss takes a batch, is computed for each picture by itself and averaged
over the batch, so that no picture's loss depends on its neighbours.

References:
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576.
"""

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.types import Array

CONTENT_NORMALISATIONS = ("mean", "half_sum", "relative")
STYLE_NORMALISATIONS = ("mean", "gatys", "relative")

# Keeps a "relative" loss finite where the target is zero everywhere; far
# below the mean square of any feature or Gram matrix of a real picture.
_EPS = 1e-8


def content_loss(features: Array, target: Array, *, normalisation: str) -> Array:
    """Squared distance of two feature maps.

    Args:
        features: F of shape [B, H, W, C].
        target: P of the same shape.
        normalisation: "mean", the mean of (F - P)^2
            (leongatys/PytorchNeuralStyleTransfer, jcjohnson/neural-style);
            "half_sum", half its sum (the paper's equation 1; grows with the
            picture); "relative", its sum over that of P^2 (independent of the
            picture's size and of the encoder's scale).

    Returns:
        A scalar.

    Raises:
        ValueError: for an unknown normalisation.
    """
    chex.assert_rank(features, 4)
    chex.assert_equal_shape([features, target])
    squares = jnp.square(features - target)
    if normalisation == "mean":
        return squares.mean()
    if normalisation == "half_sum":
        return squares.sum(axis=(1, 2, 3)).mean() / 2
    if normalisation == "relative":
        return _relative(squares, target)
    raise ValueError(
        f"the content normalisation must be one of {CONTENT_NORMALISATIONS}, "
        f"not {normalisation!r}"
    )


def style_loss(gram: Array, target: Array, *, normalisation: str) -> Array:
    """Squared distance of two Gram matrices.

    Args:
        gram: G of shape [B, N, N], from `nstjax.ops.stats.gram_matrix`, for N
            channels.
        target: A of the same shape.
        normalisation: "mean", the mean of (G - A)^2 over the N^2 entries
            (leongatys/PytorchNeuralStyleTransfer with Grams over H * W,
            jcjohnson/neural-style with Grams over C * H * W); "gatys", the
            paper's equation 4, 1 / (4 N^2 M^2) times the sum of (G - A)^2,
            which expects Grams already divided by their M = H * W; "relative",
            the sum of (G - A)^2 over that of A^2.

    Returns:
        A scalar.

    Raises:
        ValueError: for an unknown normalisation.

    Note:
        The paper has one M because its style picture has the content's size.
        Dividing each Gram by its own M is the same there, and for other sizes
        keeps the style's strength independent of the style picture's size.
    """
    chex.assert_rank(gram, 3)
    chex.assert_equal_shape([gram, target])
    squares = jnp.square(gram - target)
    if normalisation == "mean":
        return squares.mean()
    if normalisation == "gatys":
        return squares.mean() / 4
    if normalisation == "relative":
        return _relative(squares, target)
    raise ValueError(
        f"the style normalisation must be one of {STYLE_NORMALISATIONS}, "
        f"not {normalisation!r}"
    )


def _relative(squares: Array, target: Array) -> Array:
    axes = tuple(range(1, target.ndim))
    energy = jnp.square(target).mean(axis=axes)
    return (squares.mean(axis=axes) / (energy + _EPS)).mean()
