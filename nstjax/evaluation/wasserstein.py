"""Likeness to the style's colours and strokes, by no network.

Both figures are sliced Wasserstein distances of order 1: the mean, over fixed
unit directions, of the Wasserstein distance of the pixels' projections, which
for one dimension is the mean distance of equal quantiles.

    color: of the pixels' colours in CIE L*a*b* (D65, by scikit-image), over 32
        directions; the unit is that of a colour difference.
    texture: of the luminance's derivatives at three scales, over 64 directions:
        first and second derivatives of Gaussians of 1, 2 and 4 pixels, times the
        scale and its square. Directions in the space of derivatives are oriented
        filters at every angle (Freeman & Adelson), several scales mixed. Each
        derivative is divided by its own deviation in the style, so that every
        scale counts alike: 1 means off by about one deviation.

The directions are drawn once, with a seed that never changes. Departure from
Bonneel et al.: projections are compared at 2048 quantiles, not at every pixel.

References:
    Rabin et al., 2011, https://doi.org/10.1007/978-3-642-24785-9_37; Bonneel et
    al., 2015, https://doi.org/10.1007/s10851-014-0506-3 (sliced Wasserstein).
    Heitz et al., 2021, https://arxiv.org/abs/2006.07229 (for textures).
    Freeman & Adelson, 1991, https://doi.org/10.1109/34.93808 (steerability).
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

from nstjax.evaluation.metrics import LOWER, Column, Metric, nothing
from nstjax.ops.color import luminance

_SCALES = (1.0, 2.0, 4.0)
# Orders of the derivative down and across.
_ORDERS = ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
_DIRECTIONS = {3: 32, len(_SCALES) * len(_ORDERS): 64}
_QUANTILES = 2048
# A tenth of an 8-bit step: derivatives that vary less in the style do not vary.
_LEAST_DEVIATION = 0.1 / 255


class StyleTarget(NamedTuple):
    """What is compared of a style: quantiles of projections, and units.

    Attributes:
        color: [32, quantiles].
        texture: [64, quantiles].
        deviations: of the derivatives, [15].
    """

    color: np.ndarray
    texture: np.ndarray
    deviations: np.ndarray


def make_wasserstein_metric() -> Metric:
    """color and texture."""
    return Metric(
        title="Colours and strokes of the style, without a network",
        identity="wasserstein 1",
        columns=(Column("color", LOWER), Column("texture", LOWER)),
        of_content=nothing,
        of_style=describe_style,
        measure=lambda result, content, style: compare(result, style),
    )


def describe_style(style: np.ndarray) -> StyleTarget:
    """What `compare` needs of a style [H, W, 3]."""
    responses = derivatives(style)
    deviations = np.maximum(responses.std(axis=0), _LEAST_DEVIATION)
    return StyleTarget(
        project(_colors(style)), project(responses / deviations), deviations
    )


def compare(result: np.ndarray, style: StyleTarget) -> dict[str, float]:
    """The figures of a result [H, W, 3], by column."""
    texture = project(derivatives(result) / style.deviations)
    return {
        "color": float(np.abs(project(_colors(result)) - style.color).mean()),
        "texture": float(np.abs(texture - style.texture).mean()),
    }


def project(samples: np.ndarray) -> np.ndarray:
    """Quantiles of samples [N, D] along the fixed directions: [directions, 2048]."""
    projections = np.sort(directions(samples.shape[1]) @ samples.T, axis=1)
    count = projections.shape[1]
    # The i-th of N sorted samples stands at the quantile (i + 1/2) / N.
    positions = (np.arange(_QUANTILES) + 0.5) / _QUANTILES * count - 0.5
    positions = np.clip(positions, 0, count - 1)
    below = positions.astype(int)
    above = np.minimum(below + 1, count - 1)
    share = (positions - below).astype(projections.dtype)
    return projections[:, below] * (1 - share) + projections[:, above] * share


@functools.cache
def directions(dimensions: int) -> np.ndarray:
    """The fixed unit vectors of a space, [directions, dimensions] float32."""
    shape = (_DIRECTIONS[dimensions], dimensions)
    vectors = np.random.default_rng(2017).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def derivatives(picture: np.ndarray) -> np.ndarray:
    """Scale-normalised derivatives of the luminance, [H * W, 15] float32."""
    grey = np.asarray(luminance(picture))[..., 0]
    responses = [
        scale ** sum(order) * gaussian_filter(grey, scale, order=order, mode="reflect")
        for scale in _SCALES
        for order in _ORDERS
    ]
    return np.stack([response.ravel() for response in responses], axis=1)


def _colors(picture: np.ndarray) -> np.ndarray:
    return rgb2lab(picture).reshape(-1, 3).astype(np.float32)
