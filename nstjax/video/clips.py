"""Reads clips of any kind (videos, animated pictures, folders) as timed frames.

A frame is a uint8 array [H, W, 3], RGB, sRGB-encoded, upright. Times are exact
fractions of a second.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.images import MIN_SIDE
from nstjax.methods.values import number

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
# Formats that are always animations; PNG and WebP may be still pictures.
ANIMATION_SUFFIXES = (".gif", ".apng")
_MAY_BE_ANIMATED = (*ANIMATION_SUFFIXES, ".webp", ".png")
# Limits for a folder's frames per second, and for skipped frames: containers have 32
# bits for each part of a fraction.
_SLOWEST, _FASTEST = 0.001, 1000
_MOST_SKIPPED = 10**6


class Frame(NamedTuple):
    """One frame of a clip.

    Attributes:
        time: when it appears, in seconds from the beginning of the clip.
        duration: how long it is shown, in seconds.
        image: uint8 [H, W, 3], RGB.
    """

    time: Fraction
    duration: Fraction
    image: np.ndarray


@dataclasses.dataclass(frozen=True)
class Clip:
    """The properties of a clip that are known before its frames are read.

    Attributes:
        path: the file or folder.
        size: (height, width) of an upright frame.
        pixel_aspect: width of a pixel over its height.
        rate: frames per second, on average.
        time_base: the unit that times are multiples of, in seconds.
        duration: in seconds, or None if the file does not state it.
        read: yields the frames from a time on, in seconds, in order; it is given a
            function that it calls with a sentence about anything that could not be
            read.
        sound: whether the clip has sound.
        loop: how often an animated picture is played; 0 means forever.
    """

    path: Path
    size: tuple[int, int]
    pixel_aspect: Fraction
    rate: Fraction
    time_base: Fraction
    duration: Fraction | None
    read: Callable[[Fraction, Callable[[str], None]], Iterator[Frame]]
    sound: bool = False
    loop: int = 0


@dataclasses.dataclass(frozen=True)
class Cut:
    """The part of a clip to use.

    Attributes:
        start, end: in seconds from the clip's beginning; None for its beginning and
            end.
        every: use every Nth frame.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    every: int = 1

    def __post_init__(self):
        if not 1 <= self.every <= _MOST_SKIPPED:
            raise NstjaxError(
                f"every must be from 1 to {_MOST_SKIPPED}, not {self.every}"
            )
        if self.start is not None and self.start < 0:
            raise NstjaxError("the start of a part cannot be before the clip's")
        if self.end is not None and self.end <= (self.start or 0):
            raise NstjaxError("the end of a part must come after its start")


def is_clip(path: str | os.PathLike) -> bool:
    """Whether a file is a video or an animated picture, by its name and header."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix in ANIMATION_SUFFIXES:
        return True
    return suffix in _MAY_BE_ANIMATED and path.is_file() and _is_animated(path)


def is_still_gif(path: str | os.PathLike) -> bool:
    """Whether a file is a GIF with a single frame, which may be meant as a picture."""
    return _look(path) == ("GIF", False)


def open_clip(path: str | os.PathLike, *, fps: float | Fraction | None = None) -> Clip:
    """Opens a clip, whose content decides its kind, not its suffix.

    Args:
        path: a video that FFmpeg can decode, an animated GIF, WebP or APNG, or a
            folder of pictures of the same size, in the order of the numbers in their
            names.
        fps: frames per second of a folder; required for folders, and for them only.

    Raises:
        NstjaxError: if the rate is out of range, or the path does not exist, is not a
            clip, is damaged, has too small frames, or cannot be decoded.
    """
    if fps is not None:
        # Fraction does not accept NumPy's numbers.
        fps = fps if isinstance(fps, Fraction) else number("fps", fps)
        if not _SLOWEST <= fps <= _FASTEST:
            raise NstjaxError(f"fps must be from {_SLOWEST} to {_FASTEST}, not {fps}")
    path = Path(path)
    if not os.path.lexists(path):
        raise NstjaxError(f"{path} does not exist; check the clip's name")
    # Imported here: each kind imports this module's types.
    if path.is_dir():
        from nstjax.video.pictures import open_folder

        if fps is None:
            raise NstjaxError(
                f"{path} is a folder; give its number of pictures per second with --fps"
            )
        clip = open_folder(path, Fraction(fps).limit_denominator(1001))
    else:
        if fps is not None:
            raise NstjaxError(f"--fps is for folders of frames; {path} has its own")
        if _is_animated(path):
            from nstjax.video.pictures import open_animation

            clip = open_animation(path)
        else:
            from nstjax.video.decoding import open_video

            clip = open_video(path)
    if min(clip.size) < MIN_SIDE:
        raise NstjaxError(
            f"{path} has {clip.size[1]} x {clip.size[0]} pixels, too few for style "
            f"transfer; both sides must be at least {MIN_SIDE}"
        )
    return clip


def read_frames(
    clip: Clip,
    cut: Cut | None = None,
    *,
    tell: Callable[[str], None] = lambda message: None,
) -> Iterator[Frame]:
    """The frames of a part of a clip, in order.

    Args:
        clip: from `open_clip`.
        cut: the part to read; by default all of it.
        tell: called with a sentence about anything that could not be read.

    Yields:
        Frames with the clip's own times. With ``every``, a frame has the duration of
        all the frames that it replaces.
    """
    cut = cut or Cut()
    kept, skipped = None, 0
    for frame in clip.read(cut.start or Fraction(0), tell):
        if cut.start is not None and frame.time < cut.start:
            continue
        if cut.end is not None and frame.time >= cut.end:
            break
        if kept is not None and skipped < cut.every - 1:
            skipped += 1
            kept = kept._replace(duration=frame.time + frame.duration - kept.time)
            continue
        if kept is not None:
            # A file's durations are less reliable than the next frame's time.
            yield kept._replace(duration=frame.time - kept.time)
        kept, skipped = frame, 0
    if kept is not None:
        yield kept


def _is_animated(path: Path) -> bool:
    format, several = _look(path)
    # A GIF with one frame is a clip with one frame; other formats are still pictures.
    return format == "GIF" or several


def _look(path: str | os.PathLike) -> tuple[str | None, bool]:
    """A picture's format (None if it is not one), and whether it has several frames."""
    try:
        with Image.open(path, formats=("GIF", "WEBP", "PNG")) as image:
            return image.format, getattr(image, "is_animated", False)
    except Exception:  # Pillow raises nearly anything for damaged files
        return None, False
