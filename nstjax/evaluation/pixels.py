"""Pixel metrics, without a network: detail, strokes, noise, colours.

The functions that make the metrics explain each of their values.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, laplace
from skimage.color import rgb2lab
from skimage.feature import canny
from skimage.metrics import structural_similarity

from nstjax.evaluation.metrics import (
    HIGHER,
    LOWER,
    NEITHER,
    Column,
    Metric,
    itself,
    nothing,
)
from nstjax.losses.artifacts import (
    CHECKERBOARD_BLOCK,
    checkerboard_loss,
    flat_noise_loss,
    flatness,
    local_energy,
)
from nstjax.ops.color import luminance
from nstjax.ops.laplacian import laplacian_response
from nstjax.types import Array

POOLS = (4, 16)
EDGE_TOLERANCE = 2
_CANNY = {
    "sigma": 2.0,
    "low_threshold": 0.85,
    "high_threshold": 0.95,
    "use_quantiles": True,
}
# With a content without any detail, relative errors become nearly infinite.
_LEAST_ENERGY = 1e-12


class Detail(NamedTuple):
    """The compared data: Laplacians, luminance [H, W], edges [H, W]."""

    laplacians: tuple[np.ndarray, ...]
    luminance: np.ndarray
    edges: np.ndarray


def make_detail_metric() -> Metric:
    """How much of the content's detail a result keeps, without a network.

        lap4, lap16: sum of squared differences of the 4-neighbour Laplacian of the
            channels' mean after 4x4 (16x16) average pooling, divided by the content's
            own sum of squares: a relative version of the Laplacian loss of Li et al.
        ssim: mean structural similarity of the luminance (ITU-R BT.601), Gaussian
            weights of deviation 1.5, population covariances, by scikit-image.
        edge_f1: F measure of edges: the harmonic mean of precision, the share of the
            result's edge pixels with an edge of the content within 2 pixels, and
            recall, the share of the content's with one of the result within 2
            pixels. Edges are those of Canny's detector in scikit-image, on the
            luminance, deviation 2, its thresholds the 0.85 and 0.95 quantiles of the
            picture's own gradients, so that contrast does not matter. Departure
            from Martin et al.: edge pixels are not matched one to one.

    References:
        Li et al., 2017, https://arxiv.org/abs/1707.01253.
        Wang et al., 2004, https://doi.org/10.1109/TIP.2003.819861 (SSIM).
        Canny, 1986, https://doi.org/10.1109/TPAMI.1986.4767851.
        Martin et al., 2004, https://doi.org/10.1109/TPAMI.2004.1273918 (F measure
        of boundaries).
    """
    return Metric(
        title="Detail of the content, without a network",
        identity="detail 1",
        columns=(
            *(Column(f"lap{pool}", LOWER) for pool in POOLS),
            Column("ssim", HIGHER),
            Column("edge_f1", HIGHER),
        ),
        of_content=describe_detail,
        of_style=nothing,
        measure=lambda result, content, style: compare_detail(
            describe_detail(result), content
        ),
    )


def describe_detail(picture: np.ndarray) -> Detail:
    """The data to compare, from a picture [H, W, 3]."""
    grey = _grey(picture)
    return Detail(
        laplacians=tuple(pooled_laplacian(picture, pool) for pool in POOLS),
        luminance=grey,
        edges=find_edges(grey),
    )


def compare_detail(result: Detail, content: Detail) -> dict[str, float]:
    """The values of a result, by column."""
    pairs = zip(POOLS, result.laplacians, content.laplacians, strict=True)
    values = {
        f"lap{pool}": float(
            np.square(mine - wanted).sum() / max(np.square(wanted).sum(), _LEAST_ENERGY)
        )
        for pool, mine, wanted in pairs
    }
    values["ssim"] = float(
        structural_similarity(
            result.luminance,
            content.luminance,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
    )
    values["edge_f1"] = edge_f1(result.edges, content.edges)
    return values


def find_edges(grey: np.ndarray) -> np.ndarray:
    """The edges, bool [H, W], of a luminance [H, W] in [0, 1].

    A picture that varies by less than an 8-bit step has none, since the quantiles of
    its gradients are those of rounding errors.
    """
    if np.ptp(grey) < 1 / 255:
        return np.zeros(grey.shape, bool)
    return canny(grey, **_CANNY)


def edge_f1(
    edges: np.ndarray, wanted: np.ndarray, *, tolerance: float = EDGE_TOLERANCE
) -> float:
    """F measure of two edge maps.

    Args:
        edges: bool [H, W].
        wanted: the same, from the content.
        tolerance: how many pixels (Euclidean) an edge may be off.

    Returns:
        0 to 1; 1 if neither has an edge, 0 if only one has.
    """
    if not (edges.any() and wanted.any()):
        return float(edges.any() == wanted.any())
    precision = (distance_transform_edt(~wanted)[edges] <= tolerance).mean()
    recall = (distance_transform_edt(~edges)[wanted] <= tolerance).mean()
    if precision + recall == 0:
        return 0.0
    return float(2 * precision * recall / (precision + recall))


_SCALES = (1.0, 2.0, 4.0)
# Orders of the derivative down and across.
_ORDERS = ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
_DIRECTIONS = {3: 32, len(_SCALES) * len(_ORDERS): 64}
_QUANTILES = 2048
# A tenth of an 8-bit step: derivatives that vary less in the style count as constant.
_LEAST_DEVIATION = 0.1 / 255


class StyleTarget(NamedTuple):
    """The compared data of a style: quantiles of projections, and units.

    Attributes:
        color: [32, quantiles].
        texture: [64, quantiles].
        deviations: those of the derivatives, [15].
    """

    color: np.ndarray
    texture: np.ndarray
    deviations: np.ndarray


def make_wasserstein_metric() -> Metric:
    """Similarity to the style's colours and strokes, without a network.

    Both values are sliced Wasserstein distances of order 1: the mean, over fixed unit
    directions, of the Wasserstein distance between the pixels' projections, which in
    one dimension is the mean distance between equal quantiles.

        color: of the pixels' colours in CIE L*a*b* (D65, by scikit-image), over 32
            directions; the unit is that of a colour difference.
        texture: of the luminance's derivatives at three scales, over 64 directions:
            first and second derivatives of Gaussians of 1, 2 and 4 pixels, times the
            scale and its square. Directions in the space of derivatives are oriented
            filters at every angle (Freeman & Adelson), several scales mixed. Each
            derivative is divided by its own deviation in the style, so that all scales
            count equally: 1 means a distance of about one deviation.

    The directions are drawn once, with a seed that never changes. Departure from
    Bonneel et al.: projections are compared at 2048 quantiles, not at every pixel.

    References:
        Rabin et al., 2011, https://doi.org/10.1007/978-3-642-24785-9_37; Bonneel et
        al., 2015, https://doi.org/10.1007/s10851-014-0506-3 (sliced Wasserstein).
        Heitz et al., 2021, https://arxiv.org/abs/2006.07229 (for textures).
        Freeman & Adelson, 1991, https://doi.org/10.1109/34.93808 (steerability).
    """
    return Metric(
        title="Colours and strokes of the style, without a network",
        identity="wasserstein 1",
        columns=(Column("color", LOWER), Column("texture", LOWER)),
        of_content=nothing,
        of_style=describe_style,
        measure=lambda result, content, style: compare_style(result, style),
    )


def describe_style(style: np.ndarray) -> StyleTarget:
    """The data that `compare_style` needs from a style [H, W, 3]."""
    responses = derivatives(style)
    deviations = np.maximum(responses.std(axis=0), _LEAST_DEVIATION)
    return StyleTarget(
        project(_colors(style)), project(responses / deviations), deviations
    )


def compare_style(result: np.ndarray, style: StyleTarget) -> dict[str, float]:
    """The values of a result [H, W, 3], by column."""
    texture = project(derivatives(result) / style.deviations)
    return {
        "color": float(np.abs(project(_colors(result)) - style.color).mean()),
        "texture": float(np.abs(texture - style.texture).mean()),
    }


def project(samples: np.ndarray) -> np.ndarray:
    """Quantiles of samples [N, D] along the fixed directions: [directions, 2048]."""
    projections = np.sort(directions(samples.shape[1]) @ samples.T, axis=1)
    count = projections.shape[1]
    # The i-th of N sorted samples is the quantile (i + 1/2) / N.
    positions = (np.arange(_QUANTILES) + 0.5) / _QUANTILES * count - 0.5
    positions = np.clip(positions, 0, count - 1)
    below = positions.astype(int)
    above = np.minimum(below + 1, count - 1)
    weight = (positions - below).astype(projections.dtype)
    return projections[:, below] * (1 - weight) + projections[:, above] * weight


@functools.cache
def directions(dimensions: int) -> np.ndarray:
    """The fixed unit vectors of a space, [directions, dimensions] float32."""
    shape = (_DIRECTIONS[dimensions], dimensions)
    vectors = np.random.default_rng(2017).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def derivatives(picture: np.ndarray) -> np.ndarray:
    """Scale-normalised derivatives of the luminance, [H * W, 15] float32."""
    grey = _grey(picture)
    responses = [
        scale ** sum(order) * gaussian_filter(grey, scale, order=order, mode="reflect")
        for scale in _SCALES
        for order in _ORDERS
    ]
    return np.stack([response.ravel() for response in responses], axis=1)


def _colors(picture: np.ndarray) -> np.ndarray:
    return rgb2lab(picture).reshape(-1, 3).astype(np.float32)


# A style of one plain colour has no energy to compare with.
_LEAST_STYLE_ENERGY = 1e-8


def make_noise_metric() -> Metric:
    """Noise where the content is flat, such as in a clear sky, and grids.

    The energy of high frequencies is the mean square of the difference from a 3x3 mean,
    over blocks of 4x4 pixels; a block is flat to the degree that the content has little
    of it (`nstjax.losses.artifacts.flatness`).

        flat_noise: the square root of the mean, over the flat blocks, of the energy
            beyond the style's own mean energy, in steps of an 8-bit channel. It is
            the root of the term that the bundled decoders are trained with,
            `nstjax.losses.artifacts.flat_noise_loss`: 0 where the result is no rougher
            than the style anywhere.
        flat_ratio: the mean energy over the flat blocks divided by the style's mean
            energy: 1 where flat blocks are as rough as the painting, 0 where they are
            smooth.
        grid: the share of all high-frequency energy that repeats every 8 pixels, as
            decoders' patterns do (`nstjax.losses.artifacts.checkerboard_loss`), in
            per cent; 0 for a picture that is too small to tell.

    No network is used; the definitions are this project's.
    """

    def measure(
        result: np.ndarray, content: np.ndarray, style: np.ndarray
    ) -> dict[str, float]:
        pictures = (picture[None] for picture in (result, content, style))
        noise, ratio, grid = map(float, _measure_noise(*pictures))
        return {"flat_noise": noise, "flat_ratio": ratio, "grid": grid}

    return Metric(
        title="Noise where the content is flat, and grids, without a network",
        identity="noise 2",
        columns=(
            Column("flat_noise", LOWER),
            Column("flat_ratio", NEITHER),
            Column("grid", LOWER),
        ),
        of_content=itself,
        of_style=itself,
        measure=measure,
    )


@jax.jit
def _measure_noise(result: Array, content: Array, style: Array) -> tuple[Array, ...]:
    noise = 255 * jnp.sqrt(flat_noise_loss(result, content, style))
    flat = flatness(content)
    energy = (flat * local_energy(result)).sum() / flat.sum()
    ratio = energy / jnp.maximum(local_energy(style).mean(), _LEAST_STYLE_ENERGY)
    large = min(result.shape[1:3]) >= CHECKERBOARD_BLOCK
    return noise, ratio, 100 * checkerboard_loss(result) if large else jnp.zeros(())


# A tenth of an 8-bit step: a luminance with less contrast has no edges.
_LEAST_EDGES = 0.1 / 255


def palette(result: np.ndarray, style: np.ndarray) -> float:
    """The distance between the colours of pictures [H, W, 3], on a scale of 255."""
    mine, wanted = (project(picture.reshape(-1, 3)) for picture in (result, style))
    return 255 * float(np.abs(mine - wanted).mean())


def chroma(picture: np.ndarray) -> float:
    """Mean chroma of a picture [H, W, 3], sqrt(a^2 + b^2) in CIE L*a*b*."""
    return float(np.hypot(*np.moveaxis(rgb2lab(picture)[..., 1:], -1, 0)).mean())


def fringe(result: np.ndarray) -> float:
    """The ratio of edges in opponent colours to those in luminance, of [H, W, 3]."""
    red, green, blue = np.moveaxis(result, -1, 0)
    colours = _edges(red - green) + _edges((red + green) / 2 - blue)
    grey = _edges(_grey(result))
    return float(np.sqrt(colours / 2) / max(np.sqrt(grey), _LEAST_EDGES))


def flat(result: np.ndarray, content: np.ndarray) -> float:
    """How noisy a result [H, W, 3] is where the content is flat."""
    weights = np.asarray(
        flatness(content[None])  # type: ignore[arg-type]  # NumPy's rounding is kept
    )[0, ..., 0]
    chosen = weights >= min(0.5, np.quantile(weights, 0.9))
    rows, columns = weights.shape
    # The blocks begin at the second pixel; see `nstjax.losses.artifacts.local_energy`.
    squares = np.square(_laplacian(_grey(result)))
    blocks = squares[1 : 1 + 4 * rows, 1 : 1 + 4 * columns]
    energy = blocks.reshape(rows, 4, columns, 4).mean(axis=(1, 3))
    return 255 * float(np.sqrt(energy[chosen].mean()))


def make_color_metric() -> Metric:
    """The style's colours, and unwanted colours, without a network.

        palette: sliced Wasserstein distance of order 1 between the pixels of result and
            style as points of RGB, in levels of 255: the mean, over 32 fixed
            directions, of the mean distance of equal quantiles.
        chroma: mean chroma in CIE L*a*b* (D65) beyond the style's mean; for a style of
            greys, that is how coloured the result is.
        fringe: root mean square of the 4-neighbour Laplacian of the opponent colours
            R - G and (R + G) / 2 - B, together, divided by that of the luminance:
            coloured edges compared with grey ones.
        flat: root mean square of the luminance's Laplacian, in levels of 255, over the
            blocks of 4x4 pixels that are flat in the content: those with a
            `nstjax.losses.artifacts.flatness` above a half, or the flattest tenth if
            these are more.

    The definitions of the last three are this project's.

    References:
        Rabin et al., 2011, https://doi.org/10.1007/978-3-642-24785-9_37.
    """

    def measure(
        result: np.ndarray, content: np.ndarray, style: np.ndarray
    ) -> dict[str, float]:
        return {
            "palette": palette(result, style),
            "chroma": max(0.0, chroma(result) - chroma(style)),
            "fringe": fringe(result),
            "flat": flat(result, content),
        }

    return Metric(
        title="Colours: those of the style, and unwanted ones",
        identity="colors 1",
        columns=tuple(
            Column(key, LOWER) for key in ("palette", "chroma", "fringe", "flat")
        ),
        of_content=itself,
        of_style=itself,
        measure=measure,
    )


def pooled_laplacian(picture: np.ndarray, pool: int) -> np.ndarray:
    """The Laplacian of a picture [H, W, C], [H // pool - 2, W // pool - 2]."""
    response = laplacian_response(
        picture[None],  # type: ignore[arg-type]  # NumPy's rounding is kept
        pool=pool,
        channels="sum",
    )
    return np.asarray(response)[0, ..., 0]


def _grey(picture: np.ndarray) -> np.ndarray:
    """The luminance of a picture [H, W, 3], [H, W]."""
    return np.asarray(luminance(jnp.asarray(picture)))[..., 0]


def _laplacian(plane: np.ndarray) -> np.ndarray:
    return laplace(plane.astype(np.float64), mode="nearest")


def _edges(plane: np.ndarray) -> float:
    return float(np.square(_laplacian(plane)).mean())
