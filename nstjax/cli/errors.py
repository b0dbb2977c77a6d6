"""Ends commands with one sentence on stderr and a status."""

import functools
import os
import signal
import sys
import warnings
from collections.abc import Callable

from nstjax.cli.streams import reliable_streams
from nstjax.errors import NstjaxWarning, explain
from nstjax.interrupts import SIGNALS, Stopped, raising_stopped
from nstjax.io.files import remove_unfinished

USAGE_ERROR = 2
INTERRUPTED = 130


class _process:
    """Whether this process belongs to a command, which may end it."""

    owned = False


def reports_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Wraps a command so that errors that the user can fix print as one sentence."""

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        # The compiler's own messages; what matters is raised.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        end = _end if _process.owned else None
        with reliable_streams(), raising_stopped(end), warnings.catch_warnings():
            _show_only_our_warnings()
            try:
                status = main(*args, **kwargs)
                sys.stdout.flush()
                return status
            except KeyboardInterrupt as stop:
                print("nstjax: stopped", file=sys.stderr)
                return stop.status if isinstance(stop, Stopped) else INTERRUPTED
            except Exception as error:
                sentence = explain(error)
                if sentence is None:
                    raise
                print(f"nstjax: error: {sentence}", file=sys.stderr)
                return USAGE_ERROR

    return wrapped


def run_command(main: Callable[[], int]) -> None:
    """Ends the process with a command's status.

    After an interruption, it ends at once: the compiler's threads may still be running,
    and the process would crash if the interpreter ended before them.
    """
    _process.owned = True
    status = main()
    # Everything is done, so a signal must no longer turn it into a failure.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if status <= 128:
        sys.exit(status)
    _end(status, said=True)


def _end(status: int, *, said: bool = False) -> None:
    """Ends the process, and removes unfinished files."""
    if not said:
        print("nstjax: stopped", file=sys.stderr)
    remove_unfinished()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # nobody reads it any longer
    os._exit(status)


def _show_only_our_warnings() -> None:
    show = warnings.showwarning

    def show_ours(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, NstjaxWarning):
            print(f"nstjax: warning: {message}", file=sys.stderr)
        elif sys.warnoptions:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_ours
    warnings.simplefilter("always", NstjaxWarning)
