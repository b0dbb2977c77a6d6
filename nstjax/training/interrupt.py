"""Ctrl-C at a good moment."""

import signal
import threading


class Stopped(KeyboardInterrupt):
    """A run that Ctrl-C ended, its state saved."""


class StopRequest:
    """Turns the first Ctrl-C (or SIGTERM) into a flag; a second one interrupts.

    Use as a context manager around a loop that asks `requested` between
    steps: state that a step has donated cannot be saved in the middle of it.
    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
