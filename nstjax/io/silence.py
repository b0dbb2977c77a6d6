"""Keeps C libraries from standard error, where they write past Python."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

from PIL import _imaging


def silence_libtiff() -> None:
    """Lets the libtiff that Pillow reads with print nothing of damaged files.

    What matters of them, Pillow raises. Where libtiff's functions cannot be reached,
    as where it is a part of Pillow's own library (Windows), it prints as ever.
    """
    with contextlib.suppress(OSError, AttributeError):
        # Symbols are looked up in the libraries that this one is linked to, too.
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(library, name)
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Lets what the whole process writes to standard error go nowhere."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
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
