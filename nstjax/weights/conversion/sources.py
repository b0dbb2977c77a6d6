"""Opens a publisher's weight file of any format as named tensors."""

import dataclasses
import functools
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from nstjax.errors import NstjaxError
from nstjax.io.signatures import explain_weights
from nstjax.io.weights import sha256_of
from nstjax.weights.conversion.numpy_pickle import read_arrays
from nstjax.weights.conversion.pth import LEGACY_START, ZIP_MAGIC, read_pth
from nstjax.weights.conversion.quantised import dequantised
from nstjax.weights.conversion.tensors import LazyTensor

# The keys under which training scripts save a state_dict with other data.
_WRAPPERS = ("state_dict", "model", "params", "net")
_PARALLEL = "module."  # the prefix of names by torch's DataParallel
_PICKLE = b"\x80"  # the first byte of every pickle of protocol 2 or later
_OUR_MARK = "nstjax"  # the metadata key of `nstjax.io.weights.save_weights`
_SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """A weight file, opened.

    Attributes:
        path: the file.
        tensors: its tensors by name, unread.
        extras: other values next to them: numbers and strings, such as monodepth2's
            ``height``.
        ours: whether nstjax wrote it, so that nothing needs converting.
    """

    path: Path
    tensors: Mapping[str, LazyTensor]
    extras: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ours: bool = False

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the file's bytes, in hexadecimal."""
        return sha256_of(self.path)


def open_source(path: str | os.PathLike) -> Source:
    """Opens a .pth, .safetensors or .npz file, or a pickle of NumPy arrays.

    The content decides the format; weights stored as indices into a table are converted
    to floats.

    Raises:
        NstjaxError: if the file is missing, damaged or of another kind, or has no named
            tensors.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise NstjaxError(f"there is no file {path}; check its name")
    try:
        source = _open(path)
    except NstjaxError as error:
        if explanation := explain_weights(path):
            raise NstjaxError(f"{path} {explanation}") from error
        raise
    source = dataclasses.replace(source, tensors=dequantised(source.tensors))
    if not source.tensors:
        raise NstjaxError(f"{path} holds no named tensors; give a network's weights")
    return source


def _open(path: Path) -> Source:
    try:
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError as error:
        raise NstjaxError(f"{path} cannot be read ({error.strerror})") from error
    if start[:4] == ZIP_MAGIC and _is_npz(path):
        return Source(path, _open_npz(path))
    if start[8:9] == b"{":
        return _open_safetensors(path)
    if start[:1] == _PICKLE and LEGACY_START not in start[:16]:
        return Source(path, read_arrays(path))
    return _open_pth(path)


def _open_pth(path: Path) -> Source:
    content = read_pth(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict):
        raise NstjaxError(
            f"{path} holds a {type(content).__name__} instead of named tensors; "
            "get a file with the network's state_dict"
        )
    tensors: dict[str, LazyTensor] = {}
    extras: dict[str, Any] = {}
    for name, value in content.items():
        target = tensors if isinstance(value, LazyTensor) else extras
        target[str(name)] = value
    if tensors and all(name.startswith(_PARALLEL) for name in tensors):
        tensors = {n.removeprefix(_PARALLEL): value for n, value in tensors.items()}
    return Source(path, tensors, extras)


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # see _open_npz; the reader of .pth files will report it
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _open_npz(path: Path) -> dict[str, LazyTensor]:
    # These files are small, so everything is read at once.
    # NumPy and its codecs raise all kinds of errors for damaged bytes.
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise NstjaxError(
            f"{path} is not a complete .npz file of plain arrays; download it again"
        ) from error
    return {name: LazyTensor.of(array) for name, array in arrays.items()}


def _open_safetensors(path: Path) -> Source:
    try:
        file = safe_open(path, framework="numpy")
        tensors = {}
        for name in file.keys():  # noqa: SIM118 (the file is not a mapping)
            part = file.get_slice(name)
            dtype = _SAFETENSORS_DTYPES.get(part.get_dtype(), "uint8")
            tensors[name] = LazyTensor(
                tuple(part.get_shape()),
                np.dtype(dtype),
                functools.partial(_read_safetensor, path, name),
            )
        ours = _OUR_MARK in (file.metadata() or {})
    except Exception as error:
        raise NstjaxError(
            f"{path} is not a complete safetensors file; download it again"
        ) from error
    return Source(path, tensors, ours=ours)


def _read_safetensor(path: Path, name: str) -> np.ndarray:
    try:
        # Opened for each tensor, since an open file keeps everything that was read in
        # memory.
        with safe_open(path, framework="numpy") as file:
            return file.get_tensor(name)
    except Exception as error:
        raise NstjaxError(
            f"{path} has a tensor that cannot be read, {name}; download it again"
        ) from error
