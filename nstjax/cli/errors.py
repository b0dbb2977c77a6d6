"""How commands end: one sentence on stderr and a status."""

import functools
import sys
from collections.abc import Callable

from nstjax.errors import NstjaxError

USAGE_ERROR = 2
INTERRUPTED = 130


def reports_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Wraps a command so that the user's mistakes print as one sentence."""

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs)
        except NstjaxError as error:
            print(f"nstjax: error: {error}", file=sys.stderr)
            return USAGE_ERROR
        except KeyboardInterrupt:
            print("nstjax: stopped", file=sys.stderr)
            return INTERRUPTED

    return wrapped
