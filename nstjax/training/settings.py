"""Checks whether a training config's common entries make sense together."""

import math
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.precision import COMPUTE_DTYPES
from nstjax.training.schedules import OPTIMIZERS, SCHEDULES

_EXPORT_DTYPES = ("float32", "float16")
_POSITIVE = (
    "steps",
    "batch_size",
    "accumulate_steps",
    "log_every",
    "checkpoint_every",
    "keep",
    "validation_batches",
)
_NOT_NEGATIVE = (
    "threads",
    "workers",
    "validation_every_nth",
    "schedule_steps",
    "warmup_steps",
    "learning_rate",
    "decay_rate",
    "clip_norm",
)
_OTHERS = ("average_decay", "seed", "name")
# The most that jax's generators tell apart.
_LAST_SEED = 2**32 - 1
_CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "compute_dtype": COMPUTE_DTYPES,
    "export_dtype": _EXPORT_DTYPES,
}


def check_settings(config: ConfigDict) -> None:
    """Checks the entries of ``configs/common.py`` before training starts.

    Raises:
        NstjaxError: naming the first entry that is missing or impossible.
    """
    for name in (*_POSITIVE, *_NOT_NEGATIVE, *_CHOICES, *_OTHERS):
        if name not in config:
            raise NstjaxError(
                f"the config has no {name}; start it from configs/common.py"
            )
    for name in _POSITIVE:
        _require(config, name, config[name] >= 1, "1 or more")
    for name in _NOT_NEGATIVE:
        fine = config[name] >= 0 and math.isfinite(config[name])
        _require(config, name, fine, "0 or more, and finite")
    for name, choices in _CHOICES.items():
        _require(config, name, config[name] in choices, f"one of {', '.join(choices)}")
    decay = config.average_decay
    _require(config, "average_decay", 0 <= decay < 1, "from 0 to below 1")
    fine = 0 <= config.seed <= _LAST_SEED
    _require(config, "seed", fine, f"from 0 to {_LAST_SEED}")
    # The exported file's, which is to lie in the workdir where everybody sees it.
    fine = Path(config.name).name == config.name != "" and config.name[0] != "."
    _require(config, "name", fine, "a file's name without folders and ending")


def _require(config: Any, name: str, fine: bool, what: str) -> None:
    if not fine:
        shown = config[name] if config[name] != "" else "empty"
        raise NstjaxError(f"--config.{name} must be {what}, not {shown}")
