"""What is compared: methods, some of them with other settings."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.evaluation.judges import Network, open_network
from nstjax.methods.options import method_options
from nstjax.methods.table import METHODS, method_of
from nstjax.weights.pretrained import DEFAULT_ENCODER, depth_name

# The method that optimises against a depth network.
_WITH_DEPTH = "gatys-depth"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A method with its settings.

    Attributes:
        name: what tables and files call it.
        options: from `nstjax.methods.options.method_options`.
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
    depth_models: Sequence[str] = (),
    encoders: Sequence[str] = (),
) -> tuple[list[Variant], list[Variant]]:
    """Makes the variants of an evaluation, and checks that they can run.

    Args:
        methods: names out of `nstjax.methods.table.METHODS`.
        iterations: in place of the presets', for methods that optimise.
        gatys_evaluations: budgets at which Gatys is compared with AdaIN: so many
            evaluations at full size and none before, from the content.
        depth_models: names or files of depth networks, with each of which
            gatys-depth paints besides its own; the variants are named after both.
        encoders: names or files of encoders, against each of which methods that
            optimise paint besides their own; the variants are named after both.

    Returns:
        The methods' own variants, and those of Gatys for the budgets.

    Raises:
        NstjaxError: for an unknown method, one whose network is missing, further
            networks without a method for them, or one of them given twice.
    """
    if len(set(methods)) < len(methods):
        raise NstjaxError("--methods names a method twice; name each once")
    own = []
    for method in methods:
        known = METHODS.get(method)
        optimises = known is not None and not known.in_one_pass
        changed = {"iterations": iterations} if optimises else {}
        own.append(_variant(method, method_options(method, options=changed)))
        if method == _WITH_DEPTH:
            own.extend(_with_networks(method, "depth", depth_models, changed))
        if optimises:
            own.extend(_with_networks(method, "encoder", encoders, changed))
    if depth_models and _WITH_DEPTH not in methods:
        raise NstjaxError(
            f"--depth-model is for {_WITH_DEPTH}, which --methods leaves out; name it "
            "there, or leave the option out"
        )
    if encoders and all(method_of(variant.options).in_one_pass for variant in own):
        raise NstjaxError(
            "--encoder is for methods that optimise, which --methods leaves out; name "
            "one there, or leave the option out"
        )
    budgets = [
        _variant(
            budget_name(budget),
            method_options("gatys", options={"iterations": budget, "stages": ()}),
        )
        for budget in gatys_evaluations
    ]
    return own, budgets


def _with_networks(
    method: str, role: str, networks: Sequence[str], changed: Mapping[str, Any]
) -> Iterator[Variant]:
    """Variants with each of some networks in place of the method's own."""
    option = {"depth": "depth_model", "encoder": "encoder"}[role]
    names: set[str] = set()
    for network in networks:
        options = method_options(method, options={**changed, option: network})
        variant = _variant(f"{method} ({network})", options)
        name = f"{method}-{variant.networks[role].metadata.name}"
        if name in names:
            flag = option.replace("_", "-")
            raise NstjaxError(f"two of --{flag} are called {name}; give it once")
        names.add(name)
        yield dataclasses.replace(variant, name=name)


def budget_name(evaluations: int) -> str:
    """The name of Gatys' variant with so many evaluations."""
    return f"gatys-{evaluations}"


def _variant(name: str, options: Mapping[str, Any]) -> Variant:
    networks = {}
    try:
        if method_of(options).in_one_pass:
            networks["decoder"] = open_network(options["decoder"], kind="decoder")
        if "decoder" not in networks or not networks["decoder"].is_painter:
            encoder = options["encoder"] or DEFAULT_ENCODER
            networks["encoder"] = open_network(encoder, kind="encoder")
        if options.get("depth_weight"):
            model = str(depth_name(options["depth_model"]))
            networks["depth"] = open_network(model, kind="depth")
    except NstjaxError as error:
        raise NstjaxError(
            f"the method {name} cannot run, so leave it out of --methods: {error}"
        ) from error
    return Variant(name, options, networks)
