"""What is measured of a picture: metrics, each with the columns that it fills.

A metric describes every content and every style once, however many pictures are
made of them, and then compares results with these descriptions.
Pictures are float32 [H, W, 3], RGB in [0, 1], all of one size.
"""

import hashlib
import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nstjax.errors import NstjaxError

LOWER, HIGHER, NEITHER = "lower", "higher", ""
# Between a metric's name and its judge's in a column's key.
JUDGED_BY = "@"


class Column(NamedTuple):
    """One figure of a picture.

    Attributes:
        key: its name in tables, such as "lap4", or "style@vgg19-slim" where a
            network judges.
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
    """A group of figures that are measured together.

    Attributes:
        title: what the group is, for people.
        identity: says all that its figures depend on besides the pictures;
            figures measured under another identity are measured again.
        columns: what it measures.
        of_content: what it needs of a content.
        of_style: what it needs of a style.
        measure: from a result and those two, a figure for each column's key.
    """

    title: str
    identity: str
    columns: tuple[Column, ...]
    of_content: Callable[[np.ndarray], Any]
    of_style: Callable[[np.ndarray], Any]
    measure: Callable[[np.ndarray, Any, Any], Mapping[str, float]]


def nothing(picture: np.ndarray) -> None:
    """For a metric that needs no contents, or no styles."""
    del picture


def judged(metric: str, judge: str) -> str:
    """A column's key for a metric that a network judges."""
    return f"{metric}{JUDGED_BY}{judge}"


Function = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def load_metric(place: str) -> Function:
    """Imports a function.

    Args:
        place: ``package.module:function``; modules in the current folder are
            found, too.

    Raises:
        NstjaxError: if it cannot be imported, or is no function.
    """
    module, colon, name = place.partition(":")
    if not (module and colon and name.isidentifier()):
        raise NstjaxError(
            f"--metric takes package.module:function, which {place!r} is not"
        )
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
        raise NstjaxError(f"the metric {place} is no function")
    return metric


def make_custom_metric(place: str) -> Metric:
    """A metric of one function of result, content and style, [H, W, 3] each.

    Its values are measured again where the function's file has changed.

    Raises:
        NstjaxError: from `load_metric`; and in measuring, if the function fails or
            returns anything but a finite number.
    """
    metric = load_metric(place)
    name = place.partition(":")[2]

    def measure(result, content, style):
        try:
            value = float(metric(result, content, style))
        except Exception as error:
            raise NstjaxError(
                f"the metric {place} failed "
                f"({type(error).__name__}: {' '.join(str(error).split())})"
            ) from error
        if not math.isfinite(value):
            raise NstjaxError(f"the metric {place} returned {value}, no finite number")
        return {name: value}

    return Metric(
        title=f"{place}, a metric of the user's",
        identity=f"custom {place} {_hash_of_source(metric)}",
        columns=(Column(name, NEITHER),),
        of_content=_itself,
        of_style=_itself,
        measure=measure,
    )


def _itself(picture: np.ndarray) -> np.ndarray:
    return picture


def _hash_of_source(metric: Metric) -> str:
    try:
        source = Path(inspect.getfile(metric)).read_bytes()
    except (TypeError, OSError):  # built in, or an object that has no file
        return ""
    return hashlib.sha256(source).hexdigest()
