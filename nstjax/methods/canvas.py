"""Shapes that pictures of many sizes share, so that they share compiled programs.

A picture lies in the upper left part of a canvas; networks continue it where it ends
(`nstjax.methods.feedforward.encode`), so that the result is that of the picture alone.
"""

from collections.abc import Callable

import numpy as np

# Canvases' sides lie so many to a doubling: 512, 544, 576, ..., 1024, 1088, ...
_SIDES_PER_DOUBLING = 16
# The most that a canvas may have of the picture's pixels: the time that is lost to
# what lies beyond the picture, so that no program must be compiled.
LARGEST_SHARE = 1.3


def choose_canvas(
    size: tuple[int, int],
    multiple: int,
    is_ready: Callable[[tuple[int, int]], bool] = lambda canvas: False,
    *,
    largest_share: float = LARGEST_SHARE,
) -> tuple[int, int]:
    """The (height, width) of the array to paint a picture in.

    Args:
        size: the picture's (height, width).
        multiple: what a canvas's sides are multiples of.
        is_ready: whether there is a program for a canvas already.
        largest_share: the most of the picture's pixels that such a canvas may have.

    Returns:
        The smallest canvas that is ready and not much larger than the picture, or else
        the smallest one.
    """
    heights, widths = (_sides(side, multiple, largest_share) for side in size)
    least = heights[0], widths[0]
    most = max(largest_share * size[0] * size[1], least[0] * least[1])
    canvases = [(h, w) for h in heights for w in widths if h * w <= most]
    canvases.sort(key=lambda canvas: canvas[0] * canvas[1])
    return next(filter(is_ready, canvases), least)


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


def _sides(side: int, multiple: int, largest_share: float) -> list[int]:
    """Sides of canvases that hold a side, the smallest first."""
    step = 2 ** max(0, (side - 1).bit_length() - 1) // _SIDES_PER_DOUBLING
    step = max(multiple, step // multiple * multiple)
    first = -(-side // step) * step
    return list(range(first, int(largest_share * side) + 1, step)) or [first]
