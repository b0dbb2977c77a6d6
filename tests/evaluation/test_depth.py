"""Depth values against NumPy."""

import jax
import numpy as np
import pytest

from nstjax.evaluation.perceptual import make_depth_metric
from nstjax.models import monodepth

# Compiled: one operation after another takes seconds.
disparity = jax.jit(monodepth.disparity, static_argnames="spec")


@pytest.fixture(scope="module")
def metric(depth):
    return make_depth_metric(depth, name="judge")


def measure(metric, result, content):
    return metric.measure(result, metric.of_content(content), None)


def test_the_definitions(metric, depth, paint):
    result, content = paint(0), paint(1)
    maps = [
        np.asarray(disparity(depth.params, x[None], spec=depth.spec), np.float64)
        for x in (result, content)
    ]
    found = measure(metric, result, content)
    first, second = (x / x.mean() for x in maps)
    expected = np.abs(first - second).mean()
    assert expected > 1e-3
    assert found["depth_error@judge"] == pytest.approx(expected, rel=1e-3)
    # With next to no ties, Spearman's is the correlation of the order of the pixels.
    assert len(np.unique(maps[0])) > 0.95 * maps[0].size
    ranks = [x.ravel().argsort().argsort() for x in maps]
    expected = np.corrcoef(*ranks)[0, 1]
    assert found["depth_rank@judge"] == pytest.approx(expected, abs=1e-2)


def test_the_content_itself_has_the_contents_depth(metric, paint):
    found = measure(metric, paint(0), paint(0))
    # Compiled, the two maps may be rounded differently on the way to their difference.
    assert found["depth_error@judge"] == pytest.approx(0, abs=1e-6)
    assert found["depth_rank@judge"] == pytest.approx(1, abs=1e-5)


def test_depth_is_lost_step_by_step(metric, paint):
    content, other = paint(0, 6.0), paint(1, 6.0)
    mixed = [(1 - a) * content + a * other for a in (0.1, 0.4, 1.0)]
    errors = [measure(metric, x, content)["depth_error@judge"] for x in mixed]
    assert 0 < errors[0] < errors[1] < errors[2]
