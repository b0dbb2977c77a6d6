"""Suspends garbage collection while a command starts and ends.

Importing jax makes some 100,000 permanent objects, which Python searches repeatedly for
unused cycles, and again at the end: a quarter of a second.
"""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Suspends collection; objects made within are excluded from later ones."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)
