"""Learning-rate schedules and optimisers, by the names that configs use."""

from collections.abc import Callable
from typing import Any

import jax
import optax
import optax.contrib

from nstjax.errors import NstjaxError
from nstjax.types import Params

SCHEDULES = ("constant", "inverse_time", "cosine")
OPTIMIZERS = ("adam", "muon")


def make_schedule(
    name: str,
    *,
    learning_rate: float,
    steps: int,
    warmup_steps: int = 0,
    decay_rate: float = 0.0,
) -> Callable[[jax.typing.ArrayLike], jax.Array]:
    """Builds a function from step (batches seen) to learning rate.

    Args:
        name: "constant"; "inverse_time", learning_rate / (1 + decay_rate * step)
            as in AdaIN-style's ``train.lua``; or "cosine", down to zero.
        learning_rate: the highest rate.
        steps: the run's length, for "cosine".
        warmup_steps: steps of linear increase from zero before the named schedule.
        decay_rate: for "inverse_time" only, such as 5e-5.

    Raises:
        NstjaxError: if the name is unknown or a number is negative.
    """
    if min(learning_rate, steps, warmup_steps, decay_rate) < 0:
        raise NstjaxError("a schedule's numbers must not be negative")
    if name == "constant":
        main = optax.constant_schedule(learning_rate)
    elif name == "inverse_time":

        def main(step):
            return learning_rate / (1.0 + decay_rate * step)

    elif name == "cosine":
        main = optax.cosine_decay_schedule(learning_rate, max(steps - warmup_steps, 1))
    else:
        raise NstjaxError(
            f"unknown schedule {name!r}; choose one of {', '.join(SCHEDULES)}"
        )
    if not warmup_steps:
        return main
    ramp = optax.linear_schedule(0.0, learning_rate, warmup_steps)
    return optax.join_schedules([ramp, main], [warmup_steps])


def make_optimizer(
    schedule: Callable[[jax.typing.ArrayLike], jax.Array],
    *,
    name: str = "adam",
    clip_norm: float = 0.0,
    accumulate_steps: int = 1,
) -> optax.GradientTransformation:
    """Adam or Muon, with optional clipping and gradient accumulation.

    Muon orthogonalises the mean gradient of every kernel as a matrix of inputs by
    outputs; biases use Adam with Nesterov momentum. Its steps are scaled to the size of
    Adam's, so both use the same learning rates (Liu et al., 2025,
    https://arxiv.org/abs/2502.16982).

    Args:
        schedule: from step (batches seen) to learning rate.
        name: "adam" or "muon".
        clip_norm: the largest global gradient norm; 0 does not clip.
        accumulate_steps: the number of batches whose mean gradient makes one update,
            with the learning rate of the first batch.

    Raises:
        NstjaxError: if the name is unknown.
    """

    def rate(update):
        return schedule(update * accumulate_steps)

    if name == "adam":
        parts = [optax.adam(rate)]
    elif name == "muon":
        muon = optax.contrib.muon(
            rate,
            consistent_rms=0.2,
            muon_weight_dimension_numbers=_kernels_as_matrices,
        )
        parts = [muon]
    else:
        raise NstjaxError(
            f"unknown optimizer {name!r}; choose one of {', '.join(OPTIMIZERS)}"
        )
    if clip_norm:
        parts.insert(0, optax.clip_by_global_norm(clip_norm))
    optimizer = optax.chain(*parts)
    if accumulate_steps > 1:
        accumulating = optax.MultiSteps(optimizer, every_k_schedule=accumulate_steps)
        return accumulating.gradient_transformation()
    return optimizer


def _kernels_as_matrices(params: Params) -> Any:
    """For each leaf, its input and output axes; None for biases."""
    return jax.tree.map(
        lambda leaf: (
            optax.contrib.MuonDimensionNumbers(
                reduction_axis=tuple(range(leaf.ndim - 1)), output_axis=leaf.ndim - 1
            )
            if leaf.ndim > 1
            else None
        ),
        params,
    )
