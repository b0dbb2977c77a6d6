"""How much of the content's detail a result keeps, by no network.

    lap4, lap16: sum of squared differences of the 4-neighbour Laplacian of the
        channels' mean after 4x4 (16x16) average pooling, over the sum of squares
        of the content's own: the Laplacian loss of Li et al., relative.
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

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.feature import canny
from skimage.metrics import structural_similarity

from nstjax.evaluation.metrics import HIGHER, LOWER, Column, Metric, nothing
from nstjax.ops.color import luminance
from nstjax.ops.laplacian import laplacian_response

POOLS = (4, 16)
# The least side at which the coarsest Laplacian exists.
LEAST_SIDE = 3 * max(POOLS)
EDGE_TOLERANCE = 2
_CANNY = {
    "sigma": 2.0,
    "low_threshold": 0.85,
    "high_threshold": 0.95,
    "use_quantiles": True,
}
# A content without any detail makes every detail infinitely wrong, nearly.
_LEAST_ENERGY = 1e-12


class Detail(NamedTuple):
    """What is compared: Laplacians, luminance [H, W], edges [H, W]."""

    laplacians: tuple[np.ndarray, ...]
    luminance: np.ndarray
    edges: np.ndarray


def make_detail_metric() -> Metric:
    """lap4, lap16, ssim and edge_f1."""
    return Metric(
        title="Detail of the content, without a network",
        identity="detail 1",
        columns=(
            *(Column(f"lap{pool}", LOWER) for pool in POOLS),
            Column("ssim", HIGHER),
            Column("edge_f1", HIGHER),
        ),
        of_content=describe,
        of_style=nothing,
        measure=lambda result, content, style: compare(describe(result), content),
    )


def describe(picture: np.ndarray) -> Detail:
    """The details of a picture [H, W, 3]."""
    grey = np.asarray(luminance(picture))[..., 0]
    return Detail(
        laplacians=tuple(
            np.asarray(laplacian_response(picture[None], pool=pool, channels="sum"))
            for pool in POOLS
        ),
        luminance=grey,
        edges=find_edges(grey),
    )


def compare(result: Detail, content: Detail) -> dict[str, float]:
    """The figures of a result, by column."""
    pairs = zip(POOLS, result.laplacians, content.laplacians, strict=True)
    figures = {
        f"lap{pool}": float(
            np.square(mine - wanted).sum() / max(np.square(wanted).sum(), _LEAST_ENERGY)
        )
        for pool, mine, wanted in pairs
    }
    figures["ssim"] = float(
        structural_similarity(
            result.luminance,
            content.luminance,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
    )
    figures["edge_f1"] = edge_f1(result.edges, content.edges)
    return figures


def find_edges(grey: np.ndarray) -> np.ndarray:
    """The edges, bool [H, W], of a luminance [H, W] in [0, 1].

    A picture that varies by less than a step of 8 bits has none: the quantiles of
    its gradients are those of rounding.
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
        wanted: the same, of the content.
        tolerance: pixels, Euclidean, that an edge may be off.

    Returns:
        0 to 1; 1 where neither has an edge, 0 where only one has.
    """
    if not (edges.any() and wanted.any()):
        return float(edges.any() == wanted.any())
    precision = (distance_transform_edt(~wanted)[edges] <= tolerance).mean()
    recall = (distance_transform_edt(~edges)[wanted] <= tolerance).mean()
    if precision + recall == 0:
        return 0.0
    return float(2 * precision * recall / (precision + recall))
