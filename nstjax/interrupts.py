"""Requests to stop: Ctrl-C, and the signals of schedulers and closed terminals."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

_Handler = Callable[[int, FrameType | None], object]
# A closed terminal sends SIGHUP, which does not exist on Windows.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """Raised if a command was asked to stop.

    Attributes:
        status: the exit status, 128 plus the signal's number.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.status = 128 + number


@contextlib.contextmanager
def raising_stopped(end: Callable[[int], None] | None = None) -> Iterator[None]:
    """Makes all signals raise `Stopped`, as Ctrl-C raises KeyboardInterrupt.

    Signals that the process ignores, as with nohup, remain ignored. Outside the main
    thread, where Python allows no handlers, this has no effect.

    Args:
        end: ends the process immediately with a status. It is called if an exception
            would pass through jax, which may crash during compilation.
    """

    def stop(number, frame):
        stopped = Stopped(number)
        if end is not None and _is_in_jax(frame):
            end(stopped.status)
        raise stopped

    defaults = (signal.SIG_DFL, signal.default_int_handler)
    with _handling(stop, only=lambda present: present in defaults), _sending_again():
        yield


def _is_in_jax(frame) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in ("jax", "jaxlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _sending_again() -> Iterator[None]:
    """Sends a signal again if its exception was raised where Python drops exceptions.

    This happens in destructors and callbacks, such as jax's at every garbage
    collection.
    """
    before = sys.unraisablehook

    def hook(unraisable) -> None:
        error = unraisable.exc_value
        if not isinstance(error, KeyboardInterrupt):
            before(unraisable)
            return
        number = error.status - 128 if isinstance(error, Stopped) else signal.SIGINT
        # A moment later, when this callback has ended, too.
        timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


class StopRequest:
    """Turns the first signal into a flag; a second Ctrl-C interrupts at once.

    Use it as a context manager around work that checks `requested` where it can be
    stopped safely. Further signals of other kinds have no effect, since some programs
    send theirs twice.

    Attributes:
        requested: the signal's number, or 0.
        armed: while this is false, signals interrupt at once.
    """

    def __init__(self, *, armed: bool = True) -> None:
        self.requested = 0
        self.armed = armed
        self._handling = _handling(self._handle)
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> "StopRequest":
        self._handling.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handling.__exit__(kind, exception, traceback)

    def _handle(self, number, frame) -> None:
        again = self.requested and number == signal.SIGINT
        self.requested = self.requested or number
        if again or not self.armed:
            before = self._before[number]
            if callable(before) and before is not signal.default_int_handler:
                before(number, frame)
            raise Stopped(number)


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Holds a signal back until the block has ended; a second Ctrl-C acts at once.

    Without this the interrupt could fall between the end of a compiled call,
    which has consumed its donated arguments, and the assignment of its result.

    Signals without a Python handler are not affected, nor is anything outside the main
    thread, which is the only one to receive signals.
    """
    received = 0
    handlers: dict[int, _Handler] = {}

    def hold(number, frame):
        nonlocal received
        if received and number == signal.SIGINT:
            handlers[number](number, frame)
        received = received or number

    handlers |= {number: signal.getsignal(number) for number in SIGNALS}
    with _handling(hold, only=callable):
        yield
    if received:
        handlers[received](received, None)


@contextlib.contextmanager
def _handling(handler, *, only=None) -> Iterator[None]:
    """Sets a handler for all `SIGNALS` that are not ignored.

    Args:
        handler: a function of a signal's number and a frame.
        only: decides whether a current handler may be replaced; by default all may.
    """
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            present = signal.getsignal(number)
            wanted = only is None or only(present)
            if wanted and present not in (None, signal.SIG_IGN):
                previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, present in previous.items():
            signal.signal(number, present)
