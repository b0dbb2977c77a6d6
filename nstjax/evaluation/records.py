"""The folder of an evaluation: pictures, how each was made, what was measured.

    run.json                            the protocol, to refuse another one
    pictures/VARIANT/STYLE/CONTENT.png
    records/VARIANT/STYLE/CONTENT.json  what it was made of, seconds, memory
    measured/VARIANT/STYLE/CONTENT.json what was measured of it

A record is written just before its picture, so that a picture without a record
is somebody else's.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.evaluation.protocol import Input
from nstjax.evaluation.variants import Variant
from nstjax.io.differences import describe_differences
from nstjax.io.files import write_atomically
from nstjax.io.weights import sha256_of

_FORMAT = 1
MISSING, DONE, OTHER = "missing", "done", "other"


@dataclasses.dataclass(frozen=True)
class Pair:
    """A content and a style.

    Attributes:
        content, style: the two.
    """

    content: Input
    style: Input

    @property
    def name(self) -> str:
        """For people and tables."""
        return f"{self.content.label} in {self.style.label}"


@dataclasses.dataclass(frozen=True)
class Folder:
    """An evaluation's folder.

    Attributes:
        path: where it is; it need not exist yet.
    """

    path: Path

    def picture(self, variant: str, pair: Pair) -> Path:
        """A result's file."""
        return self._file("pictures", variant, pair, ".png")

    def record(self, variant: str, pair: Pair) -> Path:
        """The file that says how a result was made."""
        return self._file("records", variant, pair, ".json")

    def figures(self, variant: str, pair: Pair) -> Path:
        """The file of what was measured of a result."""
        return self._file("measured", variant, pair, ".json")

    def _file(self, kind: str, variant: str, pair: Pair, suffix: str) -> Path:
        folder = self.path / kind / variant / pair.style.label
        return folder / f"{pair.content.label}{suffix}"

    def claim(self, protocol: Mapping[str, Any], *, overwrite: bool) -> None:
        """Makes the folder, or checks that it holds this evaluation.

        Raises:
            NstjaxError: if it holds another one, or anything else.
        """
        file = self.path / "run.json"
        protocol = plain({"format": _FORMAT} | dict(protocol))
        if self.path.exists() and not self.path.is_dir():
            raise NstjaxError(f"{self.path} is a file; --output needs a folder")
        if file.is_file():
            there = read_json(file)
            changed = describe_differences(there, protocol)
            if changed and not overwrite:
                raise NstjaxError(
                    f"{self.path} holds an evaluation with other settings: {changed}; "
                    "choose another --output, or give --overwrite to change that one"
                )
            if not changed:
                return
        elif self.path.is_dir() and any(self.path.iterdir()) and not overwrite:
            raise NstjaxError(
                f"{self.path} holds something else than an evaluation; choose another "
                "--output"
            )
        write_json(file, protocol)


def request_of(variant: Variant, pair: Pair, *, size: int, seed: int) -> dict[str, Any]:
    """All that a result depends on, as JSON data."""
    return plain(
        {
            "options": dict(variant.options),
            "weights": {role: n.sha256 for role, n in variant.networks.items()},
            "content": pair.content.sha256,
            "style": pair.style.sha256,
            "size": size,
            "seed": seed,
        }
    )


def state_of(
    folder: Folder, variant: str, pair: Pair, request: Mapping[str, Any]
) -> str:
    """Whether a result is there.

    Returns:
        `DONE`; `MISSING`; or `OTHER` where the picture was made with other
        options, weights or inputs, or has been changed since.
    """
    picture, record = folder.picture(variant, pair), folder.record(variant, pair)
    if not picture.is_file():
        return MISSING
    if not record.is_file():
        return OTHER
    known = read_json(record)
    same = known.get("request") == request
    return DONE if same and known.get("sha256") == sha256_of(picture) else OTHER


def read_records(
    folder: Folder, variant: str, pairs: Sequence[Pair]
) -> list[dict[str, Any]]:
    """The records of the pairs of which there are pictures."""
    return [
        read_json(folder.record(variant, pair))
        for pair in pairs
        if folder.picture(variant, pair).is_file()
    ]


def read_json(path: Path) -> dict[str, Any]:
    """Reads one of the folder's JSON files; one that is damaged counts as empty."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes one of the folder's JSON files, in place of an earlier one."""
    text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(path, text, overwrite=True)


def plain(data: Any) -> Any:
    """Through JSON: tuples become lists, as they come back from a file."""
    return json.loads(json.dumps(data, default=str))
