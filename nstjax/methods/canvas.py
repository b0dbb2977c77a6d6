"""Shapes that pictures of many sizes share, so that they share compiled programs.

A picture lies in the upper left part of a canvas; networks continue it where it ends
(`nstjax.methods.feedforward.encode`), so that the result is that of the picture alone.
"""

import collections
from collections.abc import Callable, Hashable

import numpy as np

# So many lengths of sides to each doubling: 512, 544, 576, ..., 1024, 1088, ...
_SIDES_PER_DOUBLING = 16
# The most that a canvas may have of the picture's pixels where programs are used often:
# the time that is lost to what lies beyond the picture.
LARGEST_SHARE = 1.3
# The most pixels beyond the picture otherwise. Painting so many takes a twentieth of
# the time of compiling.
_SPARE_PIXELS = 160_000
# Painting so many pixels beyond pictures takes as long as compiling another canvas.
_WORTH_COMPILING = 3_000_000


class Thrift:
    """Says when to compile another canvas instead of painting in larger ones.

    Programs of a larger canvas are used until what was painted beyond the pictures has
    taken as long as compiling would have. However many pictures come, that takes at
    most twice the time of knowing their number beforehand.
    """

    def __init__(self) -> None:
        self._spent: collections.Counter[Hashable] = collections.Counter()

    def most_pixels(self, size: tuple[int, int], key: Hashable) -> float:
        """The pixels that a canvas for pictures of a size may have."""
        if self.is_worth_compiling(key):
            return LARGEST_SHARE * size[0] * size[1]
        return most_pixels(size)

    def is_worth_compiling(self, key: Hashable) -> bool:
        """Whether as much has been spent as compiling takes."""
        return self._spent[key] > _WORTH_COMPILING

    def spend(self, pixels: int, key: Hashable) -> None:
        """Notes that so many pixels are computed in vain."""
        self._spent[key] += pixels


def most_pixels(size: tuple[int, int]) -> float:
    """The pixels that the largest canvas for pictures of a size has."""
    pixels = size[0] * size[1]
    return max(LARGEST_SHARE * pixels, pixels + _SPARE_PIXELS)


def least_canvas(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest canvas for pictures of a size, as `choose_canvas` would compile."""
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
        multiple: what a canvas's sides are multiples of.
        is_ready: whether there is a program for a canvas already.
        most: the most pixels that such a canvas may have; by default `most_pixels`.

    Returns:
        The smallest canvas that is ready and has no more pixels, or else the smallest
        one.
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
        multiple: of pixels that the picture is continued to, by reflection; beyond,
            there are zeros.

    Returns:
        [1, *canvas, C], and the (height, width) of the continued picture, [1, 2] int32.
    """
    height, width, channels = image.shape
    below, right = -height % multiple, -width % multiple
    whole = np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")
    placed = np.zeros((1, *canvas, channels), image.dtype)
    placed[0, : height + below, : width + right] = whole
    return placed, np.array([whole.shape[:2]], np.int32)


def _sides(side: int, multiple: int, most: float) -> list[int]:
    """Sides of canvases, from the least that holds a picture's up to the most."""
    sides: list[int] = []
    while not sides or side <= most:
        step = 2 ** max(0, (side - 1).bit_length() - 1) // _SIDES_PER_DOUBLING
        step = max(multiple, step // multiple * multiple)
        side = -(-side // step) * step
        sides.append(side)
        side += 1
    return sides
