"""Caches statistics of styles for the next process, next to its programs."""

import hashlib
import io
import logging
import os
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.files import write_atomically
from nstjax.weights.store import programs

_log = logging.getLogger(__name__)


def recalled(
    measure: Callable[[], list[np.ndarray]], picture: np.ndarray, options: Hashable
) -> list[np.ndarray]:
    """The result of `measure`, or that of an earlier process for the same picture.

    If the cache cannot be read or written, the picture is measured.

    Args:
        measure: the function to call.
        picture: its argument.
        options: everything else that the result depends on, with a `repr` that
            identifies it.
    """
    folder = programs.kept_in()
    if folder is None:
        return measure()
    digest = hashlib.sha256(np.ascontiguousarray(picture).tobytes())
    digest.update(repr((picture.shape, options, programs.versions())).encode())
    path = folder / f"style-{digest.hexdigest()[:32]}{programs.STATISTICS_SUFFIX}"
    found = _read(path)
    if found is None:
        found = measure()
        _write(path, found)
    return found


def _read(path: Path) -> list[np.ndarray] | None:
    try:
        content = io.BytesIO(path.read_bytes())
        with np.load(content, allow_pickle=False) as file:
            found = [file[name] for name in file.files]
        os.utime(path)  # marks it as used, so that it is not deleted
        return found
    except OSError:
        return None
    # Damaged files can fail in many ways.
    except Exception as error:
        _log.debug("%s cannot be read: %s", path, error)
        return None


def _write(path: Path, arrays: list[np.ndarray]) -> None:
    content = io.BytesIO()
    np.savez(content, *arrays)
    try:
        write_atomically(path, content.getvalue(), overwrite=True)
        programs.drop_oldest(path.parent)
    except (NstjaxError, OSError) as error:
        _log.debug("%s cannot be kept: %s", path, error)
