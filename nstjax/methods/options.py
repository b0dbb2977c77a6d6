"""A run's options: the defaults of a method or config, with changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.methods.optimization_methods import OptimizationMethod
from nstjax.methods.table import METHODS


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
        method: a name in `nstjax.methods.table.METHODS`; it selects the config unless
            `config` is given.
        preset: a preset of the method's config.
        config: a config file to use instead of the method's own.
        config_overrides: strings such as ``--config.lap_weight=3``.
        options: further values by name; None keeps the config's.

    Returns:
        Every option by name, and the method's name as "method".

    Raises:
        NstjaxError: if a method, preset or option is unknown, or a value has the wrong
            type.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise NstjaxError(
            f"there is no method {method!r}; choose one of {', '.join(METHODS)}"
        )
    changes = options or {}
    if config is not None:
        reader = OptimizationMethod(method)
        return reader.options_of(config, config_overrides, changes)
    return METHODS[method].options(preset, config_overrides, changes)
