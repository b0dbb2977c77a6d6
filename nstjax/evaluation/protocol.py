"""The pictures of an evaluation, all brought to one square size.

Each picture is scaled, Lanczos, until its shorter side has the size, and its
middle is cut out and rounded to 8 bits, as results are. Embedded colour profiles
are ignored. Contents and styles are treated alike, so that no method gains by it.
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence

import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.evaluation.detail import LEAST_SIDE
from nstjax.io.images import read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods.images import read_picture
from nstjax.methods.pictures import list_pictures, picture_label


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
    labels = [picture_label(source, sources) for source in sources]
    for label in labels:
        if labels.count(label) > 1:
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
