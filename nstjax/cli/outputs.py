"""Checks a run's outputs: each is written once, and none of them is an input."""

import os
from collections.abc import Iterable
from pathlib import Path

from nstjax.errors import NstjaxError


def check_distinct(
    outputs: Iterable[Path], inputs: Iterable[str | os.PathLike]
) -> None:
    """Checks the outputs of a run before anything is written.

    Args:
        outputs: every file that it may write.
        inputs: every file that it reads; names of examples, which are not files, are
            allowed.

    Raises:
        NstjaxError: if two outputs are the same file, or one is an input.
    """
    sources = {_identity(source): source for source in inputs}
    seen: dict[object, Path] = {}
    for output in outputs:
        identity = _identity(output)
        if identity in seen:
            raise NstjaxError(
                f"{output} would be written twice in this run; rename the inputs or "
                "choose other outputs"
            )
        if identity in sources:
            raise NstjaxError(
                f"{output} would overwrite an input, {sources[identity]}; choose "
                "another output"
            )
        seen[identity] = output


def _identity(path: str | os.PathLike) -> object:
    """A value that is the same for all names of a file, whether it exists or not."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return facts.st_dev, facts.st_ino
