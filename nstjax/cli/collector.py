"""No search for garbage while a command starts and ends.

Importing jax makes some 100,000 objects that all stay, and Python looks through them
for unused cycles again and again, and once more at the end: a quarter of a second.
"""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Suspends the search; what was made meanwhile is left out of later ones."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)
