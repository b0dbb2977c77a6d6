"""State files, from which an interrupted run continues.

They are safetensors files. The tensors are the leaves of a pytree of arrays, named by
their path, and the arrays of the run's trace. The metadata contain the options of the
run, so that a run is not continued with others, and a checksum.
"""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nstjax.errors import NstjaxError
from nstjax.io.differences import describe_differences
from nstjax.io.files import write_atomically

_METADATA_KEY = "nstjax-run"
_FORMAT = 1
_STATE, _TRACE = "state", "trace/"


def save_run_state(
    path: str | os.PathLike,
    state: Any,
    *,
    options: Mapping[str, Any],
    trace: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes a state file atomically, replacing an earlier one.

    Args:
        path: the file to write.
        state: a pytree of arrays, such as `nstjax.optimize.engine.RunState`.
        options: JSON data by name: everything that the result depends on, such as the
            method's options and hashes of pictures and weights.
        trace: arrays by name, of any length.

    Raises:
        NstjaxError: if the file cannot be written.
    """
    tensors = _named_leaves(state) | {
        f"{_TRACE}{name}": array for name, array in (trace or {}).items()
    }
    tensors = {name: _contiguous(tensor) for name, tensor in tensors.items()}
    about = {"format": _FORMAT, "crc32": _checksum(tensors), "options": dict(options)}
    metadata = {_METADATA_KEY: json.dumps(about, sort_keys=True)}
    write_atomically(path, save(tensors, metadata=metadata), overwrite=True)


def load_run_state(
    path: str | os.PathLike, *, like: Any, options: Mapping[str, Any]
) -> tuple[Any, dict[str, np.ndarray]]:
    """Reads a state file.

    Args:
        path: the file to read.
        like: a pytree with the structure, shapes and dtypes of the state, such
            as ``jax.eval_shape(start, x)``; no values are needed.
        options: those of the run to continue.

    Returns:
        The state, of NumPy arrays in the structure of `like`, and the trace.

    Raises:
        NstjaxError: if the file is missing, damaged, not a state file, or was
            written by a run with other options or another kind of state.
    """
    path = Path(path)
    about, tensors = _read(path, with_tensors=True)
    if about["format"] != _FORMAT:
        raise _unusable(path, "was written by another release of nstjax")
    if about["crc32"] != _checksum(tensors):
        raise _unusable(path, "is damaged")
    _check_options(path, about["options"], options)
    trace = {
        name.removeprefix(_TRACE): tensor
        for name, tensor in tensors.items()
        if name.startswith(_TRACE)
    }
    expected = _named_leaves(like)
    state = {name: t for name, t in tensors.items() if not name.startswith(_TRACE)}
    if _shapes(state) != _shapes(expected):
        raise _unusable(path, "belongs to a run of another kind")
    leaves = [state[name] for name in expected]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), trace


def read_run_options(path: str | os.PathLike) -> dict[str, Any]:
    """Reads only the options that a state file was written with.

    Raises:
        NstjaxError: if the file is missing, damaged or not a state file.
    """
    about, _ = _read(Path(path), with_tensors=False)
    return about["options"]


def _read(path: Path, *, with_tensors: bool) -> tuple[dict, dict[str, np.ndarray]]:
    if not os.path.isfile(path):
        raise NstjaxError(f"there is no state file {path}; start without resuming")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})[_METADATA_KEY])
            about = {name: about[name] for name in ("format", "crc32", "options")}
            about["options"] = dict(about["options"])
            names = file.keys() if with_tensors else ()
            return about, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise _unusable(path, "is not a state file or is damaged") from error


def _named_leaves(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {f"{_STATE}{jax.tree_util.keystr(path)}": leaf for path, leaf in leaves}


def _contiguous(tensor: Any) -> np.ndarray:
    # Unlike ascontiguousarray, this keeps scalars.
    return np.require(np.asarray(tensor), requirements="C")


def _checksum(tensors: Mapping[str, np.ndarray]) -> int:
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(name.encode(), checksum)
        checksum = zlib.crc32(_contiguous(tensors[name]).reshape(-1).data, checksum)
    return checksum


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple]:
    return {
        name: (tuple(tensor.shape), np.dtype(tensor.dtype))
        for name, tensor in tensors.items()
    }


def _check_options(path: Path, saved: Any, options: Mapping[str, Any]) -> None:
    # Through JSON, like the saved options: tuples become lists.
    wanted = json.loads(json.dumps(dict(options)))
    if different := describe_differences(saved, wanted):
        raise NstjaxError(
            f"{path} belongs to a run with other options: {different}; give the same "
            "ones again, or start again with --overwrite instead of --resume"
        )


def _unusable(path: Path, what: str) -> NstjaxError:
    return NstjaxError(f"{path} {what}; delete it and start again")
