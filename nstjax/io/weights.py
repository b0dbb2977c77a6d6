"""Weight files: safetensors that contain everything needed to use them.

A file's tensors are named by their path in the params tree, such as
``conv4_1/kernel``. The metadata have one key, ``nstjax``, whose JSON states the network
(kind and spec), its origin and its licence.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nstjax.errors import NstjaxError
from nstjax.io.files import written_atomically
from nstjax.io.signatures import explain_weights

_METADATA_KEY = "nstjax"
_FORMAT = 1


class NoWeightsError(NstjaxError):
    """Raised if a file is not a weight file, or is damaged."""


@dataclasses.dataclass(frozen=True)
class WeightsMetadata:
    """The metadata stored with weights.

    Attributes:
        kind: the kind of network, such as "vgg19" or "decoder".
        name: a short name for display, such as "vgg19-slim".
        spec: the network's spec as plain JSON data.
        source: the origin of the weights (publisher, URL or training run).
        licence: the SPDX name or a sentence.
        origin_sha256: the hash of the file that was converted, else "".
        recipe: how the weights were made: a command, or the converter's name.
        notes: further facts by name (measurements, partner weights).
    """

    kind: str
    name: str
    spec: Mapping[str, Any]
    source: str
    licence: str
    origin_sha256: str = ""
    recipe: str = ""
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def flatten_params(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turns a nested tree into ``{"conv1_1/kernel": array, ...}``."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.update(flatten_params(value, f"{path}/"))
        else:
            flat[path] = value
    return flat


def unflatten_params(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten_params`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree


def save_weights(
    path: str | os.PathLike,
    params: Mapping[str, Any],
    metadata: WeightsMetadata,
    *,
    dtype: str = "float32",
    overwrite: bool = False,
) -> None:
    """Writes a weight file atomically.

    Args:
        path: the file to write, by convention ending in ``.safetensors``.
        params: nested dicts of arrays.
        metadata: the metadata to store.
        dtype: "float32", or "float16" for half the size.
        overwrite: whether an existing file may be replaced.

    Raises:
        NstjaxError: if the file exists and may not be replaced, cannot be
            written, or a weight is not finite in `dtype`.
    """
    tensors = {}
    for name, value in flatten_params(params).items():
        # Weights may fill the memory, so arrays in the right form are not copied.
        with np.errstate(over="ignore"):  # reported as not finite just below
            tensor = np.asarray(np.asarray(value, np.float32), dtype, order="C")
        if not np.isfinite(tensor).all():
            raise NstjaxError(f"the weight {name} is not finite in {dtype}; not saved")
        tensors[name] = tensor
    about = {"format": _FORMAT} | dataclasses.asdict(metadata)
    text = {_METADATA_KEY: json.dumps(about, sort_keys=True)}
    with written_atomically(path, overwrite=overwrite) as temporary:
        try:
            save_file(tensors, temporary, metadata=text)
        except SafetensorError as error:
            raise NstjaxError(
                f"{path} cannot be written ({error}); choose another place"
            ) from error


def load_weights(path: str | os.PathLike) -> tuple[dict[str, Any], WeightsMetadata]:
    """Reads a weight file into float32 NumPy arrays.

    Raises:
        NoWeightsError: if it is not a safetensors file, was not written by
            `save_weights`, or is damaged.
        NstjaxError: if the file is missing, or from a later release.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise NstjaxError(f"there is no weight file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get(_METADATA_KEY)
            if about is None:
                raise NoWeightsError(
                    f"{path} does not say which network it holds; convert the "
                    "publisher's file with 'nstjax convert NAME'"
                )
            flat = {
                name: file.get_tensor(name).astype(np.float32, copy=False)
                for name in sorted(file.keys())
            }
    except (SafetensorError, OSError) as error:
        if explanation := explain_weights(path):
            raise NoWeightsError(f"{path} {explanation}") from error
        raise NoWeightsError(
            f"{path} is not a usable safetensors file ({error}); convert the "
            "publisher's file with 'nstjax convert NAME'"
        ) from error
    return unflatten_params(flat), _parse_metadata(path, about)


def check_shapes(
    params: Mapping[str, Any], expected: Mapping[str, Any], *, where: str
) -> None:
    """Checks that a tree has exactly the expected tensors.

    Args:
        params: nested dicts of arrays.
        expected: nested dicts of shapes.
        where: the file or network, for the message.

    Raises:
        NstjaxError: listing missing, unexpected and wrongly shaped tensors.
    """
    have = {name: tuple(np.shape(v)) for name, v in flatten_params(params).items()}
    want = {name: tuple(shape) for name, shape in flatten_params(expected).items()}
    problems = []
    if missing := sorted(want.keys() - have.keys()):
        problems.append(f"missing {', '.join(missing)}")
    if extra := sorted(have.keys() - want.keys()):
        problems.append(f"unexpected {', '.join(extra)}")
    problems += [
        f"{name} has shape {have[name]} instead of {want[name]}"
        for name in sorted(want.keys() & have.keys())
        if want[name] != have[name]
    ]
    if problems:
        raise NstjaxError(f"{where} does not fit its network: {'; '.join(problems)}")


def sha256_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse_metadata(path: Path, text: str) -> WeightsMetadata:
    try:
        about = json.loads(text)
        version = about.pop("format")
        metadata = WeightsMetadata(**about)
        for field in dataclasses.fields(metadata):
            kind = str if field.type is str else dict
            if not isinstance(getattr(metadata, field.name), kind):
                raise TypeError(f"{field.name} is not a {kind.__name__}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoWeightsError(
            f"{path} has damaged metadata; convert or export it again"
        ) from error
    if version != _FORMAT:
        raise NstjaxError(
            f"{path} has format {version}, but this release reads {_FORMAT}; update "
            "nstjax"
        )
    return metadata
