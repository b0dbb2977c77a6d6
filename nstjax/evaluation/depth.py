"""Whether what is near in the content is near in the result, to a depth network.

    depth_error: mean absolute difference of the two disparity maps, each divided
        by its mean: the depth loss of "Style Transfer: Laplacian, Depth loss and
        AdaIN", `nstjax.losses.depth.depth_loss` with the norm "l1".
    depth_rank: Spearman's correlation of the two maps' pixels, by SciPy, which asks
        only which of two points is nearer; 0 for a constant map.

References:
    Godard et al., 2019, https://arxiv.org/abs/1806.01260 (the network).
"""

import functools

import jax
import numpy as np
from scipy.stats import spearmanr

from nstjax.evaluation.metrics import HIGHER, LOWER, Column, Metric, judged, nothing
from nstjax.losses.depth import depth_loss
from nstjax.models.depth import DepthSpec, disparity
from nstjax.types import Array, Params
from nstjax.weights.pretrained import Depth


def make_depth_metric(depth: Depth, *, name: str) -> Metric:
    """depth_error and depth_rank by a depth network; tables call it by the name."""
    error, rank = (judged(metric, name) for metric in ("depth_error", "depth_rank"))

    def see(picture: np.ndarray) -> Array:
        return _disparity(depth.params, picture[None], spec=depth.spec)

    def measure(result, content, style):
        found = see(result)
        return {
            error: float(_error(found, content)),
            rank: float(_rank(found, content)),
        }

    return Metric(
        title=f"Depth, judged by {name}",
        identity=f"depth 1 {depth.sha256}",
        columns=(Column(error, LOWER), Column(rank, HIGHER)),
        of_content=see,
        of_style=nothing,
        measure=measure,
    )


@functools.partial(jax.jit, static_argnames="spec")
def _disparity(params: Params, image: Array, *, spec: DepthSpec) -> Array:
    return disparity(params, image, spec=spec)


_error = jax.jit(functools.partial(depth_loss, norm="l1"))


def _rank(found: Array, content: Array) -> float:
    first, second = (np.asarray(x).ravel() for x in (found, content))
    if not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(spearmanr(first, second).statistic)
