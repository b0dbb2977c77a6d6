"""Checks of painters' options before anything is loaded, without importing jax."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.cluster import files
from nstjax.errors import NstjaxError
from nstjax.io.images import CHROMA
from nstjax.methods.memory.amounts import parse_amount
from nstjax.methods.values import number, whole_number

# Which EXIF data of the content are kept.
_EXIF = ("drop", "no-location", "keep")


def check_worker(batch_size: Any, threads: Any, memory_share: Any) -> None:
    """Checks the resources of a worker.

    Raises:
        NstjaxError: if a count is below 1, or the share is not above 0 and at most 1.
    """
    for name, value in (("batch_size", batch_size), ("threads", threads)):
        if value is not None and whole_number(name, value) < 1:
            raise NstjaxError(f"{name} must be 1 or more, not {value}")
    if not 0 < number("memory_share", memory_share) <= 1:
        raise NstjaxError(
            f"memory_share must be above 0 and at most 1, not {memory_share}"
        )


def check_options(options: Mapping[str, Any]) -> None:
    """Checks options for files; the method's own are checked elsewhere.

    Raises:
        NstjaxError: if a value is out of range or of the wrong kind.
    """
    given = {name: value for name, value in options.items() if value is not None}
    quality = given.get("quality", 1)
    if not 1 <= whole_number("quality", quality) <= 100:
        raise NstjaxError(f"quality must be from 1 to 100, not {quality}")
    for name, known in (("chroma", CHROMA), ("exif", _EXIF)):
        if given.get(name, known[0]) not in known:
            raise NstjaxError(
                f"{name} must be one of {', '.join(known)}, not {given[name]!r}"
            )
    if "background" in given and not _is_color(given["background"]):
        raise NstjaxError(
            "background must be three numbers from 0 to 1 (red, green, blue), not "
            f"{given['background']!r}"
        )
    if "max_memory" in given:
        parse_amount(given["max_memory"])


def _is_color(value: Any) -> bool:
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return False
    parts = [number("each part of background", part) for part in value]
    return len(parts) == 3 and all(0 <= part <= 1 for part in parts)


def path_of(row: Any, name: str) -> str:
    """The file, URL or example that a row names.

    Raises:
        NstjaxError: if it does not name one.
    """
    if not isinstance(row, Mapping):
        raise NstjaxError(
            f"a row must map names such as content and output to values, but is {row!r}"
        )
    path = row.get(name)
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise NstjaxError(f"the row's {name} must name a file, but is {path!r}")
    return str(path)


def styles_of(given: Any) -> tuple[str, ...]:
    """One style, or several, by their names.

    Raises:
        NstjaxError: if they are not names of files.
    """
    one = isinstance(given, str | os.PathLike)
    styles = (given,) if one else tuple(given) if isinstance(given, Iterable) else ()
    if not styles or not all(isinstance(path, str | os.PathLike) for path in styles):
        raise NstjaxError(f"a style must be a file or a list of files, not {given!r}")
    return tuple(map(str, styles))


def check_apart(output: str, inputs: Iterable[str]) -> None:
    """Checks that an output is not one of its own inputs.

    Raises:
        NstjaxError: if it is.
    """
    if _place(output) in map(_place, inputs):
        raise NstjaxError(f"{output} would overwrite an input; choose another output")


def _place(path: str) -> str:
    found = files.absolute(path)
    return found if files.is_remote(found) else os.path.realpath(found)
