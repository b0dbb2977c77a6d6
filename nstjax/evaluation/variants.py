"""What is compared: methods, some of them with other settings."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.evaluation.lineage import Network, open_network
from nstjax.methods import ONE_PASS, method_options
from nstjax.registry import depth_name


@dataclasses.dataclass(frozen=True)
class Variant:
    """A method with its settings.

    Attributes:
        name: what tables and files call it.
        options: from `nstjax.methods.method_options`.
        networks: by role, "encoder", "decoder" and "depth" as far as it has them.
    """

    name: str
    options: Mapping[str, Any]
    networks: Mapping[str, Network]

    @property
    def method(self) -> str:
        """The method's name."""
        return self.options["method"]


def make_variants(
    methods: Sequence[str],
    *,
    iterations: int | None = None,
    gatys_evaluations: Sequence[int] = (),
) -> tuple[list[Variant], list[Variant]]:
    """Makes the variants of an evaluation, and checks that they can run.

    Args:
        methods: names out of `nstjax.methods.METHODS`.
        iterations: in place of the presets', for methods that optimise.
        gatys_evaluations: budgets at which Gatys is compared with AdaIN: so many
            evaluations at full size and none before, from the content.

    Returns:
        The methods' own variants, and those of Gatys for the budgets.

    Raises:
        NstjaxError: for an unknown method, or one whose network is missing.
    """
    if len(set(methods)) < len(methods):
        raise NstjaxError("--methods names a method twice; name each once")
    own = []
    for method in methods:
        optimises = method not in ONE_PASS
        changed = {"iterations": iterations} if optimises else {}
        own.append(_variant(method, method_options(method, options=changed)))
    budgets = [
        _variant(
            budget_name(budget),
            method_options("gatys", options={"iterations": budget, "stages": ()}),
        )
        for budget in gatys_evaluations
    ]
    return own, budgets


def budget_name(evaluations: int) -> str:
    """The name of Gatys' variant with so many evaluations."""
    return f"gatys-{evaluations}"


def _variant(name: str, options: Mapping[str, Any]) -> Variant:
    wanted = {"encoder": (options["encoder"], "vgg19")}
    if options["method"] in ONE_PASS:
        wanted["decoder"] = (options["decoder"], "decoder")
    elif options["depth_weight"]:
        wanted["depth"] = (depth_name(options["depth_model"]), "depth")
    try:
        networks = {
            role: open_network(argument, kind=kind)
            for role, (argument, kind) in wanted.items()
        }
    except NstjaxError as error:
        raise NstjaxError(
            f"the method {name} cannot run, so leave it out of --methods: {error}"
        ) from error
    return Variant(name, options, networks)
