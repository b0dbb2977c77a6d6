"""The outcome of every picture, in a folder of JSON lines that later runs read."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from nstjax.cluster import files
from nstjax.errors import NstjaxError

# A part is written when it has this many records, or is this many seconds old.
_MOST_RECORDS = 1000
_MOST_SECONDS = 5.0
_PREFIX, _SUFFIX = "part-", ".jsonl"


def read_results(folder: str) -> dict[str, dict[str, Any]]:
    """Reads the outcome of every picture of a run.

    Args:
        folder: the run's ``results``, or its URL.

    Returns:
        Each picture's newest record, by output: ``content``, ``output``,
        ``status`` ("done" or "failed"), ``message``, ``seconds``, ``worker``.

    Raises:
        NstjaxError: if a part cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in _parts(folder):
        for line in files.read_bytes(path).decode().splitlines():
            try:
                record = json.loads(line)
                found[record["output"]] = record
            except (ValueError, KeyError, TypeError) as error:
                raise NstjaxError(
                    f"{path} is not part of a run's results; move it elsewhere"
                ) from error
    return found


class Results:
    """Appends records to a folder in parts, each of which is written atomically.

    Records that a killed driver had not written are recovered by the next one, which
    finds the existing pictures.

    Args:
        folder: the folder, or its URL.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        numbers = [
            int(path.rpartition(_PREFIX)[2].removesuffix(_SUFFIX))
            for path in _parts(folder)
        ]
        self._next = max(numbers, default=-1) + 1
        self._waiting: list[str] = []
        self._written = time.monotonic()

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Adds records, and writes them if it is time."""
        self._waiting += [json.dumps(record) + "\n" for record in records]
        old = time.monotonic() - self._written >= _MOST_SECONDS
        if old or len(self._waiting) >= _MOST_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Writes the added records."""
        self._written = time.monotonic()
        if self._waiting:
            path = f"{self._folder}/{_PREFIX}{self._next:06d}{_SUFFIX}"
            files.write_bytes(path, "".join(self._waiting).encode())
            self._next += 1
            self._waiting = []


def _parts(folder: str) -> list[str]:
    names = files.list_files(folder)
    return [
        path
        for path in names
        if path.endswith(_SUFFIX)
        and path.rpartition(_PREFIX)[2].removesuffix(_SUFFIX).isdigit()
    ]
