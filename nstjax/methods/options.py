"""Methods by name, and a run's options: a config's leaves and what changes them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError

# Methods that optimise every picture; each one's name is that of its config,
# with hyphens for underscores.
PER_IMAGE = ("gatys", "lapstyle", "gatys-depth", "style-swap")
# Methods that paint in one pass, with the decoder that each uses by default.
ONE_PASS = {
    "adain": "adain-slim",
    "adain-lap": "adain-lap-slim",
    "adain-depth": "adain-depth-slim",
    "style-swap-net": "style-swap-slim",
}
# What those paint where it is not AdaIN, see `nstjax.methods.one_pass.TRANSFORMS`.
TRANSFORMS = {"style-swap-net": "style_swap"}
# Options of Style-Swap in one pass; a config holds them where it optimises.
SWAP_OPTIONS = {"patch_size": 3, "stride": 1}
METHODS = (*ONE_PASS, *PER_IMAGE)
PRESETS = ("best", "reference", "paper")
# Options of every method, whose values no config holds.
_COMMON = {"preserve_color": "none"}
# Options of the methods of one pass.
_ONE_PASS_OPTIONS = {
    "encoder": "vgg19-slim",
    "alpha": 1.0,
    "style_scale": 1.0,
    "depth_model": "slim",
    "compute_dtype": "float32",
}
PRESERVE_COLOR = ("none", "luminance", "histogram")


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
    if method in ONE_PASS and config is None:
        return _one_pass_options(method, preset, config_overrides, options or {})
    leaves = config_to_dict(
        load_config(config or f"{method.replace('-', '_')}:{preset}", config_overrides)
    )
    if "method" not in leaves:
        raise NstjaxError(f"{config} is no config of a method; use it with train.py")
    leaves = _with_options(_COMMON | leaves, options or {})
    for name in ("alpha", *SWAP_OPTIONS):
        if (options or {}).get(name) is not None and not leaves["swap_weight"]:
            raise NstjaxError(
                f"the option {name} says how patches are swapped, which the method "
                f"{leaves['method']} does not do; choose style-swap"
            )
    if leaves["iterations"] < 1:
        raise NstjaxError(f"iterations must be 1 or more, not {leaves['iterations']}")
    rate = leaves["learning_rate"]
    if not (math.isfinite(rate) and rate > 0):
        raise NstjaxError(f"learning_rate must be positive and finite, not {rate!r}")
    return leaves


def _one_pass_options(
    method: str, preset: str, overrides: Sequence[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    if preset != "best":
        raise NstjaxError(
            f"the method {method} has no presets: how its decoder was trained makes "
            "the difference; name another one with --decoder"
        )
    if overrides:
        raise NstjaxError(
            f"{overrides[0]!r} changes a config, but the method {method} paints "
            "without one; its config is for train.py"
        )
    leaves = _COMMON | _ONE_PASS_OPTIONS
    leaves |= {"method": method, "decoder": ONE_PASS[method]}
    if TRANSFORMS.get(method) == "style_swap":
        leaves |= SWAP_OPTIONS
    for name, value in options.items():
        if value is not None and name.endswith("_weight"):
            raise NstjaxError(
                f"the method {method} has no {name}: its decoder keeps to the weights "
                "that it was trained with; choose adain-lap or adain-depth, train a "
                f"decoder with --config.{name}, or use a method that optimises"
            )
    leaves = _with_options(leaves, options)
    if not 0 <= leaves["alpha"] <= 1:
        raise NstjaxError(f"alpha must be from 0 to 1, not {leaves['alpha']}")
    if not 0 < leaves["style_scale"] <= 16:
        raise NstjaxError(
            f"style_scale must be above 0 and at most 16, not {leaves['style_scale']}"
        )
    return leaves


def _with_options(
    leaves: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The leaves, changed by options; those of value None change nothing."""
    leaves = dict(leaves)
    for name, value in options.items():
        if value is None:
            continue
        if name not in leaves:
            raise NstjaxError(
                f"the method {leaves['method']} has no option {name!r}; it has "
                f"{', '.join(sorted(leaves))}"
            )
        leaves[name] = value
    if leaves["preserve_color"] not in PRESERVE_COLOR:
        raise NstjaxError(
            f"preserve_color must be one of {', '.join(PRESERVE_COLOR)}, "
            f"not {leaves['preserve_color']!r}"
        )
    return leaves
