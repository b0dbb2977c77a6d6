"""Reports each picture to other programs, as a line of JSON on standard output."""

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
        seed: the run's seed.
        name: replaces the files that stand for pipes by the pipes' names.

    Attributes:
        method: the run's method, or several for a sheet.
    """

    def __init__(self, *, active: bool, seed: int, name: Callable[[str], str]) -> None:
        self.method: str | Sequence[str] = ""
        self.name = name
        self._active = active
        self._seed = seed
        self._told = False

    def made(self, job: Job, size: Sequence[int], seconds: float, **facts: Any) -> None:
        """Reports a written picture.

        Args:
            job: the picture's job.
            size: its (height, width).
            seconds: the time that it took, or its share for pictures painted together.
            facts: further members.
        """
        height, width = size
        self._print(
            job.content,
            job.styles,
            job.output,
            size={"width": width, "height": height},
            method=self.method,
            seconds=round(seconds, 3),
            seed=self._seed,
            **facts,
        )

    def failed(self, job: Job, reason: str) -> None:
        """Reports a picture that was not written or not finished."""
        self._told = True
        self._print(job.content, job.styles, job.output, error=self.name(reason))

    def there(self, job: Job) -> None:
        """Reports a picture that is skipped because it exists."""
        self._print(job.content, job.styles, job.output, there=True)

    def refused(
        self, contents: Sequence[str], styles: Sequence[str], output: str, reason: str
    ) -> None:
        """Reports that nothing could be painted, unless already reported."""
        if not self._told:
            content = contents[0] if len(contents) == 1 else list(contents)
            self._print(content, styles, output, error=self.name(reason))

    def _print(
        self,
        content: str | Sequence[str],
        styles: Sequence[str],
        output: Path | str | None,
        **members: Any,
    ) -> None:
        if not self._active:
            return
        if not isinstance(content, str):
            content = list(map(self.name, content))
        record = {
            "input": self.name(content) if isinstance(content, str) else content,
            "styles": [self.name(style) for style in styles],
            "output": output and self.name(str(output)),
            **members,
        }
        print(json.dumps(record), flush=True)
