"""Reads animated pictures and folders of numbered frames with Pillow."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.images import list_images, read_image
from nstjax.io.levels import to_uint8
from nstjax.video.clips import Clip, Frame

_MILLISECOND = Fraction(1, 1000)
# How long browsers show frames with a duration of 10 ms or less.
_SHORTEST, _INSTEAD = 20, 100
_ANIMATIONS = ("GIF", "WEBP", "PNG")


def open_animation(path: Path) -> Clip:
    """Opens an animated GIF, WebP or APNG.

    Raises:
        NstjaxError: if it is damaged.
    """
    try:
        with Image.open(path, formats=_ANIMATIONS) as image:
            width, height = image.size
            loop = _times_shown(image)
            _frame_pixels(image)
            shown = _shown(image)
    except Exception as error:  # Pillow raises nearly anything for damaged files
        raise NstjaxError(
            f"{path} is damaged or incomplete ({error}); get an intact copy"
        ) from error
    return Clip(
        path=path,
        size=(height, width),
        pixel_aspect=Fraction(1),
        rate=1 / shown,
        time_base=_MILLISECOND,
        duration=None,
        read=lambda start, tell: _read_animation(path, tell),
        loop=loop,
    )


def _times_shown(image: Image.Image) -> int:
    """How often an animated picture is played; 0 means forever."""
    loop = image.info.get("loop")
    if loop is None:
        return 1
    # A GIF states how often it is repeated.
    return int(loop) + (image.format == "GIF" and loop > 0)


def open_folder(path: Path, rate: Fraction) -> Clip:
    """Opens a folder of pictures of the same size, with `rate` frames per second.

    Raises:
        NstjaxError: if it has no pictures, or the first cannot be read.
    """
    files = sorted(list_images(path), key=_numbers)
    height, width = read_image(files[0]).shape[:2]
    return Clip(
        path=path,
        size=(height, width),
        pixel_aspect=Fraction(1),
        rate=rate,
        time_base=1 / rate,
        duration=len(files) / rate,
        read=lambda start, tell: _read_folder(files, (height, width), rate, tell),
    )


def _read_animation(path: Path, tell: Callable[[str], None]) -> Iterator[Frame]:
    time, index = Fraction(0), 0
    with Image.open(path, formats=_ANIMATIONS) as image:
        while True:
            try:
                image.seek(index)
                pixels = _frame_pixels(image)
                # Known only once the frame is decoded.
                shown = _shown(image)
            except EOFError:
                return
            except Exception as error:  # as above
                tell(
                    f"{path} breaks off after {index} frames ({error}); the frames up "
                    "to there are painted"
                )
                return
            yield Frame(time, shown, pixels)
            time, index = time + shown, index + 1


def _frame_pixels(image: Image.Image) -> np.ndarray:
    """The current frame as uint8 [H, W, 3], with transparency on white."""
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return np.array(Image.alpha_composite(ground, layer).convert("RGB"))


def _shown(image: Image.Image) -> Fraction:
    milliseconds = Fraction(image.info.get("duration", 0)).limit_denominator(1000)
    if milliseconds < _SHORTEST:
        milliseconds = Fraction(_INSTEAD)
    return milliseconds * _MILLISECOND


def _read_folder(
    files: list[Path],
    size: tuple[int, int],
    rate: Fraction,
    tell: Callable[[str], None],
) -> Iterator[Frame]:
    for index, file in enumerate(files):
        try:
            image = read_image(file)
            if image.shape[:2] != size:
                raise NstjaxError(
                    f"{file} has {image.shape[1]} x {image.shape[0]} pixels, unlike "
                    f"the first frame's {size[1]} x {size[0]}"
                )
        except NstjaxError as error:
            tell(f"{error}; the frame before it is shown longer")
            continue
        yield Frame(index / rate, 1 / rate, to_uint8(image))


def _numbers(path: Path) -> tuple:
    """A sort key that puts frame10 after frame9."""
    parts = re.split(r"(\d+)", path.name)
    return tuple(int(part) if part.isdecimal() else part for part in parts)
