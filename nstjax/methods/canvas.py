"""Array shapes that pictures of different sizes share, to share compiled programs.

A picture lies in the upper left part of a canvas. The networks pad it at its own border
(`nstjax.methods.feedforward.encode`), so the result is the same as without a canvas.
"""

import collections
from collections.abc import Callable, Hashable

import numpy as np

# The number of side lengths per doubling: 512, 544, 576, ..., 1024, 1088, ...
_SIDES_PER_DOUBLING = 16
# The largest ratio of a canvas's pixels to the picture's if programs are used often;
# the excess is wasted time.
LARGEST_SHARE = 1.3
# The most pixels beyond the picture otherwise. Painting them takes a twentieth of the
# time of compiling.
_SPARE_PIXELS = 160_000
# Painting this many pixels beyond pictures takes as long as compiling another canvas.
_WORTH_COMPILING = 3_000_000


class Thrift:
    """Decides when to compile another canvas instead of using larger ones.

    Programs for a larger canvas are used until the time wasted beyond the pictures
    equals the time of compiling. For any number of pictures, this takes at most twice
    as long as if their number were known in advance.
    """

    def __init__(self) -> None:
        self._spent: collections.Counter[Hashable] = collections.Counter()

    def most_pixels(self, size: tuple[int, int], key: Hashable) -> float:
        """The most pixels that a canvas for pictures of a size may have."""
        if self.is_worth_compiling(key):
            return LARGEST_SHARE * size[0] * size[1]
        return most_pixels(size)

    def is_worth_compiling(self, key: Hashable) -> bool:
        """Whether as much time has been wasted as compiling takes."""
        return self._spent[key] > _WORTH_COMPILING

    def spend(self, pixels: int, key: Hashable) -> None:
        """Records that this many pixels are computed in vain."""
        self._spent[key] += pixels


def most_pixels(size: tuple[int, int]) -> float:
    """The pixels that the largest canvas for pictures of a size has."""
    pixels = size[0] * size[1]
    return max(LARGEST_SHARE * pixels, pixels + _SPARE_PIXELS)


def least_canvas(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest canvas for pictures of a size, which `choose_canvas` compiles."""
    height, width = (_sides(side, multiple, side)[0] for side in size)
    return height, width


def choose_canvas(
    size: tuple[int, int],
    multiple: int,
    is_ready: Callable[[tuple[int, int]], bool] = lambda canvas: False,
    *,
    most: float | None = None,
) -> tuple[int, int]:
    """The (height, width) of the array to paint a picture in.

    Args:
        size: the picture's (height, width).
        multiple: a number that the sides of canvases are multiples of.
        is_ready: whether a program for a canvas exists already.
        most: the most pixels that a ready canvas may have; by default `most_pixels`.

    Returns:
        The smallest ready canvas with at most that many pixels, or else the smallest
        canvas.
    """
    most = most_pixels(size) if most is None else most
    height, width = size
    heights = _sides(height, multiple, most / width)
    widths = _sides(width, multiple, most / height)
    canvases = {(h, w) for h in heights for w in widths if h * w <= most}
    least = least_canvas(size, multiple)
    smallest_first = sorted({least, *canvases}, key=lambda c: (c[0] * c[1], c))
    return next(filter(is_ready, smallest_first), least)


def place(
    image: np.ndarray, canvas: tuple[int, int], multiple: int
) -> tuple[np.ndarray, np.ndarray]:
    """Puts a picture into the upper left corner of a canvas.

    Args:
        image: [H, W, C].
        canvas: (height, width), both multiples of `multiple`.
        multiple: the picture is padded by reflection to a multiple of this number of
            pixels, and with zeros beyond.

    Returns:
        [1, *canvas, C], and the (height, width) of the padded picture, [1, 2] int32.
    """
    height, width, channels = image.shape
    below, right = -height % multiple, -width % multiple
    whole = np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")
    placed = np.zeros((1, *canvas, channels), image.dtype)
    placed[0, : height + below, : width + right] = whole
    return placed, np.array([whole.shape[:2]], np.int32)


def _sides(side: int, multiple: int, most: float) -> list[int]:
    """Sides of canvases, from the smallest that holds a picture's up to `most`."""
    sides: list[int] = []
    while not sides or side <= most:
        step = 2 ** max(0, (side - 1).bit_length() - 1) // _SIDES_PER_DOUBLING
        step = max(multiple, step // multiple * multiple)
        side = -(-side // step) * step
        sides.append(side)
        side += 1
    return sides
