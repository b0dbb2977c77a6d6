"""Content, style and gram against NumPy."""

import jax
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nstjax.evaluation.perceptual import judge_layers, make_feature_metric
from nstjax.models import vgg
from nstjax.weights.pretrained import Encoder

# Compiled: one operation after another takes seconds.
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))


@pytest.fixture(scope="module")
def metric(encoder):
    return make_feature_metric(encoder, name="judge")


def measure(metric, result, content, style):
    values = metric.measure(result, metric.of_content(content), metric.of_style(style))
    return {key.partition("@")[0]: value for key, value in values.items()}


def features(encoder, picture):
    found = vgg_features(encoder.params, picture[None], LAYERS, spec=encoder.spec)
    return {name: np.asarray(x[0], np.float64) for name, x in found.items()}


def test_the_definitions(metric, encoder, paint):
    result, content, style = paint(0), paint(1), paint(2)
    mine, of_content, of_style = (
        features(encoder, x) for x in (result, content, style)
    )
    wanted = of_content["relu4_1"]
    moments, grams = [], []
    for layer in LAYERS:
        a, b = (x[layer].reshape(-1, x[layer].shape[2]) for x in (mine, of_style))
        distance = np.sum((a.mean(0) - b.mean(0)) ** 2 + (a.std(0) - b.std(0)) ** 2)
        moments.append(distance / np.sum(b.mean(0) ** 2 + b.std(0) ** 2))
        gram_a, gram_b = a.T @ a / len(a), b.T @ b / len(b)
        grams.append(np.sum((gram_a - gram_b) ** 2) / np.sum(gram_b**2))
    values = measure(metric, result, content, style)
    assert values["content"] == pytest.approx(
        np.sum((mine["relu4_1"] - wanted) ** 2) / np.sum(wanted**2), rel=1e-3
    )
    # The floors of the losses are of no account for features of this size.
    assert values["style"] == pytest.approx(np.mean(moments), rel=1e-2)
    assert values["gram"] == pytest.approx(np.mean(grams), rel=1e-2)


def test_a_picture_is_its_own_best_content_and_style(metric, paint):
    content, style = paint(0), paint(1, 1.0)
    assert measure(metric, content, content, style)["content"] == 0
    values = measure(metric, style, content, style)
    assert values["style"] == pytest.approx(0, abs=1e-9)
    assert values["gram"] == pytest.approx(0, abs=1e-9)
    assert measure(metric, content, content, style)["style"] > 1e-3


def test_content_is_lost_step_by_step(metric, paint):
    content = paint(0)
    blurred = [gaussian_filter(content, (s, s, 0)) for s in (0.5, 1.5, 4)]
    losses = [measure(metric, x, content, content)["content"] for x in blurred]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_style_is_lost_step_by_step(metric, paint):
    style = paint(0)
    darker = [style * share for share in (0.9, 0.6, 0.2)]
    for name in ("style", "gram"):
        losses = [measure(metric, x, style, style)[name] for x in darker]
        assert 0 < losses[0] < losses[1] < losses[2]


def test_a_shallow_encoder_judges_as_deep_as_it_goes(encoder, paint):
    spec = vgg.VGGSpec(widths=encoder.spec.widths[:5], padding="reflect")
    params = {name: encoder.params[name] for name in vgg.CONVOLUTIONS[:5]}
    assert judge_layers(spec) == ("relu3_1", LAYERS[:3])
    shallow = Encoder(params, spec, encoder.metadata, "other")
    metric = make_feature_metric(shallow, name="shallow")
    assert "relu3_1" in metric.title and "relu4_1" not in metric.title
    values = metric.measure(
        paint(0), metric.of_content(paint(1)), metric.of_style(paint(2))
    )
    wanted, mine = (features(encoder, paint(n))["relu3_1"] for n in (1, 0))
    assert values["content@shallow"] == pytest.approx(
        np.sum((mine - wanted) ** 2) / np.sum(wanted**2), rel=1e-3
    )


def test_the_deepest_encoder_judges_content_at_relu4_1():
    assert judge_layers(vgg.VGGSpec()) == ("relu4_1", LAYERS)
