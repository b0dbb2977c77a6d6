"""What programs are told of each picture: a line of JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nstjax.cli.jobs import Job


class Reports:
    """Prints one JSON object per picture, as soon as it is written or has failed.

    Args:
        active: whether anything is printed.
        method, seed: those of the run.
        name: gives pipes their names, in place of the files that stand for them.
    """

    def __init__(
        self, *, active: bool, method: str, seed: int, name: Callable[[str], str]
    ) -> None:
        self._active = active
        self._method = method
        self._seed = seed
        self._name = name

    def made(self, job: Job, size: Sequence[int], seconds: float, **facts: Any) -> None:
        """A picture has been written.

        Args:
            job: which.
            size: its (height, width).
            seconds: that it took; of pictures painted together, its share.
            facts: further members.
        """
        height, width = size
        self._print(
            job.content,
            job.styles,
            job.output,
            size={"width": width, "height": height},
            method=self._method,
            seconds=round(seconds, 3),
            seed=self._seed,
            **facts,
        )

    def failed(self, job: Job, reason: str) -> None:
        """A picture has not been written, or not been finished."""
        self._print(job.content, job.styles, job.output, error=self._name(reason))

    def _print(
        self, content: str, styles: Sequence[str], output: Path, **members: Any
    ) -> None:
        if not self._active:
            return
        record = {
            "input": self._name(content),
            "styles": [self._name(style) for style in styles],
            "output": self._name(str(output)),
            **members,
        }
        print(json.dumps(record), flush=True)
