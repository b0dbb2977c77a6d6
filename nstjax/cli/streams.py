"""Standard streams that never stop a command.

A picture is worth more than its progress report: if standard error is closed, full or
no longer read, output to it is dropped. For standard output, this happens only if its
reader has gone, as with `head`.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def reliable_streams() -> Iterator[None]:
    """Replaces `sys.stdout` and `sys.stderr` while the block runs."""
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout = _Stream(sys.stdout or _devnull(), dropped=BrokenPipeError)
    sys.stderr = _Stream(sys.stderr or _devnull(), dropped=(OSError, ValueError))
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _Stream:
    """A text stream that drops its output once writing has failed."""

    def __init__(self, stream: Any, *, dropped: type | tuple[type, ...]) -> None:
        self._stream, self._dropped = stream, dropped
        if hasattr(stream, "reconfigure"):
            # File names may contain anything.
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._giving_up():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._giving_up():
            self._stream.flush()

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._give_up()
            if not isinstance(error, self._dropped):
                raise

    def _give_up(self) -> None:
        """Discards what is still in the buffer, now and when Python ends."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError, AttributeError):
            self._stream = _devnull()


def _devnull() -> Any:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")


def _open_closed_descriptors() -> None:
    """Opens closed streams, whose place the next opened file would otherwise take."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # uses the lowest free descriptor
