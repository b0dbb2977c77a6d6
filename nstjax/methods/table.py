"""All methods by name. To add one, write a file of its own and a line here."""

from collections.abc import Mapping
from typing import Any

from nstjax.methods.base import Method
from nstjax.methods.decoder_methods import DecoderMethod
from nstjax.methods.optimization_methods import OptimizationMethod

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        DecoderMethod("adain", decoder="adain-slim"),
        DecoderMethod("adain-lap", decoder="adain-lap-slim"),
        DecoderMethod("adain-depth", decoder="adain-depth-slim"),
        DecoderMethod(
            "style-swap-net", decoder="style-swap-slim", transform="style_swap"
        ),
        OptimizationMethod("gatys"),
        OptimizationMethod("lapstyle"),
        OptimizationMethod("gatys-depth"),
        OptimizationMethod("style-swap"),
    )
}


def method_of(options: Mapping[str, Any]) -> Method:
    """The method that these options belong to; a config may have its own name."""
    name = options["method"]
    return METHODS.get(name) or OptimizationMethod(name)


def one_pass_names() -> str:
    """The names of the feed-forward methods, for messages."""
    return ", ".join(name for name, method in METHODS.items() if method.in_one_pass)
