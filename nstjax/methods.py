"""Methods by name, and a run's options: a config's leaves and what changes them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError

# Each method's name is that of its config.
PER_IMAGE = ("gatys", "lapstyle")
METHODS = PER_IMAGE
PRESETS = ("best", "reference", "paper")


def method_options(
    method: str,
    preset: str = "best",
    *,
    config: str | None = None,
    config_overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Collects a run's options.

    Args:
        method: one of `METHODS`; names the config unless `config` does.
        preset: one of `PRESETS`.
        config: a config file in place of the method's own.
        config_overrides: strings such as ``--config.lap_weight=3``.
        options: further values by name; None leaves the config's.

    Returns:
        Every leaf of the config.

    Raises:
        NstjaxError: for an unknown method, preset or option, or a value of
            the wrong type.
    """
    if method not in METHODS:
        raise NstjaxError(
            f"there is no method {method!r}; choose one of {', '.join(METHODS)}"
        )
    if preset not in PRESETS:
        raise NstjaxError(
            f"there is no preset {preset!r}; choose one of {', '.join(PRESETS)}"
        )
    leaves = config_to_dict(
        load_config(config or f"{method}:{preset}", config_overrides)
    )
    if "method" not in leaves:
        raise NstjaxError(f"{config} is no config of a method; use it with train.py")
    for name, value in (options or {}).items():
        if value is None:
            continue
        if name not in leaves:
            raise NstjaxError(
                f"the method {leaves['method']} has no option {name!r}; it has "
                f"{', '.join(sorted(leaves))}"
            )
        leaves[name] = value
    if leaves["iterations"] < 1:
        raise NstjaxError(f"iterations must be 1 or more, not {leaves['iterations']}")
    rate = leaves["learning_rate"]
    if not (math.isfinite(rate) and rate > 0):
        raise NstjaxError(f"learning_rate must be positive and finite, not {rate!r}")
    return leaves
