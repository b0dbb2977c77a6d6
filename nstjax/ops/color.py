"""Keeping the content's colours in the result.

There are two ways, both from Gatys et al. 2016, "Preserving Color in Neural Artistic
Style Transfer" (https://arxiv.org/abs/1606.05897): the style picture takes on
the content's colours before the transfer (`match_color`), or the result takes
them on after it (`luminance_transfer`).

Pictures are [..., H, W, 3] RGB in [0, 1], and computations use the sRGB values without
linearising them.
"""

import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.types import AnyArray, Array

# The Y of YIQ and YUV (ITU-R BT.601).
_LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)
# One step of an 8-bit channel, squared: if colours vary by less than this along some
# direction, they count as constant there, so that noise is not amplified.
_LEAST_VARIANCE = (1 / 255) ** 2


def luminance(image: Array) -> Array:
    """The luminance Y of YIQ, shape [..., H, W, 1], in [0, 1]."""
    chex.assert_axis_dimension(image, -1, 3)
    weights = jnp.asarray(_LUMINANCE_WEIGHTS, image.dtype)
    return jnp.sum(image * weights, axis=-1, keepdims=True)


def opponent_colors(image: Array) -> tuple[Array, Array, Array]:
    """Grey, blue against yellow, and red against green.

    Args:
        image: of shape [..., 3].

    Returns:
        (R + G + B) / 3, (R + G) / 2 - B and R - G, each of shape [..., 1].
    """
    red, green, blue = jnp.split(image, 3, axis=-1)
    return (red + green + blue) / 3, (red + green) / 2 - blue, red - green


def luminance_transfer(image: Array, content: Array) -> Array:
    """Combines a stylised picture's luminance with the content's colours.

    Gatys et al. 2016, section 4: Y of YIQ from the first, I and Q from the second. They
    stylise only the luminance; here the picture may be stylised in colour, and only its
    luminance is used.

    Args:
        image: the stylised picture [..., H, W, 3].
        content: the content picture, of the same size.

    Returns:
        Array [..., H, W, 3], clipped to [0, 1]; where values are clipped, the luminance
        differs slightly from the stylised one.
    """
    chex.assert_equal_shape_suffix([image, content], 3)
    # YIQ to RGB adds Y equally to all three channels, so I and Q, which do not change,
    # need not be computed.
    return jnp.clip(content + (luminance(image) - luminance(content)), 0, 1)


def match_color(source: AnyArray, reference: AnyArray) -> Array:
    """Gives a picture the colour mean and covariance of another picture.

    Gatys et al. 2016, section 3, who call it colour histogram matching: each
    pixel x becomes A x + b with b = mean(reference) - A mean(source) and
    A = cov(reference)^(1/2) cov(source)^(-1/2), with symmetric square roots (Image
    Analogies; the paper's preference). This matches first and second moments, not
    the histograms themselves.

    Departures: covariances are floored at a variance of (1/255)^2 in every
    direction, so that grey pictures, whose covariance is singular, give finite results;
    and the result is clipped, so the moments are not exact if colours leave [0, 1].

    This prepares pictures and is not meant to be differentiated: where two eigenvalues
    coincide, the gradient of the decomposition is not finite.

    Args:
        source: the picture to change [..., H, W, 3], such as the style.
        reference: the picture to match [..., H', W', 3], such as the content.

    Returns:
        Array of the source's shape and dtype, in [0, 1].
    """
    chex.assert_axis_dimension(source, -1, 3)
    chex.assert_axis_dimension(reference, -1, 3)
    source_mean, source_covariance = _color_moments(source)
    reference_mean, reference_covariance = _color_moments(reference)
    _, source_inverse = _root_and_inverse(source_covariance)
    reference_root, _ = _root_and_inverse(reference_covariance)
    matrix = jnp.matmul(reference_root, source_inverse, precision="highest")
    centred = source.astype(matrix.dtype) - source_mean
    moved = jnp.einsum("...cd,...hwd->...hwc", matrix, centred, precision="highest")
    return jnp.clip(moved + reference_mean, 0, 1).astype(source.dtype)


def _color_moments(image: AnyArray) -> tuple[Array, Array]:
    """Mean [..., 1, 1, 3] and floored covariance [..., 3, 3], in float32 or more."""
    image = image.astype(jnp.promote_types(image.dtype, jnp.float32))
    mean = jnp.mean(image, axis=(-3, -2), keepdims=True)
    centred = image - mean
    count = image.shape[-3] * image.shape[-2]
    covariance = (
        jnp.einsum("...hwc,...hwd->...cd", centred, centred, precision="highest")
        / count
    )
    variances, directions = jnp.linalg.eigh(covariance)
    variances = jnp.maximum(variances, _LEAST_VARIANCE)
    return mean, _compose(variances, directions)


def _root_and_inverse(covariance: Array) -> tuple[Array, Array]:
    """The symmetric square root of a covariance, and its inverse."""
    variances, directions = jnp.linalg.eigh(covariance)
    deviations = jnp.sqrt(variances)
    return _compose(deviations, directions), _compose(1 / deviations, directions)


def _compose(values: Array, vectors: Array) -> Array:
    """The symmetric matrix with these eigenvalues and eigenvectors."""
    return jnp.einsum(
        "...ij,...j,...kj->...ik", vectors, values, vectors, precision="highest"
    )
