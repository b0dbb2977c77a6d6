"""Metrics of the user's own, such as LPIPS with weights that the user has."""

import hashlib
import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.evaluation.metrics import NEITHER, Column, Metric

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
