"""How commands end: one sentence on stderr and a status."""

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
    """Whether this process is a command's own, and may be ended by it."""

    owned = False


def reports_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Wraps a command so that whatever the user can mend prints as one sentence."""

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        # The compiler's own remarks; what matters of them is raised.
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

    After an interruption at once: the compiler's threads may still be at work, and
    where the interpreter ended below them, the process would crash.
    """
    _process.owned = True
    status = main()
    # Everything is done: a signal that comes now must not make it a failure.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if status <= 128:
        sys.exit(status)
    _end(status, said=True)


def _end(status: int, *, said: bool = False) -> None:
    """Ends the process, and removes what is still being written."""
    if not said:
        print("nstjax: stopped", file=sys.stderr)
    remove_unfinished()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # nobody is there to read it
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
