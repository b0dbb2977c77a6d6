"""What the trainer needs to know of a thing to train."""

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
        init: from a key to the params to train.
        begin: improves a fresh run's params before the first step, or None.
        frozen: other networks' weights, handed to `loss` as they are.
        loss: see `nstjax.training.step.Loss`.
        training: the batches' entries, shuffled and cut at random.
        validation: the same from pictures held out, cut in the middle.
        sample: ``(params, frozen, batch) -> [B, H, W, 3]`` pictures in [0, 1]
            to look at, or None.
        export: ``(params, recipe) -> (params, metadata)`` as the file that
            others load is to hold them.
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
    """Turns uint8 pictures into float32 in [0, 1]."""
    return batch.astype(np.float32) / 255
