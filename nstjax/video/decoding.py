"""Reads videos with FFmpeg, through PyAV: upright RGB frames, and unchanged sound."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.video.clips import Clip, Frame
from nstjax.video.needs import pyav

# If a file names no matrix, players assume BT.709 for high definition.
_HIGH_DEFINITION = 720
# After this many consecutive undecodable packets, a file is given up.
_MOST_BROKEN = 500
# How much a file's duration may differ from the end of its last frame, in seconds.
_ROUNDING = Fraction(1, 2)


def open_video(path: Path) -> Clip:
    """Opens a video file.

    Raises:
        NstjaxError: if it is not a video, is damaged or cannot be decoded.
    """
    with open_container(path) as container:
        stream = container.streams.video[0]
        first = _first_frame(path, container, stream)
        turns = _quarter_turns(first)
        size = (first.height, first.width)
        aspect = _pixel_aspect(stream)
        if turns % 2:
            size, aspect = size[::-1], 1 / aspect
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return Clip(
            path=path,
            size=size,
            pixel_aspect=aspect,
            rate=Fraction(rate),
            time_base=Fraction(stream.time_base),
            duration=_duration(container, stream),
            read=lambda start, tell: _read(path, start, tell),
            sound=any(s.codec_context is not None for s in container.streams.audio),
        )


def sound_packets(container: Any, stream: Any) -> Iterator[Any]:
    """A sound stream's unchanged packets, as far as the file can be read."""
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                yield packet
    except pyav().FFmpegError:
        # A truncated file, which the reader of frames reports.
        return


def origin(container: Any) -> Fraction:
    """The start of a container's clock, in seconds."""
    return Fraction(container.start_time or 0, 1_000_000)


def open_container(path: Path) -> Any:
    """Opens a video file, whatever the encoding of its titles.

    Raises:
        NstjaxError: if it cannot be read or decoded, or has no pictures.
    """
    av = pyav()
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise NstjaxError(f"{path} {_why_unreadable(path, error)}") from error
    if not container.streams.video:
        container.close()
        raise NstjaxError(f"{path} has no picture track; give a video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        container.close()
        raise NstjaxError(
            f"{path} is encoded in a way that FFmpeg cannot decode; convert it to H.264"
        )
    stream.thread_type = "AUTO"
    return container


def _first_frame(path: Path, container: Any, stream: Any) -> Any:
    av = pyav()
    problem: Any = "it does not hold one complete frame"
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    return frame
            except av.FFmpegError as error:
                problem = error
    except av.FFmpegError as error:
        problem = error
    raise NstjaxError(
        f"{path} cannot be decoded ({_reason(problem)}); get an intact copy, or "
        "convert it to H.264"
    )


def _read(path: Path, start: Fraction, tell: Callable[[str], None]) -> Iterator[Frame]:
    av = pyav()
    with open_container(path) as container:
        stream = container.streams.video[0]
        began = origin(container)
        base = Fraction(stream.time_base)
        if start > 0:
            # To the last key frame before that time.
            target = int((start + began) / base)
            container.seek(target, stream=stream, backward=True)
        last, broken, row = None, 0, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                decoded = packet.decode()
                row = 0
            except av.FFmpegError as error:
                if isinstance(error, av.EOFError):
                    break
                broken, row = broken + 1, row + 1
                if row > _MOST_BROKEN:
                    break
                continue
            for frame in decoded:
                broken += bool(frame.is_corrupt)
                if frame.pts is None:
                    time = last.time + last.duration if last else Fraction(0)
                else:
                    time = frame.pts * base - began
                if last is not None and time <= last.time:
                    # If two frames have the same time, the second is dropped.
                    continue
                rate = stream.average_rate or stream.guessed_rate or 25
                duration = frame.duration * base if frame.duration else 1 / rate
                if last is not None:
                    yield last
                last = Frame(time, Fraction(duration), _to_rgb(frame))
        if broken:
            tell(
                f"{path}: {broken} frames are damaged or could not be decoded; the "
                "frames that could be read are painted"
            )
        if last is None:
            return
        whole = _duration(container, stream) or Fraction(0)
        ended = last.time + last.duration
        if whole - ended > max(_ROUNDING, 3 * last.duration):
            tell(
                f"{path} breaks off after {float(ended):.1f} of {float(whole):.1f} s; "
                "the frames up to there are painted"
            )
        elif whole > ended:
            # Matroska does not state how long a single frame is shown.
            last = last._replace(duration=whole - last.time)
        yield last


def _to_rgb(frame: Any) -> np.ndarray:
    """A decoded frame as uint8 [H, W, 3], upright."""
    unspecified = 2
    matrix = None
    if frame.colorspace == unspecified and frame.height >= _HIGH_DEFINITION:
        matrix = "ITU709"
    image = frame.to_ndarray(format="rgb24", src_colorspace=matrix)
    return np.ascontiguousarray(np.rot90(image, _quarter_turns(frame)))


def _quarter_turns(frame: Any) -> int:
    """Counter-clockwise quarter turns that bring a frame upright."""
    return round(frame.rotation / 90) % 4


def _pixel_aspect(stream: Any) -> Fraction:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect else Fraction(1)


def _duration(container: Any, stream: Any) -> Fraction | None:
    if stream.duration:
        return stream.duration * Fraction(stream.time_base)
    if container.duration:
        return Fraction(container.duration, 1_000_000)
    return None


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read; check its permissions"
    if path.stat().st_size == 0:
        return "is empty (0 bytes); get an intact copy"
    return (
        "is not a video that FFmpeg can read, or is damaged or incomplete "
        f"({_reason(error)}); get an intact copy"
    )


def _reason(error: Any) -> str:
    return str(getattr(error, "strerror", None) or error)
