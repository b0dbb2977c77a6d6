"""Metrics, the columns that they fill, and measuring with them.

A metric describes every content and style only once and compares results with these
descriptions. Each value is measured once and kept in the evaluation's folder. Pictures
are float32 [H, W, 3], RGB in [0, 1], all of the same size.
"""

import hashlib
import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.evaluation.inputs import Input, Pair
from nstjax.evaluation.painting import Folder, read_json, write_json
from nstjax.io.images import read_image
from nstjax.io.weights import sha256_of

LOWER, HIGHER, NEITHER = "lower", "higher", ""
# The separator between a metric's name and its judge's in a column's key.
JUDGED_BY = "@"
# Rows of the tables without a method: the best content and the best style.
CONTENT_ITSELF, STYLE_ITSELF = "content-itself", "style-itself"
BASELINES = (CONTENT_ITSELF, STYLE_ITSELF)

# A picture's values by column; those of all pictures by variant and pair.
Values = Mapping[str, float]
Measured = Mapping[str, Mapping[str, Values]]


class Column(NamedTuple):
    """A column of the tables: what is measured of a picture.

    Attributes:
        key: its name in tables, such as "lap4", or "style@vgg19-slim" if a network
            judges.
        better: `LOWER`, `HIGHER` or `NEITHER`.
    """

    key: str
    better: str

    @property
    def metric(self) -> str:
        """The name without the judge's."""
        return self.key.partition(JUDGED_BY)[0]

    @property
    def judge(self) -> str:
        """The judging network's name, or ""."""
        return self.key.partition(JUDGED_BY)[2]


class Metric(NamedTuple):
    """A group of values that are measured together.

    Attributes:
        title: the group's title, for display.
        identity: describes everything that the values depend on, except the pictures;
            values with another identity are measured again.
        columns: the columns that it measures.
        of_content: computes what it needs from a content.
        of_style: computes what it needs from a style.
        measure: computes a value for each column's key from a result and those two.
    """

    title: str
    identity: str
    columns: tuple[Column, ...]
    of_content: Callable[[np.ndarray], Any]
    of_style: Callable[[np.ndarray], Any]
    measure: Callable[[np.ndarray, Any, Any], Mapping[str, float]]


def nothing(picture: np.ndarray) -> None:
    """For metrics that need no contents, or no styles."""
    del picture


def itself(picture: np.ndarray) -> np.ndarray:
    """For metrics that compare the pictures themselves."""
    return picture


def judged(metric: str, judge: str) -> str:
    """The column's key of a metric with a judge."""
    return f"{metric}{JUDGED_BY}{judge}"


Function = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def load_metric(place: str) -> Function:
    """Imports a function.

    Args:
        place: ``package.module:function``; modules in the current folder are
            found, too.

    Raises:
        NstjaxError: if it cannot be imported, or is not a function.
    """
    module, colon, name = place.partition(":")
    if not (module and colon and name.isidentifier()):
        raise NstjaxError(f"--metric takes package.module:function, not {place!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        metric = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the module does when it is imported
        raise NstjaxError(
            f"the metric {place} cannot be imported "
            f"({type(error).__name__}: {' '.join(str(error).split())}); check the "
            "module's name and that it is installed or in this folder"
        ) from error
    if not callable(metric):
        raise NstjaxError(f"the metric {place} is not a function")
    return metric


def make_custom_metric(place: str) -> Metric:
    """A metric from a function of result, content and style, [H, W, 3] each.

    Its values are measured again if the function's file has changed.

    Raises:
        NstjaxError: from `load_metric`; and when measuring, if the function fails or
            does not return a finite number.
    """
    metric = load_metric(place)
    name = place.partition(":")[2]

    def measure(
        result: np.ndarray, content: np.ndarray, style: np.ndarray
    ) -> dict[str, float]:
        try:
            value = float(metric(result, content, style))
        except Exception as error:
            raise NstjaxError(
                f"the metric {place} failed "
                f"({type(error).__name__}: {' '.join(str(error).split())})"
            ) from error
        if not math.isfinite(value):
            raise NstjaxError(
                f"the metric {place} returned {value}, which is not a finite number"
            )
        return {name: value}

    return Metric(
        title=f"{place}, a metric of the user's",
        identity=f"custom {place} {_hash_of_source(metric)}",
        columns=(Column(name, NEITHER),),
        of_content=itself,
        of_style=itself,
        measure=measure,
    )


def _hash_of_source(metric: Function) -> str:
    try:
        source = Path(inspect.getfile(metric)).read_bytes()
    except (TypeError, OSError):  # built in, or an object that has no file
        return ""
    return hashlib.sha256(source).hexdigest()


def measure_all(
    folder: Folder,
    pairs: Mapping[str, Sequence[Pair]],
    metrics: Sequence[Metric],
    *,
    on_measured: Callable[[int], object],
) -> dict[str, dict[str, Values]]:
    """Measures the existing results.

    Contents are encoded one after the other, styles only once.

    Args:
        folder: the evaluation's folder.
        pairs: the pairs to measure, by variant (or one of `BASELINES`); pairs without a
            picture are skipped.
        metrics: the metrics to measure.
        on_measured: called for pictures that are, or were already, measured.

    Returns:
        The values, by variant and the pair's name.
    """
    by_content: dict[str, list[tuple[str, Pair]]] = {}
    for variant, pairs_of_variant in pairs.items():
        for pair in pairs_of_variant:
            by_content.setdefault(pair.content.label, []).append((variant, pair))
    of_style = _Prepared("of_style")
    measured: dict[str, dict[str, Values]] = {variant: {} for variant in pairs}
    for some in by_content.values():
        # Discarded with the content, since they are large.
        of_content = _Prepared("of_content")
        for variant, pair in some:
            values = _measure(folder, variant, pair, metrics, of_content, of_style)
            if values is not None:
                measured[variant][pair.name] = values
            on_measured(1)
    return measured


class _Prepared:
    """What metrics need from contents, or from styles, each computed once."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._known: dict[tuple[str, str], Any] = {}

    def __call__(self, metric: Metric, picture: Input) -> Any:
        key = (metric.identity, picture.label)
        if key not in self._known:
            self._known[key] = getattr(metric, self._attribute)(picture.image)
        return self._known[key]


def _measure(
    folder: Folder,
    variant: str,
    pair: Pair,
    metrics: Sequence[Metric],
    of_content: _Prepared,
    of_style: _Prepared,
) -> Values | None:
    """A result's values, from its file if known; None without a result."""
    if variant in BASELINES:
        end = pair.content if variant == CONTENT_ITSELF else pair.style
        sha256, load = end.sha256, lambda: end.image
    else:
        picture = folder.picture(variant, pair)
        if not picture.is_file():
            return None
        sha256, load = sha256_of(picture), lambda: read_image(picture)
    file = folder.measurements(variant, pair)
    pictures = {
        "result": sha256,
        "content": pair.content.sha256,
        "style": pair.style.sha256,
    }
    known = read_json(file)
    if known.get("pictures") != pictures:
        known = {"pictures": pictures, "metrics": {}}
    found: dict[str, Values] = known["metrics"]
    if missing := [metric for metric in metrics if metric.identity not in found]:
        result = load()
        for metric in missing:
            values = metric.measure(
                result, of_content(metric, pair.content), of_style(metric, pair.style)
            )
            # Without the judge's name, which may change.
            found[metric.identity] = {
                column.metric: values[column.key] for column in metric.columns
            }
        write_json(file, known)
    return {
        column.key: found[metric.identity][column.metric]
        for metric in metrics
        for column in metric.columns
    }
