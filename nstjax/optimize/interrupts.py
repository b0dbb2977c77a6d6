"""Ctrl-C that waits for a moment at which nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Holds a Ctrl-C back until the block has ended; a second one acts at once.

    Without this the interrupt could fall between the end of a compiled call,
    which has consumed its donated arguments, and the assignment of its result.

    Outside the main thread, which alone receives signals, and where Ctrl-C is
    ignored or left to the system, this does nothing.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(
        handler
    ):
        yield
        return
    received = False

    def hold(number, frame):
        nonlocal received
        if received:
            handler(number, frame)
        received = True

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received:
        handler(signal.SIGINT, None)
