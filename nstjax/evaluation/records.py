"""An evaluation's inputs and its folder.

Each picture is scaled, Lanczos, until its shorter side has the size, and its
middle is cut out and rounded to 8 bits, as results are. Embedded colour profiles
are ignored. Contents and styles are treated alike, so that no method gains by it.

    run.json                            the protocol, to refuse another one
    pictures/VARIANT/STYLE/CONTENT.png
    records/VARIANT/STYLE/CONTENT.json  what it was made of, seconds, memory
    measured/VARIANT/STYLE/CONTENT.json what was measured of it

A record is written just before its picture, so that a picture without a record
is somebody else's.
"""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.evaluation.pixels import LEAST_SIDE
from nstjax.evaluation.variants import Variant
from nstjax.io.differences import describe_differences
from nstjax.io.files import write_atomically
from nstjax.io.images import read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.io.weights import sha256_of
from nstjax.methods.images import read_picture
from nstjax.methods.pictures import list_pictures, picture_labels


@dataclasses.dataclass(frozen=True)
class Input:
    """A content or a style.

    Attributes:
        label: what tables and files call it.
        source: the file, or the example's name.
        image: float32 [size, size, 3] in [0, 1].
        sha256: of the image's numbers.
    """

    label: str
    source: str
    image: np.ndarray = dataclasses.field(repr=False)
    sha256: str


def read_inputs(
    arguments: Sequence[str], *, size: int, on_unreadable: Callable[[str], None]
) -> list[Input]:
    """Reads and prepares contents, or styles.

    Args:
        arguments: files, folders and names of examples.
        size: side of the squares, in pixels.
        on_unreadable: told, in a sentence, of each picture that is left out.

    Returns:
        The pictures that could be read, in the order given.

    Raises:
        NstjaxError: if an argument stands for nothing, two pictures have one
            name, the size is too small, or no picture could be read.
    """
    if size < LEAST_SIDE:
        raise NstjaxError(
            f"--size must be at least {LEAST_SIDE}, of which lap16 sees three cells, "
            f"not {size}"
        )
    sources = [source for argument in arguments for source in list_pictures(argument)]
    labels = picture_labels(sources)
    for label, count in Counter(labels).items():
        if count > 1:
            raise NstjaxError(
                f"two pictures are both called {label}, so that their results could "
                "not be told apart; rename one"
            )
    inputs = []
    for label, source in zip(labels, sources, strict=True):
        try:
            image = prepare_picture(source, size)
        except NstjaxError as error:
            on_unreadable(str(error))
        else:
            inputs.append(Input(label, source, image, hash_pixels(image)))
    if not inputs:
        raise NstjaxError(f"none of the pictures in {', '.join(arguments)} can be read")
    return inputs


def prepare_picture(source: str, size: int) -> np.ndarray:
    """Reads a picture as the protocol wants it, float32 [size, size, 3].

    Raises:
        NstjaxError: if it cannot be read.
    """
    if examples.is_example(source) and not os.path.exists(source):
        image = read_picture(source)
    else:
        image = read_image(source, color_managed=False)
    height, width = fit_size(*image.shape[:2], short_side=size)
    top, left = (height - size) // 2, (width - size) // 2
    scaled = resize_image(image, (height, width))
    square = scaled[top : top + size, left : left + size]
    return np.rint(square * 255).astype(np.float32) / 255


def hash_pixels(image: np.ndarray) -> str:
    """SHA-256 of a picture's float32 numbers, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(image, np.float32).tobytes()).hexdigest()


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
