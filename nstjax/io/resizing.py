"""Picture sizes, and resizing of NumPy pictures before they enter a network."""

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError

RESAMPLINGS = ("lanczos", "bilinear")


def fit_size(
    height: int,
    width: int,
    *,
    short_side: int | None = None,
    long_side: int | None = None,
) -> tuple[int, int]:
    """Scales a size up or down so that one side has a given length.

    The other side keeps the aspect ratio, rounded to the nearest pixel
    (halves up) and never below 1.

    Args:
        height, width: the size to scale, in pixels.
        short_side: the new length of the shorter side.
        long_side: the new length of the longer side; only one of the two may be given.
            Without either, the size does not change.

    Returns:
        (height, width).

    Raises:
        NstjaxError: if the length is below 1.
        ValueError: if both are given.
    """
    if short_side is not None and long_side is not None:
        raise ValueError("give short_side or long_side, not both")
    if short_side is not None:
        old, new = min(height, width), short_side
    elif long_side is not None:
        old, new = max(height, width), long_side
    else:
        return height, width
    if new < 1:
        raise NstjaxError(f"a picture's side must be at least 1 pixel, not {new}")

    def scale(side: int) -> int:
        # In integers, since a float quotient can fall on the wrong side of a half.
        return max(1, (2 * side * new + old) // (2 * old))

    return scale(height), scale(width)


def resize_image(
    image: np.ndarray, size: tuple[int, int], *, resampling: str = "lanczos"
) -> np.ndarray:
    """Resizes a picture to exactly (height, width).

    It works on the sRGB values; when it reduces, the filter widens with the factor to
    avoid aliasing. Overshoot is clipped.

    Args:
        image: array [H, W, C] in [0, 1].
        size: height and width of the result.
        resampling: one of `RESAMPLINGS`; "lanczos" has order 3.

    Returns:
        float32 array [height, width, C] in [0, 1]; `image` itself if it already has
        that size and dtype.

    Raises:
        NstjaxError: if the resampling is unknown.
    """
    if resampling not in RESAMPLINGS:
        raise NstjaxError(
            f"resampling must be {' or '.join(RESAMPLINGS)}, not {resampling!r}"
        )
    height, width = size
    if image.shape[:2] == (height, width):
        return np.asarray(image, np.float32)
    filter_ = Image.Resampling[resampling.upper()]
    result = np.empty((height, width, image.shape[2]), np.float32)
    # One channel at a time, since pictures may fill much of the memory.
    for number in range(image.shape[2]):
        channel = np.ascontiguousarray(image[..., number], np.float32)
        resized = Image.fromarray(channel).resize((width, height), filter_)
        np.clip(np.asarray(resized), 0, 1, out=result[..., number])
    return result
