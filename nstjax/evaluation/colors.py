"""The style's colours, and colours that nobody asked for, by no network.

    palette: sliced Wasserstein distance of order 1 between the pixels of result and
        style as points of RGB, in levels of 255: the mean, over 32 fixed
        directions, of the mean distance of equal quantiles.
    chroma: mean chroma in CIE L*a*b* (D65) beyond the style's mean; for a style of
        greys, that is how coloured the result is.
    fringe: root mean square of the 4-neighbour Laplacian of the opponent colours
        R - G and (R + G) / 2 - B, together, over that of the luminance: coloured
        edges beside grey ones.
    flat: root mean square of the luminance's Laplacian, in levels of 255, over the
        cells of 4x4 pixels that are flat in the content: those with a
        `nstjax.losses.artifacts.flatness` above a half, or the flattest tenth if
        these are more.

The definitions of the last three are this project's.

References:
    Rabin et al., 2011, https://doi.org/10.1007/978-3-642-24785-9_37.
"""

import numpy as np
from scipy.ndimage import laplace
from skimage.color import rgb2lab

from nstjax.evaluation.metrics import LOWER, Column, Metric
from nstjax.evaluation.wasserstein import project
from nstjax.losses.artifacts import flatness
from nstjax.ops.color import luminance

# A tenth of an 8-bit step: a luminance of less contrast has no edges.
_LEAST_EDGES = 0.1 / 255


def palette(result: np.ndarray, style: np.ndarray) -> float:
    """How far the colours of pictures [H, W, 3] are apart, in levels of 255."""
    mine, wanted = (project(picture.reshape(-1, 3)) for picture in (result, style))
    return 255 * float(np.abs(mine - wanted).mean())


def chroma(picture: np.ndarray) -> float:
    """Mean chroma of a picture [H, W, 3], sqrt(a^2 + b^2) in CIE L*a*b*."""
    return float(np.hypot(*np.moveaxis(rgb2lab(picture)[..., 1:], -1, 0)).mean())


def fringe(result: np.ndarray) -> float:
    """Edges of the opponent colours over those of the luminance, of [H, W, 3]."""
    red, green, blue = np.moveaxis(result, -1, 0)
    colours = _edges(red - green) + _edges((red + green) / 2 - blue)
    grey = _edges(np.asarray(luminance(result))[..., 0])
    return float(np.sqrt(colours / 2) / max(np.sqrt(grey), _LEAST_EDGES))


def flat(result: np.ndarray, content: np.ndarray) -> float:
    """How restless a result [H, W, 3] is where the content is flat."""
    weights = np.asarray(flatness(content[None]))[0, ..., 0]
    chosen = weights >= min(0.5, np.quantile(weights, 0.9))
    rows, columns = weights.shape
    # The cells begin at the second pixel; see `nstjax.losses.artifacts.local_energy`.
    squares = np.square(_laplacian(np.asarray(luminance(result))[..., 0]))
    cells = squares[1 : 1 + 4 * rows, 1 : 1 + 4 * columns]
    energy = cells.reshape(rows, 4, columns, 4).mean(axis=(1, 3))
    return 255 * float(np.sqrt(energy[chosen].mean()))


def make_color_metric() -> Metric:
    """palette, chroma, fringe and flat."""

    def measure(result, content, style):
        return {
            "palette": palette(result, style),
            "chroma": max(0.0, chroma(result) - chroma(style)),
            "fringe": fringe(result),
            "flat": flat(result, content),
        }

    return Metric(
        title="Colours: the style's, and those that nobody asked for",
        identity="colors 1",
        columns=tuple(
            Column(key, LOWER) for key in ("palette", "chroma", "fringe", "flat")
        ),
        of_content=lambda content: content,
        of_style=lambda style: style,
        measure=measure,
    )


def _laplacian(plane: np.ndarray) -> np.ndarray:
    return laplace(plane.astype(np.float64), mode="nearest")


def _edges(plane: np.ndarray) -> float:
    return float(np.square(_laplacian(plane)).mean())
