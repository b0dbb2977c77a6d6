"""Pictures through pipes: ``-`` means standard input or standard output."""

import argparse
import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from nstjax.errors import NstjaxError
from nstjax.io.files import temporary_folder

STANDARD = "-"
# Options that write files next to the output, or continue from them.
_BESIDE = ("resume", "save_every", "show_depth", "json")


class Pipes:
    """Replaces pipes by files, for a command that works with files.

    Attributes:
        names: the names of pipes, by the path of their files.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def name(self, text: str) -> str:
        """A sentence in which pipes have their own names."""
        for path, name in self.names.items():
            text = text.replace(path, name)
        return text

    @contextlib.contextmanager
    def opened(self, options: argparse.Namespace) -> Iterator[None]:
        """Replaces every ``-`` in a command's options by a file.

        Standard input is read now, and the output is written to standard output at the
        end, even if the run was stopped.

        Args:
            options: their `content`, `style`, `mask` and `output` are changed, and
                `piped` says whether the output is a pipe.

        Raises:
            NstjaxError: if a pipe is a terminal, or used twice.
        """
        lists = [options.content, options.style or [], options.mask or []]
        reads = sum(names.count(STANDARD) for names in lists)
        writes = options.output == STANDARD
        if not reads and not writes:
            yield
            return
        _check(options, reads, writes)
        with temporary_folder() as folder:
            if reads:
                source = folder / "stdin"
                with open(source, "wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                self.names[str(source)] = "standard input"
                for names in lists:
                    names[:] = [str(source) if n == STANDARD else n for n in names]
            target = folder / f"stdout.{options.format or 'png'}"
            if writes:
                options.output = str(target)
                options.format, options.piped = None, True
                self.names[str(target)] = "standard output"
            try:
                yield
            except NstjaxError as error:
                raise NstjaxError(self.name(str(error))) from error
            finally:
                if writes and target.exists():
                    _copy_out(target)


def _check(options: argparse.Namespace, reads: int, writes: bool) -> None:
    from nstjax.methods.pictures import is_folder  # not needed without pipes

    named = [*options.content, *(options.style or ())]
    several = len(options.content) > 1 or any(map(is_folder, named))
    if writes and several and not options.sheet:
        raise NstjaxError(
            "standard output holds one picture; give a folder as --output for several"
        )
    if reads > 1:
        raise NstjaxError("standard input holds one picture; give - once")
    if reads and sys.stdin is None:
        raise NstjaxError("standard input is closed; pipe a picture into it")
    if reads and sys.stdin.isatty():
        raise NstjaxError(
            "standard input is the terminal; pipe a picture into it, as in "
            "'--content - < photo.jpg'"
        )
    if writes and sys.__stdout__ is None:
        raise NstjaxError("standard output is closed; send it to a file or a program")
    if writes and sys.stdout.isatty():
        raise NstjaxError(
            "standard output is the terminal; send it to a file or a program, as in "
            "'--output - > painted.png'"
        )
    for name in _BESIDE if writes else ():
        if getattr(options, name):
            raise NstjaxError(
                f"--{name.replace('_', '-')} needs an --output that is a file, not "
                "standard output"
            )


def _copy_out(picture: Path) -> None:
    try:
        with open(picture, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise NstjaxError(
            "the program that reads standard output has closed it; the picture is lost"
        ) from error
