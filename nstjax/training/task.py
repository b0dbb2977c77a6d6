"""The interface between the trainer and a training task."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nstjax.io.datasets import Stream
from nstjax.io.weights import WeightsMetadata
from nstjax.training.step import Loss
from nstjax.types import Array, Params

_Either = TypeVar("_Either", np.ndarray, Array)
Sample = Callable[[Params, Any, Mapping[str, Array]], Array]
Export = Callable[[Params, str], tuple[dict[str, Any], WeightsMetadata]]


class Task(NamedTuple):
    """One training problem, made from a config by a ``make_task`` function.

    Attributes:
        init: makes the params to train from a key.
        begin: improves the initial params of a new run, or None.
        frozen: other networks' weights, passed to `loss`.
        loss: see `nstjax.training.step.Loss`.
        training: the entries of batches, shuffled and randomly cropped.
        validation: the same from held-out pictures, with central crops.
        sample: ``(params, frozen, batch) -> [B, H, W, 3]`` pictures in [0, 1]
            to look at, or None.
        export: ``(params, recipe) -> (params, metadata)``, for the exported file.
    """

    init: Callable[[Array], Params]
    begin: Callable[[Params], Params] | None
    frozen: Any
    loss: Loss
    training: Mapping[str, Stream]
    validation: Mapping[str, Stream]
    sample: Sample | None
    export: Export


def to_unit(batch: _Either) -> _Either:
    """Converts uint8 pictures to float32 in [0, 1]."""
    return batch.astype(np.float32) / 255
