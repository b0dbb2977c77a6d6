"""Checks of single values from users, with one-sentence errors.

Numbers of NumPy and JAX are accepted, too, also as arrays without axes, and converted
to Python's.
"""

import math
import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.errors import NstjaxError


def whole_number(name: str, value: Any) -> int:
    """The value as an int.

    Raises:
        NstjaxError: if it is not a whole number; `name` names it in the message.
    """
    found = _without_axes(value)
    if isinstance(found, bool) or not isinstance(found, numbers.Integral):
        raise NstjaxError(f"{name} must be a whole number, not {value!r}")
    return int(found)


def number(name: str, value: Any) -> float:
    """The value as a float, which may be infinite or NaN.

    Raises:
        NstjaxError: if it is not a number; `name` names it in the message.
    """
    found = _without_axes(value)
    if isinstance(found, bool) or not isinstance(found, numbers.Real):
        raise NstjaxError(f"{name} must be a number, not {value!r}")
    return float(found)


def shares(name: str, values: Any) -> tuple[float, ...]:
    """Mixing weights, of which none is below 0 and at least one above.

    Raises:
        NstjaxError: if they are not such numbers; `name` names them in the message.
    """
    found = tuple(number(f"each of {name}", value) for value in parts(name, values))
    if not all(0 <= value < math.inf for value in found) or not any(found):
        raise NstjaxError(
            f"{name} must be 0 or more and not all 0, not "
            f"{', '.join(f'{value:g}' for value in found) or 'none'}"
        )
    return found


def like(name: str, value: Any, default: Any) -> Any:
    """An option's value, checked to be of the same kind as its default.

    Raises:
        NstjaxError: if it is of another kind.
    """
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise NstjaxError(f"{name} must be True or False, not {value!r}")
        return value
    if isinstance(default, int):
        return whole_number(name, value)
    if default is None or isinstance(default, float):
        return number(name, value)
    if isinstance(default, str):
        if not isinstance(value, (str, os.PathLike)):
            raise NstjaxError(f"{name} must be a name or a file, not {value!r}")
        return value
    if isinstance(default, Mapping):
        if not isinstance(value, Mapping):
            raise NstjaxError(
                f"{name} must be numbers by name, as in {dict(default)!r}, "
                f"not {value!r}"
            )
        return {key: number(f"{name}[{key!r}]", value[key]) for key in value}
    return _numbers(name, value)


def _without_axes(value: Any) -> Any:
    """The element of an array without axes; other values unchanged."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def _numbers(name: str, value: Any) -> tuple[Any, ...]:
    """Numbers, or sequences of them."""
    return tuple(
        part if isinstance(part, numbers.Real) else _numbers(name, part)
        for part in parts(name, value)
    )


def parts(name: str, value: Any) -> Sequence[Any]:
    """The elements of a sequence or an array."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    if not hasattr(value, "tolist") or not getattr(value, "ndim", 0):
        raise NstjaxError(f"{name} must be a sequence of numbers, not {value!r}")
    return value.tolist()
