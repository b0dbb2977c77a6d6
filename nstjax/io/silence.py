"""Keeps C libraries from writing to standard error."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

from PIL import _imaging


def silence_libtiff() -> None:
    """Keeps Pillow's libtiff from printing messages about damaged files.

    Pillow raises what matters. If libtiff's functions cannot be reached, as when it is
    part of Pillow's own library (Windows), it still prints.
    """
    with contextlib.suppress(OSError, AttributeError):
        # Symbols are also looked up in the libraries that this one is linked to.
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(library, name)
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards everything that the process writes to standard error."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()  # unless nobody is there to read it
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
