"""Other networks that a run depends on: initial weights and teachers."""

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
        kind: the kind of network, as stated in weight files.
        spec: the spec of the network to train, which the file's must equal.
        ignored: fields of the specs that may differ.

    Returns:
        Float32 params.

    Raises:
        NstjaxError: if the file holds another network.
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
    """A task's `begin` that loads the weights that ``config.initial`` names, if any.

    Args:
        config, kind, spec: see `load_initial`.
    """
    if not config.initial:
        return None
    return lambda params: load_initial(config, kind=kind, spec=spec)


def teacher_notes(metadata: WeightsMetadata) -> dict[str, str]:
    """The notes on a teacher in an exported network's metadata."""
    return {
        "name": metadata.name,
        "licence": metadata.licence,
        "origin_sha256": metadata.origin_sha256,
    }
