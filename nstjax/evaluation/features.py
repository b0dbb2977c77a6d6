"""Likeness to content and style as a VGG-19 sees it.

The figures are relative, so that they hold for any encoder and picture size:

    content: ||f(result) - f(content)||^2 / ||f(content)||^2 at relu4_1, the
        content loss of Gatys et al. over the content's own energy.
    style: the mean over relu1_1, relu2_1 ... relu5_1 of (||mu - mu_s||^2 +
        ||sigma - sigma_s||^2) / (||mu_s||^2 + ||sigma_s||^2), with each channel's
        mean and deviation over positions: AdaIN's style loss over the style's
        own energy.
    gram: the mean over the same layers of ||G - G_s||^2 / ||G_s||^2, with
        G = F^T F / (H W): the style loss of Gatys et al., relative.

An encoder that ends before relu4_1 judges content at the deepest of these
layers that it has, and style at those that it has.

References:
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576, equations 1, 3, 4.
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 13.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.evaluation.metrics import LOWER, Column, Metric, judged
from nstjax.losses.adain import adain_style_loss
from nstjax.losses.gatys import content_loss, style_loss
from nstjax.models import vgg
from nstjax.ops.stats import Statistics, channel_mean_std, gram_matrix
from nstjax.types import Array, Features, Params
from nstjax.weights.pretrained import Encoder

_STYLE_LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))
_CONTENT_LAYER = "relu4_1"
# The definition has none; nothing is differentiated here.
_EPS = 1e-12


class StyleTarget(NamedTuple):
    """What is compared of a style, by layer."""

    statistics: Mapping[str, Statistics]
    grams: Mapping[str, Array]


def judge_layers(spec: vgg.VGGSpec) -> tuple[str, tuple[str, ...]]:
    """The layer at which an encoder judges content, and those for style."""
    style = tuple(layer for layer in _STYLE_LAYERS if layer in spec.layers)
    deepest = [layer for layer in style if layer <= _CONTENT_LAYER]
    return deepest[-1], style


def make_feature_metric(encoder: Encoder, *, name: str) -> Metric:
    """Content, style and gram by an encoder.

    Args:
        encoder: the judge.
        name: what tables call it.
    """
    content_layer, layers = judge_layers(encoder.spec)
    keys = [judged(metric, name) for metric in ("content", "style", "gram")]

    def see(picture: np.ndarray) -> Features:
        return _features(encoder.params, picture[None], spec=encoder.spec)

    def measure(result, content, style):
        figures = _compare(see(result), content, style, layer=content_layer)
        return dict(zip(keys, map(float, figures), strict=True))

    return Metric(
        title=f"Judged by {name}: content at {content_layer}, style at "
        f"{', '.join(layers)}",
        identity=f"features 1 {encoder.sha256}",
        columns=tuple(Column(key, LOWER) for key in keys),
        of_content=lambda content: see(content)[content_layer],
        of_style=lambda style: _style_target(see(style)),
        measure=measure,
    )


@functools.partial(jax.jit, static_argnames="spec")
def _features(params: Params, image: Array, *, spec: vgg.VGGSpec) -> Features:
    return vgg.features(params, image, judge_layers(spec)[1], spec=spec)


@jax.jit
def _style_target(features: Features) -> StyleTarget:
    return StyleTarget(
        {name: channel_mean_std(x, eps=_EPS) for name, x in features.items()},
        _grams(features),
    )


@functools.partial(jax.jit, static_argnames="layer")
def _compare(
    features: Features, content: Array, style: StyleTarget, *, layer: str
) -> tuple[Array, Array, Array]:
    grams = _grams(features)
    distances = [
        style_loss(grams[name], style.grams[name], normalisation="relative")
        for name in grams
    ]
    return (
        content_loss(features[layer], content, normalisation="relative"),
        adain_style_loss(
            features, style.statistics, normalisation="relative", eps=_EPS
        ),
        jnp.stack(distances).mean(),
    )


def _grams(features: Features) -> dict[str, Array]:
    return {name: gram_matrix(x, normalisation="hw") for name, x in features.items()}
