"""Other networks that a run depends on: what it begins from, who teaches it."""

from collections.abc import Callable, Collection
from typing import Any

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, load_weights


def load_initial(
    config: ConfigDict, *, kind: str, spec: Any, ignored: Collection[str] = ()
) -> Any:
    """Loads the weights that ``config.initial`` names.

    Args:
        config: a training config.
        kind: of network, as weight files state it.
        spec: of the network to train; the file's must be equal.
        ignored: fields of specs that may differ.

    Returns:
        Float32 params.

    Raises:
        NstjaxError: if the file is of another network.
    """
    params, metadata = load_weights(config.initial)
    wanted, given = (
        {name: value for name, value in data.items() if name not in ignored}
        for data in (spec.to_dict(), metadata.spec)
    )
    if metadata.kind != kind or given != wanted:
        raise NstjaxError(
            f"--config.initial={config.initial} holds a {metadata.kind} of a "
            f"different shape from the {kind} that this config trains"
        )
    return params


def begin_from_initial(
    config: ConfigDict, *, kind: str, spec: Any
) -> Callable[[Any], Any] | None:
    """A task's `begin` that takes what ``config.initial`` names, if anything.

    Args:
        config, kind, spec: see `load_initial`.
    """
    if not config.initial:
        return None
    return lambda params: load_initial(config, kind=kind, spec=spec)


def teacher_notes(metadata: WeightsMetadata) -> dict[str, str]:
    """What an exported network's notes say of a teacher."""
    return {
        "name": metadata.name,
        "licence": metadata.licence,
        "origin_sha256": metadata.origin_sha256,
    }
