"""Likeness to content and style as LPIPS' network sees it, and LPIPS itself.

No method of this package is trained or optimised against these networks unless the
user asks for it, so they judge all of them alike. At the layers that LPIPS compares
(relu1_2, 2_2, 3_3, 4_3, 5_3 of VGG-16; relu1 to relu5 of AlexNet):

    lpips: LPIPS of result and content, see `nstjax.models.lpips`.
    content16: ||f - f_c||^2 / ||f_c||^2 at relu4_3.
    style16: the mean over layers of (||mu - mu_s||^2 + ||sd - sd_s||^2) /
        (||mu_s||^2 + ||sd_s||^2), with each channel's mean and deviation over
        positions.
    gram16: the mean over layers of ||G - G_s||^2 / ||G_s||^2, G = F^T F / (H W).

The last three are measured with VGG-16 only.

References:
    Zhang et al., 2018, https://arxiv.org/abs/1801.03924 (LPIPS).
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equations 1, 3, 4.
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 13.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.evaluation.metrics import LOWER, Column, Metric, judged, nothing
from nstjax.models.lpips import TRUNKS, LpipsSpec, lpips_from_features, trunk_features
from nstjax.types import Array, Features, Params
from nstjax.weights.pretrained import Lpips

_CONTENT_LAYER = "relu4_3"


class StyleTarget(NamedTuple):
    """What is compared of a style, by layer: means and deviations [2, C], Grams."""

    statistics: dict[str, Array]
    grams: dict[str, Array]


def look(network: Lpips, picture: np.ndarray) -> Features:
    """What the network sees of a picture [H, W, 3], RGB in [0, 1]."""
    return _look(network.params, picture[None], spec=network.spec)


def compare_contents(
    network: Lpips, result: Features, content: Features
) -> dict[str, float]:
    """lpips, and content16 with VGG-16, of what `look` gave."""
    figures = {"lpips": lpips_from_features(network.params, result, content)[0]}
    if network.spec.trunk == "vgg16":
        mine, wanted = (seen[_CONTENT_LAYER] for seen in (result, content))
        figures["content16"] = _relative(mine, wanted)
    return {name: float(value) for name, value in figures.items()}


@jax.jit
def describe_style(features: Features) -> StyleTarget:
    """What `compare_styles` needs of what `look` gave of a style."""
    return StyleTarget(
        {name: _statistics(x) for name, x in features.items()},
        {name: _gram(x) for name, x in features.items()},
    )


def compare_styles(result: Features, style: StyleTarget) -> dict[str, float]:
    """style16 and gram16 of what `look` gave of a result, with VGG-16."""
    means, grams = _compare_styles(result, style)
    return {"style16": float(means), "gram16": float(grams)}


def make_perceptual_metric(network: Lpips, *, name: str) -> Metric:
    """lpips; with VGG-16 content16, style16 and gram16, too.

    Args:
        network: the judge.
        name: what tables call it.
    """
    trunk = network.spec.trunk
    deep = trunk == "vgg16"
    metrics = ["lpips", *(("content16", "style16", "gram16") if deep else ())]

    def measure(result, content, style):
        seen = look(network, result)
        figures = compare_contents(network, seen, content)
        figures |= compare_styles(seen, style) if deep else {}
        return {judged(metric, name): value for metric, value in figures.items()}

    see = functools.partial(look, network)
    return Metric(
        title=f"Judged by LPIPS and its network, ImageNet's {TRUNKS[trunk].name}",
        identity=f"perceptual 1 {network.sha256}",
        columns=tuple(Column(judged(metric, name), LOWER) for metric in metrics),
        of_content=see,
        of_style=(lambda style: describe_style(see(style))) if deep else nothing,
        measure=measure,
    )


@functools.partial(jax.jit, static_argnames="spec")
def _look(params: Params, image: Array, *, spec: LpipsSpec) -> Features:
    return trunk_features(params, image, spec=spec)


@jax.jit
def _compare_styles(features: Features, style: StyleTarget) -> tuple[Array, Array]:
    pairs = [
        (_relative(_statistics(x), style.statistics[name]), _gram(x), style.grams[name])
        for name, x in features.items()
    ]
    grams = [_relative(mine, wanted) for _, mine, wanted in pairs]
    return (
        jnp.stack([distance for distance, _, _ in pairs]).mean(),
        jnp.stack(grams).mean(),
    )


def _statistics(x: Array) -> Array:
    return jnp.stack([x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))])


def _gram(x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return jnp.matmul(flat.T, flat, precision="highest") / len(flat)


def _relative(mine: Array, wanted: Array) -> Array:
    return jnp.square(mine - wanted).sum() / jnp.square(wanted).sum()
