"""Writes painted frames to files: encoded segments, joined with the sound.

Every segment is encoded separately, by a new encoder. Its bits depend on its own frames
only, so a run that continues after a stop writes the same bits as an uninterrupted one.
"""

import contextlib
import dataclasses
import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.methods.values import whole_number
from nstjax.video.clips import Clip
from nstjax.video.decoding import open_container, origin, sound_packets
from nstjax.video.needs import pyav

# FFmpeg's name of each container.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
# Animated pictures: FFmpeg's container and encoder.
ANIMATIONS = {
    ".gif": ("gif", "gif"),
    ".apng": ("apng", "apng"),
    ".png": ("apng", "apng"),
    ".webp": ("webp", "libwebp_anim"),
}
# Short names of encoders; other names are FFmpeg's own.
ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
}
# Each encoder's worst constant rate factor, and further options.
_SCALES = {"libx264": 51, "libx265": 51, "libvpx-vp9": 63, "libsvtav1": 63}
_OPTIONS = {
    # With mbtree; without it, files of the same quality are a tenth (for a pan) to a
    # fifth (for a still background) larger. With it, 1 of 200 runs gave different bits
    # at 96 x 64 pixels, and none at nine other sizes, or without its assembly code.
    "libx264": {"preset": "medium"},
    "libx265": {"preset": "medium", "x265-params": "log-level=error"},
    "libvpx-vp9": {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "libsvtav1": {"preset": "8", "svtav1-params": "lp=1"},
}
# The same on every machine: the bits depend on it, and painting takes longer anyway.
_THREADS = "2"
# The sound encoder to use if a container cannot hold the clip's own sound.
_SOUND = {"webm": "libopus"}
_OTHER_SOUND = "aac"
# Visually near lossless for H.264 (a constant rate factor of 18).
QUALITY = 65
# The number of colours in a palette.
_COLOURS = 256
# BT.709, in FFmpeg's numbers.
_BT709 = 1


@dataclasses.dataclass(frozen=True)
class Coding:
    """How frames are encoded.

    Attributes:
        container: FFmpeg's name.
        encoder: FFmpeg's name.
        quality: 1 to 100.
        size: (height, width) of the frames.
        pixel_aspect: width of a pixel over its height.
        rate: frames per second, for the encoder's own decisions.
        time_base: the unit of times, in seconds.
        loop: how often an animated picture is played; 0 means forever.
    """

    container: str
    encoder: str
    quality: int
    size: tuple[int, int]
    pixel_aspect: Fraction
    rate: Fraction
    time_base: Fraction
    loop: int = 0

    @property
    def in_segments(self) -> bool:
        """Whether frames are encoded as they arrive, unlike animated pictures."""
        return self.container in CONTAINERS.values()

    @property
    def coded_size(self) -> tuple[int, int]:
        """The encoded (height, width): subsampled colours need even sides."""
        if self.encoder in ("libx264", "libx265", "libsvtav1"):
            height, width = (side + side % 2 for side in self.size)
            return height, width
        return self.size


def check_coding(codec: Any, quality: Any) -> None:
    """Checks the codec and quality before the clip is opened.

    Raises:
        NstjaxError: if the codec is not a name, or the quality is out of range.
    """
    if not isinstance(codec, str | None):
        raise NstjaxError(f"the codec must be a name such as h264, not {codec!r}")
    if not 1 <= whole_number("the quality", quality) <= 100:
        raise NstjaxError(f"the quality must be from 1 to 100, not {quality}")


def choose_coding(
    output: Path,
    clip: Clip,
    size: tuple[int, int],
    *,
    codec: str | None = None,
    quality: int = QUALITY,
) -> Coding:
    """Chooses the container from the output's name, and the encoder for the container.

    Raises:
        NstjaxError: if the name does not determine a container, FFmpeg lacks the
            encoder, the container does not support it, or the quality is out of range.
    """
    check_coding(codec, quality)
    suffix = output.suffix.lower()
    rate = min(clip.rate, Fraction(1000)).limit_denominator(1001)
    coding = partial(
        Coding,
        quality=quality,
        size=size,
        pixel_aspect=clip.pixel_aspect,
        rate=rate,
        time_base=clip.time_base,
        loop=clip.loop,
    )
    if suffix in ANIMATIONS:
        if codec is not None:
            raise NstjaxError(f"{suffix} allows only one encoding; leave out --codec")
        container, encoder = ANIMATIONS[suffix]
        return coding(container, encoder)
    if suffix not in CONTAINERS:
        raise NstjaxError(
            f"{output} does not say what kind of clip to write; end its name in one "
            f"of {', '.join((*CONTAINERS, *ANIMATIONS))}"
        )
    container = CONTAINERS[suffix]
    name = codec or ("vp9" if container == "webm" else "h264")
    encoder = ENCODERS.get(name, name)
    av = pyav()
    try:
        found = av.codec.Codec(encoder, "w")
    except (av.FFmpegError, ValueError) as error:
        raise NstjaxError(
            f"there is no encoder {name}; choose {', '.join(ENCODERS)}, or another of "
            "FFmpeg's"
        ) from error
    fits = found.type == "video" and found.video_formats
    # Segments are Matroska files.
    for kind in (container, "matroska"):
        with av.open(_Nowhere(), "w", format=kind) as trial:
            fits = fits and found.canonical_name in trial.supported_codecs
    if not fits:
        raise NstjaxError(f"{suffix} cannot hold {name}; choose another --codec")
    return coding(container, encoder)


@contextlib.contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turns FFmpeg's errors on writing into a one-sentence NstjaxError."""
    try:
        yield
    except pyav().FFmpegError as error:
        reason = getattr(error, "strerror", None) or error
        raise NstjaxError(
            f"{path} cannot be encoded ({reason}); choose another --codec or another "
            "kind of clip"
        ) from error


class SegmentEncoder:
    """Encodes frames to a Matroska file, whose times have no meaning."""

    def __init__(self, path: Path, coding: Coding):
        av = pyav()
        self._coding = coding
        self._path = path
        self._container = av.open(str(path), "w", format="matroska")
        rate = coding.rate
        stream = self._container.add_stream(coding.encoder, rate=rate)
        height, width = coding.coded_size
        stream.width, stream.height = width, height
        stream.pix_fmt = _pixel_format(coding.encoder)
        context = stream.codec_context
        context.time_base = 1 / rate
        # With frames predicted from later ones, an MP4 file cannot keep the times of a
        # variable rate exactly, since it stores differences in decoding order.
        context.max_b_frames = 0
        context.sample_aspect_ratio = coding.pixel_aspect
        # Players guess the matrix from the size if none is stated.
        self._matrix = "ITU709" if stream.pix_fmt.startswith("yuv") else None
        if self._matrix:
            context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.options = _encoder_options(coding)
        self._stream = stream
        self._count = 0

    def add(self, image: np.ndarray) -> None:
        """Encodes a frame, uint8 [H, W, 3]."""
        av = pyav()
        frame = av.VideoFrame.from_ndarray(_padded(image, self._coding.coded_size))
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace=self._matrix)
        if self._matrix:
            frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
        frame.pts = self._count
        frame.time_base = 1 / self._coding.rate
        self._count += 1
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encodes the frames that are still held back, and closes the file."""
        if self._count:
            self._mux(self._stream.encode(None))
        self._container.close()

    def _mux(self, packets: Sequence[Any]) -> None:
        self._container.mux(packets)


def join(
    path: Path,
    segments: Sequence[Path],
    times: Sequence[int],
    end: int,
    *,
    coding: Coding,
    clip: Clip,
    shift: Fraction = Fraction(0),
    cut_sound: bool = False,
) -> str | None:
    """Writes a clip from encoded segments and the sound of another clip.

    Args:
        path: the file to write.
        segments: files of `SegmentEncoder`, in order.
        times: when each frame appears, in units of ``coding.time_base``.
        end: when the last one disappears.
        coding: the segments' coding.
        clip: the clip whose sound to use.
        shift: the time in `clip` at which the new clip starts, in seconds.
        cut_sound: whether the sound ends with the last frame; by default it ends with
            the clip's.

    Returns:
        A sentence about the sound, if it was not copied.
    """
    av = pyav()
    options = {"movflags": "+faststart"} if coding.container in ("mp4", "mov") else {}
    note = None
    with av.open(
        str(path), "w", format=coding.container, container_options=options
    ) as out:
        with av.open(str(segments[0])) as first:
            stream = out.add_stream_from_template(first.streams.video[0], opaque=True)
        stream.time_base = coding.time_base
        stream.sample_aspect_ratio = coding.pixel_aspect
        sources = [_coded_packets(segments, times, end, coding, stream)]
        container = None
        try:
            if clip.sound:
                container = open_container(clip.path)
                until = shift + end * coding.time_base if cut_sound else None
                sound, note = _sound(container, out, shift, until)
                sources.append(sound)
            # In containers, data that are played together should be stored together.
            for _, _, packet in heapq.merge(*map(_dated, range(2), sources)):
                out.mux(packet)
        finally:
            if container is not None:
                container.close()
    return note


def write_animation(
    path: Path,
    images: Iterable[np.ndarray],
    times: Sequence[int],
    end: int,
    *,
    coding: Coding,
) -> None:
    """Writes an animated picture.

    Args:
        path: the file to write.
        images: frames, uint8 [H, W, 3].
        times, end, coding: as for `join`.
    """
    av = pyav()
    loop = {"apng": "plays"}.get(coding.container, "loop")
    # A GIF states how often it is repeated: in FFmpeg, -1 means never.
    begins_again = coding.loop - 1 if coding.loop > 1 else -coding.loop
    options = {loop: str(begins_again if coding.container == "gif" else coding.loop)}
    # The duration of the last frame, which does not follow from the other times.
    # FFmpeg's WebP has no such option and shows it for the average duration of the
    # others.
    shown = (end - times[-1]) * coding.time_base
    if coding.container == "apng":
        options["final_delay"] = str(shown.limit_denominator(1000))
    if coding.container == "gif":
        options["final_delay"] = str(round(shown * 100))
    with av.open(
        str(path), "w", format=coding.container, container_options=options
    ) as out:
        stream = out.add_stream(coding.encoder, rate=coding.rate)
        stream.height, stream.width = coding.size
        stream.pix_fmt = _pixel_format(coding.encoder)
        stream.codec_context.time_base = Fraction(1, 1000)
        if coding.encoder == "libwebp_anim":
            stream.codec_context.options = {"quality": str(coding.quality)}
        # Milliseconds, as in Pillow and browsers.
        marks = [round(t * coding.time_base * 1000) for t in (*times, end)]
        for number, image in enumerate(images):
            frame = _animation_frame(image, stream.pix_fmt)
            frame.pts, frame.time_base = marks[number], Fraction(1, 1000)
            frame.duration = marks[number + 1] - marks[number]
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)


def _animation_frame(image: np.ndarray, pixel_format: str) -> Any:
    av = pyav()
    if pixel_format != "pal8":
        return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
            format=pixel_format
        )
    # Every frame has its own palette; FFmpeg's encoder would use one for all.
    picture = Image.fromarray(image).quantize(_COLOURS, dither=Image.Dither.NONE)
    colours = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)
    palette[: len(colours), 1:] = colours
    return av.VideoFrame.from_ndarray((np.asarray(picture), palette), format="pal8")


def _coded_packets(
    segments: Sequence[Path],
    times: Sequence[int],
    end: int,
    coding: Coding,
    stream: Any,
) -> Iterator[Any]:
    """The segments' packets, with the times of their frames in the clip."""
    marks = [*times, end]
    for number, packet in enumerate(_packets(segments)):
        packet.pts = packet.dts = marks[number]
        packet.duration = marks[number + 1] - marks[number]
        packet.time_base = coding.time_base
        packet.stream = stream
        yield packet


def _packets(segments: Sequence[Path]) -> Iterator[Any]:
    for path in segments:
        with pyav().open(str(path)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    yield packet


def _sound(
    container: Any, out: Any, shift: Fraction, until: Fraction | None
) -> tuple[Iterator[Any], str | None]:
    """Packets of a clip's sound for another clip, copied if its container allows."""
    found = [s for s in container.streams.audio if s.codec_context is not None]
    source = found[0]
    begin = origin(container) + shift
    stop = None if until is None else origin(container) + until
    if _can_hold(out.format.name, source):
        stream = out.add_stream_from_template(source, opaque=True)
        return _copied(container, source, stream, begin, stop), None
    name = _SOUND.get(out.format.name, _OTHER_SOUND)
    keeps_rate = name == _OTHER_SOUND and source.rate == 44_100
    layout = "mono" if source.channels == 1 else "stereo"
    stream = out.add_stream(name, rate=44_100 if keeps_rate else 48_000, layout=layout)
    note = (
        f"the sound is {source.codec_context.name}, which {out.format.name} cannot "
        f"hold, and was re-encoded as {name.removeprefix('lib')}"
    )
    return _recoded(container, source, stream, begin, stop), note


def _can_hold(container: str, source: Any) -> bool:
    """Whether a container can hold a stream unchanged, and players accept it."""
    if container == "mp4" and source.codec_context.name.startswith("pcm_"):
        return False
    av = pyav()
    # FFmpeg may refuse even what it lists as supported.
    try:
        with av.open(_Nowhere(), "w", format=container) as trial:
            trial.add_stream_from_template(source, opaque=True)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _copied(
    container: Any, source: Any, stream: Any, begin: Fraction, stop: Fraction | None
) -> Iterator[Any]:
    base = Fraction(source.time_base)
    offset, before = round(begin / base), None
    if offset:
        container.seek(offset, stream=source, backward=True)
    for packet in sound_packets(container, source):
        # The first packet of an encoder with a delay has a time before 0.
        ends = (packet.pts + (packet.duration or 0)) * base
        if begin > origin(container) and ends <= begin:
            continue
        if stop is not None and packet.pts * base >= stop:
            break
        if before is not None and packet.pts <= before:
            # From a damaged file; containers require ordered times.
            continue
        before = packet.pts
        packet.pts -= offset
        packet.dts = packet.pts
        packet.stream = stream
        yield packet


def _recoded(
    container: Any, source: Any, stream: Any, begin: Fraction, stop: Fraction | None
) -> Iterator[Any]:
    av = pyav()
    base = Fraction(source.time_base)
    if begin:
        container.seek(round(begin / base), stream=source, backward=True)
    resampler = av.AudioResampler(
        format=stream.format, layout=stream.layout, rate=stream.rate
    )
    fifo = av.AudioFifo()
    size = stream.codec_context.frame_size or 1024
    written: int | None = None

    def coded(block: Any) -> Iterator[Any]:
        nonlocal written
        block.pts, block.time_base = written, Fraction(1, stream.rate)
        written += block.samples
        yield from stream.encode(block)

    for packet in sound_packets(container, source):
        if stop is not None and packet.pts * base >= stop:
            break
        for frame in _decoded(packet):
            time = begin if frame.pts is None else frame.pts * base
            if time < begin:
                continue
            if written is None:
                written = round((time - begin) * stream.rate)
            try:
                pieces = resampler.resample(frame)
            except ValueError:
                # A damaged file's frame, in a format unlike those before it.
                continue
            for piece in pieces:
                piece.pts = None
                fifo.write(piece)
            while (block := fifo.read(size)) is not None:
                yield from coded(block)
    for piece in resampler.resample(None):
        piece.pts = None
        fifo.write(piece)
    while (block := fifo.read(size, partial=True)) is not None and block.samples:
        yield from coded(block)
    yield from stream.encode(None)


def _decoded(packet: Any) -> list[Any]:
    """A packet's frames; none if it is damaged."""
    try:
        return packet.decode()
    except pyav().FFmpegError:
        return []


def _dated(source: int, packets: Iterator[Any]) -> Iterator[tuple]:
    """Packets with keys that order them among those of other sources."""
    for packet in packets:
        yield packet.dts * packet.time_base, source, packet


def _padded(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    down, right = (new - old for new, old in zip(size, image.shape, strict=False))
    if not (down or right):
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, down), (0, right), (0, 0)), mode="edge")


def _pixel_format(encoder: str) -> str:
    known = {"gif": "pal8", "apng": "rgb24", "libwebp_anim": "yuv420p"}
    if encoder in known:
        return known[encoder]
    formats = [f.name for f in pyav().codec.Codec(encoder, "w").video_formats or ()]
    # Formats that play everywhere, or else keep full colour resolution.
    return next((f for f in ("yuv420p", "yuv422p10le") if f in formats), formats[0])


def _encoder_options(coding: Coding) -> dict[str, str]:
    options = {"threads": _THREADS} | _OPTIONS.get(coding.encoder, {})
    if coding.encoder in _SCALES:
        worst = _SCALES[coding.encoder]
        options["crf"] = str(round(worst * (100 - coding.quality) / 100))
    return options


class _Nowhere:
    """A file that discards everything."""

    def write(self, data: bytes) -> int:
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0
