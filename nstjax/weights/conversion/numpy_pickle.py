"""A safe reader of pickled NumPy arrays, the form in which Flax programs save params.

Only the three names that an array's pickle needs are known, and nothing is run: see
`nstjax.weights.conversion.unpickling`.

References:
    ndarray.__reduce__ and dtype.__reduce__ of NumPy.
"""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.tensors import LazyTensor
from nstjax.weights.conversion.unpickling import (
    Constructor,
    MalformedPickle,
    RefusedPickle,
    Stateful,
    load_plain,
)

# The codes of allowed dtypes, without objects and strings.
_CODES = frozenset("f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split())
_NDARRAY = Constructor(lambda: None)


def read_arrays(path: str | os.PathLike) -> dict[str, LazyTensor]:
    """Opens a pickle of nested dicts of arrays.

    Returns:
        The arrays by path, such as ``"VGG16_0/Conv_0/kernel"``.

    Raises:
        NstjaxError: if the file is damaged, or holds anything but dicts with names as
            keys and arrays of numbers.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            content = load_plain(file, names=_NAMES)
        return dict(_flat(content, ""))
    except RefusedPickle as error:
        raise NstjaxError(
            f"{path} is refused because it asks for {error}, which is neither an "
            "array nor a plain container; get a file that holds the network's "
            "arrays alone"
        ) from error
    except MalformedPickle as error:
        raise NstjaxError(
            f"{path} is not a complete pickle of arrays ({error}); download it again"
        ) from error


_ORDERS = ("<", ">", "|", "=")
# The depth of nested dicts, which might contain themselves.
_DEEPEST = 20


class _DType(Stateful):
    """A dtype whose byte order follows as its state."""

    def __init__(self, code: Any):
        if code not in _CODES:
            raise RefusedPickle(f"an array of type {str(code)[:20]}")
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        # (version, byte order, and fields for structured types only).
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in _ORDERS:
            raise MalformedPickle("a type without a byte order")
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(Stateful):
    """An array whose shape, type and bytes follow as its state."""

    def __init__(self):
        self.values: np.ndarray | None = None

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise MalformedPickle("an array without its five parts")
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not isinstance(data, bytes):
            raise MalformedPickle("an array without a type or bytes")
        if not isinstance(shape, tuple) or not all(
            type(side) is int and 0 <= side < 2**40 for side in shape
        ):
            raise MalformedPickle("an array with a malformed shape")
        if len(shape) > 32 or math.prod(shape) * dtype.dtype.itemsize != len(data):
            raise MalformedPickle(f"an array of shape {shape} in {len(data)} bytes")
        values = np.frombuffer(data, dtype.dtype)
        self.values = values.reshape(shape, order="F" if fortran is True else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """Like NumPy, makes an empty array, whose content follows as its state."""
    if kind is not _NDARRAY or shape != (0,) or code not in (b"b", "b"):
        raise MalformedPickle("an array of another kind than ndarray")
    return _Array()


def _dtype(code: Any, align: Any = False, copy: Any = True) -> _DType:
    del align, copy
    return _DType(code)


_NAMES = {
    f"numpy.{package}.multiarray._reconstruct": Constructor(_reconstruct)
    for package in ("core", "_core")
} | {"numpy.ndarray": _NDARRAY, "numpy.dtype": Constructor(_dtype)}


def _flat(content: Any, prefix: str, depth: int = 0):
    """Yields the arrays of nested dicts, each with its path."""
    if depth > _DEEPEST:
        raise MalformedPickle("dicts that contain one another")
    if isinstance(content, _Array):
        if content.values is None:
            raise MalformedPickle("an array without its five parts")
        if not prefix:
            raise MalformedPickle("an array without a name")
        values = content.values
        yield prefix, LazyTensor.of(values)
        return
    if not isinstance(content, dict):
        raise MalformedPickle(f"a {type(content).__name__} where arrays belong")
    for name, value in content.items():
        if not isinstance(name, str):
            raise MalformedPickle(f"a {type(name).__name__} where a name belongs")
        path = f"{prefix}/{name}" if prefix else name
        yield from _flat(value, path, depth + 1)
