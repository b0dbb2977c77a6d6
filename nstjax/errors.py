"""The error and the warning whose messages are meant for users."""

import errno
import os

# Resources that a machine may run out of at any time, anywhere in a command.
_EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENOMEM)


class NstjaxError(ValueError):
    """Raised if something that the caller gave cannot be used.

    The message is one sentence that says what is wrong and what to do. The command line
    prints it on stderr, without a traceback, and exits with status 2.
    """

    def __init__(self, sentence: str) -> None:
        # File names may contain line breaks.
        super().__init__(sentence.replace("\n", "\\n"))


class NstjaxWarning(UserWarning):
    """Issued if something that the caller gave is used, but probably not as intended.

    The command line prints the message, one sentence, on stderr and continues.
    """


def explain(error: Exception) -> str | None:
    """One sentence for an error that the user can fix; None for any other."""
    if isinstance(error, NstjaxError):
        return str(error)
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return "memory ran out; choose a smaller --size, or give --max-memory"
    if isinstance(error, OSError) and error.errno:
        where = f"{error.filename}: " if error.filename else ""
        remedy = "make room" if error.errno in _EXHAUSTED else "check it"
        return f"{where}{os.strerror(error.errno)}; {remedy} and try again"
    if "Unable to initialize backend" in text or _comes_from(error, "xla_bridge.py"):
        platforms = os.environ.get("JAX_PLATFORMS", "")
        return (
            f"jax cannot use the devices that JAX_PLATFORMS={platforms} asks for; "
            "unset it, or set it to cpu"
        )
    return None


def describe(error: Exception) -> str:
    """The sentence of `explain`, or else the error's type and message."""
    return explain(error) or f"{type(error).__name__}: {error}"


def _comes_from(error: Exception, file: str) -> bool:
    """Whether an error was raised in the module of jax with this name.

    For missing platforms, jax may raise a bare AssertionError.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.endswith(file)
