"""Metrics that use a network: VGG-19's features, LPIPS, depth.

The functions that make the metrics explain each of their values.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

from nstjax.evaluation.metrics import HIGHER, LOWER, Column, Metric, judged, nothing
from nstjax.losses.adain import adain_style_loss
from nstjax.losses.depth import depth_loss
from nstjax.losses.gatys import content_loss, style_loss
from nstjax.models import vgg
from nstjax.models.depth import disparity
from nstjax.models.lpips import TRUNKS, lpips_from_features, trunk_features
from nstjax.ops.stats import Statistics, channel_mean_std, gram_matrix
from nstjax.types import Array, Features, Params
from nstjax.weights.pretrained import Depth, Encoder, Lpips

_STYLE_LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))
_VGG_CONTENT_LAYER = "relu4_1"
# The definition has no epsilon, and nothing is differentiated here.
_EPS = 1e-12


class StyleTarget(NamedTuple):
    """The compared statistics of a style, by layer."""

    statistics: Mapping[str, Statistics]
    grams: Mapping[str, Array]


def judge_layers(spec: vgg.VGGSpec) -> tuple[str, tuple[str, ...]]:
    """The layer at which an encoder judges content, and its layers for style."""
    style = tuple(layer for layer in _STYLE_LAYERS if layer in spec.layers)
    deepest = [layer for layer in style if layer <= _VGG_CONTENT_LAYER]
    return deepest[-1], style


def make_feature_metric(encoder: Encoder, *, name: str) -> Metric:
    """Similarity to content and style by the features of a VGG-19.

    The values are relative, so they are comparable for all encoders and picture sizes:

        content: ||f(result) - f(content)||^2 / ||f(content)||^2 at relu4_1, the
            content loss of Gatys et al. divided by the content's own energy.
        style: the mean over relu1_1, relu2_1 ... relu5_1 of (||mu - mu_s||^2 +
            ||sigma - sigma_s||^2) / (||mu_s||^2 + ||sigma_s||^2), with each channel's
            mean and deviation over positions: AdaIN's style loss divided by the style's
            own energy.
        gram: the mean over the same layers of ||G - G_s||^2 / ||G_s||^2, with
            G = F^T F / (H W): the style loss of Gatys et al., relative.

    An encoder that ends before relu4_1 judges content at the deepest of these layers
    that it has, and style at all that it has.

    References:
        Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equations 1, 3, 4.
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 13.

    Args:
        encoder: the judge.
        name: its name in tables.
    """
    content_layer, layers = judge_layers(encoder.spec)
    keys = [judged(metric, name) for metric in ("content", "style", "gram")]

    def encoded(picture: np.ndarray) -> Features:
        return _vgg_features(encoder.params, picture[None], spec=encoder.spec)

    def measure(
        result: np.ndarray, content: Array, style: StyleTarget
    ) -> dict[str, float]:
        values = _compare_vgg(encoded(result), content, style, layer=content_layer)
        return dict(zip(keys, map(float, values), strict=True))

    return Metric(
        title=f"Judged by {name}: content at {content_layer}, style at "
        f"{', '.join(layers)}",
        identity=f"features 1 {encoder.sha256}",
        columns=tuple(Column(key, LOWER) for key in keys),
        of_content=lambda content: encoded(content)[content_layer],
        of_style=lambda style: describe_style(encoded(style)),
        measure=measure,
    )


@functools.partial(jax.jit, static_argnames="spec")
def _vgg_features(params: Params, image: Array, *, spec: vgg.VGGSpec) -> Features:
    return vgg.features(params, image, judge_layers(spec)[1], spec=spec)


@jax.jit
def describe_style(features: Features) -> StyleTarget:
    """The statistics to compare results with, from a style's features, by layer."""
    return StyleTarget(
        {name: channel_mean_std(x, eps=_EPS) for name, x in features.items()},
        _grams(features),
    )


@functools.partial(jax.jit, static_argnames="layer")
def _compare_vgg(
    features: Features, content: Array, style: StyleTarget, *, layer: str
) -> tuple[Array, Array, Array]:
    return (
        content_loss(features[layer], content, normalisation="relative"),
        *_compare_styles(features, style),
    )


@jax.jit
def _compare_styles(features: Features, style: StyleTarget) -> tuple[Array, Array]:
    """Relative errors of means and deviations, and of Gram matrices."""
    grams = _grams(features)
    distances = [
        style_loss(grams[name], style.grams[name], normalisation="relative")
        for name in grams
    ]
    moments = adain_style_loss(
        features, style.statistics, normalisation="relative", eps=_EPS
    )
    return moments, jnp.stack(distances).mean()


def _grams(features: Features) -> dict[str, Array]:
    # The same values on all devices.
    with jax.default_matmul_precision("highest"):
        return {
            name: gram_matrix(x, normalisation="hw") for name, x in features.items()
        }


_LPIPS_CONTENT_LAYER = "relu4_3"
_encode = jax.jit(trunk_features, static_argnames="spec")


def encode(network: Lpips, picture: np.ndarray) -> Features:
    """The network's features of a picture [H, W, 3], RGB in [0, 1]."""
    return _encode(network.params, picture[None], spec=network.spec)


def compare_contents(
    network: Lpips, result: Features, content: Features
) -> dict[str, float]:
    """lpips, and content16 with VGG-16, from the results of `encode`."""
    values = {"lpips": lpips_from_features(network.params, result, content)[0]}
    if network.spec.trunk == "vgg16":
        mine, wanted = (x[_LPIPS_CONTENT_LAYER] for x in (result, content))
        values["content16"] = content_loss(mine, wanted, normalisation="relative")
    return {name: float(value) for name, value in values.items()}


def compare_styles(result: Features, style: StyleTarget) -> dict[str, float]:
    """style16 and gram16 with VGG-16, from the result of `encode`."""
    means, grams = _compare_styles(result, style)
    return {"style16": float(means), "gram16": float(grams)}


def make_perceptual_metric(network: Lpips, *, name: str) -> Metric:
    """Similarity to content and style by LPIPS' network, and LPIPS itself.

    The bundled painters were trained against VGG-16, but no bundled network against
    AlexNet. At the layers that LPIPS compares (relu1_2, 2_2, 3_3, 4_3, 5_3 of VGG-16;
    relu1 to relu5 of AlexNet):

        lpips: LPIPS between result and content, see `nstjax.models.lpips`.
        content16: ||f - f_c||^2 / ||f_c||^2 at relu4_3.
        style16: the mean over layers of (||mu - mu_s||^2 + ||sd - sd_s||^2) /
            (||mu_s||^2 + ||sd_s||^2), with each channel's mean and deviation over
            positions.
        gram16: the mean over layers of ||G - G_s||^2 / ||G_s||^2, G = F^T F / (H W).

    The last three are measured with VGG-16 only; the energies in denominators have the
    floor of `nstjax.losses`, which is negligible for its features.

    References:
        Zhang et al., 2018, https://arxiv.org/abs/1801.03924 (LPIPS).
        Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equations 1, 3, 4.
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 13.

    Args:
        network: the judge.
        name: its name in tables.
    """
    trunk = network.spec.trunk
    deep = trunk == "vgg16"
    metrics = ["lpips", *(("content16", "style16", "gram16") if deep else ())]

    def measure(
        result: np.ndarray, content: Features, style: StyleTarget
    ) -> dict[str, float]:
        features = encode(network, result)
        values = compare_contents(network, features, content)
        values |= compare_styles(features, style) if deep else {}
        return {judged(metric, name): value for metric, value in values.items()}

    encoded = functools.partial(encode, network)
    return Metric(
        title=f"Judged by LPIPS and its network, ImageNet's {TRUNKS[trunk].name}",
        identity=f"perceptual 1 {network.sha256}",
        columns=tuple(Column(judged(metric, name), LOWER) for metric in metrics),
        of_content=encoded,
        of_style=(lambda style: describe_style(encoded(style))) if deep else nothing,
        measure=measure,
    )


def make_depth_metric(depth: Depth, *, name: str) -> Metric:
    """How well a depth network finds the content's depth in the result.

        depth_error: mean absolute difference of the two disparity maps, each divided
            by its mean: the depth loss of "Style Transfer: Laplacian, Depth loss and
            AdaIN", `nstjax.losses.depth.depth_loss` with the norm "l1".
        depth_rank: Spearman's rank correlation of the two maps' pixels, from SciPy,
            which depends only on which of two points is nearer; 0 for a constant map.

    References:
        Godard et al., 2019, https://arxiv.org/abs/1806.01260 (the network).

    Args:
        depth: the judge.
        name: its name in tables.
    """
    error, rank = (judged(metric, name) for metric in ("depth_error", "depth_rank"))

    def disparity_of(picture: np.ndarray) -> Array:
        return _disparity(depth.params, picture[None], spec=depth.spec)

    def measure(result: np.ndarray, content: Array, style: None) -> dict[str, float]:
        found = disparity_of(result)
        return {
            error: float(_error(found, content)),
            rank: float(_rank(found, content)),
        }

    return Metric(
        title=f"Depth, judged by {name}",
        identity=f"depth 1 {depth.sha256}",
        columns=(Column(error, LOWER), Column(rank, HIGHER)),
        of_content=disparity_of,
        of_style=nothing,
        measure=measure,
    )


_disparity = jax.jit(disparity, static_argnames="spec")
_error = jax.jit(functools.partial(depth_loss, norm="l1"))


def _rank(found: Array, content: Array) -> float:
    first, second = (np.asarray(x).ravel() for x in (found, content))
    if not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(spearmanr(first, second).statistic)
