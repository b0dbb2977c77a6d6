"""Judges made of LPIPS' network, against NumPy."""

import jax
import numpy as np
import pytest

from nstjax.evaluation import perceptual
from nstjax.io.weights import WeightsMetadata
from nstjax.models.lpips import LpipsSpec, param_shapes
from nstjax.weights.pretrained import Lpips

RNG = np.random.default_rng(0)


def network(trunk):
    spec = LpipsSpec(trunk)

    def draw(shape):
        if len(shape) == 1:
            return RNG.uniform(0, 0.1, shape).astype(np.float32)
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        return RNG.normal(0, scale, shape).astype(np.float32)

    shapes = param_shapes(spec)
    params = jax.tree.map(draw, shapes, is_leaf=lambda node: isinstance(node, tuple))
    metadata = WeightsMetadata("lpips", "random", spec.to_dict(), "random", "none")
    return Lpips(params, spec, metadata, trunk)


def features(seed):
    rng = np.random.default_rng(seed)
    shapes = {"relu3_3": (1, 6, 5, 4), "relu4_3": (1, 3, 2, 7)}
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


def test_styles_are_compared_as_defined():
    mine, style = features(1), features(2)
    found = perceptual.compare_styles(mine, perceptual.describe_style(style))
    means, grams = [], []
    for name in mine:
        a, b = (
            np.float64(x[name]).reshape(-1, x[name].shape[-1]) for x in (mine, style)
        )
        difference = (a.mean(0) - b.mean(0)) ** 2 + (a.std(0) - b.std(0)) ** 2
        means.append(difference.sum() / (b.mean(0) ** 2 + b.std(0) ** 2).sum())
        gram_a, gram_b = a.T @ a / len(a), b.T @ b / len(b)
        grams.append(((gram_a - gram_b) ** 2).sum() / (gram_b**2).sum())
    # Plus a floor of 1e-4 to the style's energy.
    assert found["style16"] == pytest.approx(np.mean(means), rel=1e-4)
    assert found["gram16"] == pytest.approx(np.mean(grams), rel=1e-5)


@pytest.mark.parametrize("trunk", ["vgg16", "alexnet"])
def test_metric_gives_its_columns(trunk):
    judge = network(trunk)
    metric = perceptual.make_perceptual_metric(judge, name="x")
    content, style = RNG.random((2, 48, 40, 3), np.float32)
    seen, target = metric.of_content(content), metric.of_style(style)
    values = metric.measure(style, seen, target)
    assert values.keys() == {column.key for column in metric.columns}
    assert all(np.isfinite(value) for value in values.values())
    itself = metric.measure(content, seen, target)
    assert itself["lpips@x"] == pytest.approx(0, abs=1e-6)
    if trunk == "vgg16":
        assert itself["content16@x"] == 0
        assert values["style16@x"] == pytest.approx(0, abs=1e-6)
        conv = perceptual.encode(judge, style)["relu4_3"]
        wanted = perceptual.encode(judge, content)["relu4_3"]
        expected = np.square(conv - wanted).sum() / np.square(wanted).sum()
        assert values["content16@x"] == pytest.approx(float(expected), rel=1e-5)
