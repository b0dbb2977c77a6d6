"""Tensors of a file that has been opened but not read.

A weight file is mapped into memory, and a tensor is a view of it: only what a converter
uses is loaded, so half a gigabyte of classifier costs nothing.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import ml_dtypes
import numpy as np

# With repeating strides (an "expanded" tensor), a few bytes can claim any shape. No
# tensor may be larger than this or its whole file, whichever is larger.
_REPEATED_BYTES = 2**24


class MalformedTensor(ValueError):
    """Raised if a file describes an impossible tensor."""


@dataclasses.dataclass(frozen=True, eq=False)
class LazyTensor:
    """One tensor of a file.

    Attributes:
        shape: as stored, so torch's order for a convolution, [out, in, h, w].
        dtype: NumPy's dtype (of ml_dtypes for bfloat16).
        read: returns the array; it may be a read-only view of the file. Raises
            NstjaxError if the file is damaged there.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @classmethod
    def of(cls, array: np.ndarray) -> "LazyTensor":
        """A tensor that has already been read."""
        return cls(array.shape, array.dtype, lambda: array)


class Storage:
    """A flat run of numbers that tensors are views of, as in torch.

    Attributes:
        dtype: of one element.
        size: the number of elements.
        load: returns the bytes; set when their position in the file is known, which in
            the legacy format is after the tensors.
        big_endian: the byte order.
    """

    def __init__(self, dtype: np.dtype, size: int):
        self.dtype = dtype
        self.size = size
        self.load: Callable[[], memoryview] | None = None
        self.big_endian = False

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def tensor(
        self,
        offset: int,
        shape: tuple[int, ...],
        stride: tuple[int, ...],
        *,
        file_size: int,
    ) -> LazyTensor:
        """A view, with offset and strides in elements.

        Raises:
            MalformedTensor: if it reaches outside the storage.
        """
        numbers = (offset, *shape, *stride)
        if len(shape) != len(stride) or len(shape) > 32:
            raise MalformedTensor(f"a tensor of shape {shape} with strides {stride}")
        if min(numbers) < 0 or max(numbers) > 2**40:
            raise MalformedTensor(f"a tensor of shape {shape} at {offset}")
        if math.prod(shape) * self.dtype.itemsize > max(file_size, _REPEATED_BYTES):
            raise MalformedTensor(f"a tensor of shape {shape}, larger than the file")
        last = offset + sum(
            (length - 1) * step for length, step in zip(shape, stride, strict=True)
        )
        if 0 not in shape and last >= self.size:
            raise MalformedTensor(f"a tensor of shape {shape} beyond its storage")
        return LazyTensor(shape, self.dtype, lambda: self._view(offset, shape, stride))

    def part(self, offset: int, size: int) -> "Storage":
        """A storage within this one (files of torch 0.1 have them)."""
        if min(offset, size) < 0 or offset + size > self.size:
            raise MalformedTensor(f"a storage of {size} beyond its root's {self.size}")
        part = Storage(self.dtype, size)
        first, last = (n * self.dtype.itemsize for n in (offset, offset + size))
        part.load = lambda: self._data()[first:last]
        return part

    def _data(self) -> memoryview:
        assert self.load is not None  # set once the file has been parsed
        return self.load()

    def _view(self, offset, shape, stride) -> np.ndarray:
        flat = _elements(self._data(), self.dtype, big_endian=self.big_endian)
        return np.lib.stride_tricks.as_strided(
            flat[offset:],
            shape,
            [step * flat.dtype.itemsize for step in stride],
            writeable=False,
        )


def _elements(data: memoryview, dtype: np.dtype, *, big_endian: bool) -> np.ndarray:
    order: Literal["<", ">"] = ">" if big_endian else "<"
    if dtype == ml_dtypes.bfloat16:  # ml_dtypes has no byte orders
        words = np.frombuffer(data, f"{order}u2").astype(np.uint16, copy=False)
        return words.view(dtype)
    return np.frombuffer(data, dtype.newbyteorder(order))
