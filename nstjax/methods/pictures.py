"""Pictures as commands name them: files, folders, examples; and their labels."""

import os
from collections.abc import Sequence
from pathlib import Path

from nstjax import examples
from nstjax.io.images import list_images


def list_pictures(path: str) -> list[str]:
    """The pictures that an argument stands for.

    Args:
        path: a file, a folder (the pictures directly in it), or the name of an
            example where there is no file of that name.

    Raises:
        NstjaxError: if there is nothing there.
    """
    if examples.is_example(path) and not os.path.exists(path):
        return [path]
    return [str(picture) for picture in list_images(path)]


def picture_label(path: str, others: Sequence[str]) -> str:
    """A file's stem, with its ending where another of `others` has the same stem."""
    stem = Path(path).stem
    if sum(Path(other).stem == stem for other in others) > 1:
        return f"{stem}-{Path(path).suffix.lstrip('.')}"
    return stem
