"""Clips that tests make: frames whose motion is known, in files of every kind."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nstjax import examples


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A photograph, uint8 [H, W, 3]."""
    return np.rint(examples.content_image("chelsea") * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pan(photograph) -> list[np.ndarray]:
    """A camera that goes 3 pixels to the right and 1 down with every frame."""
    return [photograph[20 + i : 148 + i, 60 + 3 * i : 252 + 3 * i] for i in range(8)]


@pytest.fixture(scope="session")
def figure(photograph) -> list[np.ndarray]:
    """A figure of 40 pixels that moves 4 to the right before a still ground."""
    frames = []
    for i in range(6):
        frame = photograph[150:278, 100:292].copy()
        left = 30 + 4 * i
        frame[40:80, left : left + 40] = 255 - photograph[60:100, 200:240]
        frames.append(frame)
    return frames


@pytest.fixture
def make_video(tmp_path) -> Callable[..., Path]:
    """Writes a video of uint8 frames, with or without sound."""

    def make(
        frames: Sequence[np.ndarray],
        name: str = "clip.mp4",
        *,
        times: Sequence[int] | None = None,
        sound: str | None = None,
        rotation: int = 0,
        aspect: Fraction = Fraction(1),
        encoder: str | None = None,
        container: str | None = None,
    ) -> Path:
        """Times are in milliseconds; one more than frames gives the end."""
        import av

        path = tmp_path / name
        times = times or [40 * i for i in range(len(frames) + 1)]
        encoder = encoder or ("libvpx-vp9" if name.endswith("webm") else "libx264")
        with av.open(str(path), "w", format=container) as out:
            video = out.add_stream(encoder, rate=25)
            video.height, video.width = frames[0].shape[:2]
            video.pix_fmt = "yuv420p" if encoder != "ffv1" else "bgr0"
            video.codec_context.time_base = Fraction(1, 1000)
            video.codec_context.max_b_frames = 0
            video.codec_context.sample_aspect_ratio = aspect
            video.codec_context.gop_size = 4
            if rotation:
                video.set_display_rotation(rotation)
            audio = sound and out.add_stream(sound, rate=48000, layout="stereo")
            for i, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image))
                frame.pts, frame.time_base = times[i], Fraction(1, 1000)
                frame.duration = times[i + 1] - times[i]
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
            if audio:
                _add_sound(out, audio, times[len(frames)] / 1000)
        return path

    return make


def _add_sound(out, stream, seconds: float) -> None:
    import av

    count = round(48000 * seconds)
    phase = 2 * np.pi * np.arange(count) / 48000
    tones = 0.4 * np.stack([np.sin(440 * phase), np.sin(660 * phase)])
    planar = stream.format.is_planar
    kind = np.int16 if "s16" in stream.format.name else np.float32
    samples = (tones * 32767).astype(kind) if kind == np.int16 else tones.astype(kind)
    size = stream.codec_context.frame_size or 1024
    for first in range(0, count, size):
        block = np.ascontiguousarray(samples[:, first : first + size])
        if not planar:
            block = np.ascontiguousarray(block.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            block, format=stream.format.name, layout="stereo"
        )
        frame.rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


@pytest.fixture(scope="session")
def sound_of() -> Callable[[Path], np.ndarray]:
    """A clip's sound, decoded, [channels, samples]."""

    def read(path: Path) -> np.ndarray:
        import av

        with av.open(str(path)) as container:
            blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
        return np.concatenate(blocks, axis=1)

    return read
