"""Metrics of the user's own."""

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.evaluation.metrics import load_metric, make_custom_metric

MODULE = """
import numpy as np

def distance(result, content, style):
    return np.abs(result - content).mean() + 10 * style.max()

def broken(result, content, style):
    raise RuntimeError("no weights here")

def endless(result, content, style):
    return float("inf")

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "my_metrics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def measure(place):
    metric = make_custom_metric(place)
    picture = np.full((4, 4, 3), 0.5, np.float32)
    content, style = (f(picture / 2) for f in (metric.of_content, metric.of_style))
    return metric.measure(picture, content, style)


def test_the_function_sees_result_content_and_style():
    assert measure("my_metrics:distance") == {"distance": pytest.approx(2.75)}


def test_its_values_belong_to_its_source():
    first = make_custom_metric("my_metrics:distance").identity
    assert "my_metrics:distance" in first and len(first) > 64


@pytest.mark.parametrize(
    "place, words",
    [
        ("my_metrics", "takes package.module:function"),
        ("nowhere_at_all:f", "cannot be imported"),
        ("my_metrics:missing", "cannot be imported"),
        ("my_metrics:number", "is not a function"),
    ],
)
def test_what_is_no_metric(place, words):
    with pytest.raises(NstjaxError, match=words):
        load_metric(place)


def test_a_metric_that_fails_says_which():
    with pytest.raises(NstjaxError, match="my_metrics:broken failed.*no weights here"):
        measure("my_metrics:broken")
    with pytest.raises(NstjaxError, match="my_metrics:endless returned inf"):
        measure("my_metrics:endless")
