"""The pictures that command-line arguments name, and their labels."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nstjax import examples
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.images import list_images


def list_pictures(path: str) -> list[str]:
    """The pictures that an argument names.

    Args:
        path: a file, a folder (the pictures directly in it), or the name of an
            example, see `nstjax.examples.is_meant`.

    Raises:
        NstjaxError: if there is none.
    """
    if not path:  # otherwise this would be the current folder
        raise NstjaxError("a picture's name is empty; name a picture")
    if examples.is_meant(path):
        if os.path.isdir(path):
            warnings.warn(
                f"{path} means the example picture; write {path}/ for the folder",
                NstjaxWarning,
                stacklevel=2,
            )
        return [path]
    return [str(picture) for picture in list_images(path)]


def is_folder(path: str) -> bool:
    """Whether an argument names a folder of pictures."""
    return os.path.isdir(path) and not examples.is_meant(path)


def picture_labels(paths: Sequence[str]) -> list[str]:
    """Each file's stem, with its suffix if another of `paths` has the same stem."""
    stems = [Path(path).stem for path in paths]
    counts = Counter(stems)
    return [
        stem if counts[stem] == 1 else f"{stem}-{Path(path).suffix.lstrip('.')}"
        for path, stem in zip(paths, stems, strict=True)
    ]
