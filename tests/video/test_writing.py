"""Coded segments joined with the sound: times, sizes, samples."""

import os
from fractions import Fraction

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.video.clips import open_clip, read_frames
from nstjax.video.encoding import SegmentEncoder, choose_coding, join, write_animation

av = pytest.importorskip("av", reason="clips need the extra [video]")

VARIABLE = [0, 40, 60, 160, 200, 280, 300, 400, 520]


def _write(path, clip, images, times, tmp_path, **options):
    """Codes images in segments of 3 frames; returns what is said of the sound."""
    coding = choose_coding(path, clip, images[0].shape[:2])
    unit = 1000 * coding.time_base
    marks = [int(time / unit) for time in times]
    if not coding.in_segments:
        write_animation(path, images, marks[:-1], marks[-1], coding=coding)
        return None
    segments = []
    for first in range(0, len(images), 3):
        segments.append(tmp_path / f"{first}.segment")
        encoder = SegmentEncoder(segments[-1], coding)
        for image in images[first : first + 3]:
            encoder.add(image)
        encoder.close()
    return join(
        path, segments, marks[:-1], marks[-1], coding=coding, clip=clip, **options
    )


@pytest.mark.parametrize(
    "suffix", ["mp4", "mov", "mkv", "webm", "gif", "apng", "webp", "avi"]
)
def test_frames_and_times_of_a_variable_rate(pan, make_video, tmp_path, suffix):
    clip = open_clip(make_video(pan, times=VARIABLE))
    path = tmp_path / f"out.{suffix}"
    if suffix == "avi":
        with pytest.raises(NstjaxError, match="what kind of clip"):
            choose_coding(path, clip, (128, 192))
        return
    assert _write(path, clip, pan, VARIABLE, tmp_path) is None
    frames = list(read_frames(open_clip(path)))
    times = [float(f.time) for f in frames]
    np.testing.assert_allclose(times, np.array(VARIABLE[:-1]) / 1000, atol=1e-9)
    # An animated WebP's last frame is shown for as long as the others on average.
    end = 0.4 + 0.4 / 7 if suffix == "webp" else 0.52
    assert float(frames[-1].time + frames[-1].duration) == pytest.approx(end, abs=2e-3)
    for frame, image in zip(frames, pan, strict=True):
        error = np.abs(frame.image.astype(float) - image).mean()
        assert error < (8 if suffix in ("gif", "webp") else 4)


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_odd_sizes(pan, make_video, tmp_path, suffix):
    images = [image[:101, :151] for image in pan]
    clip = open_clip(make_video(pan))
    path = tmp_path / f"out.{suffix}"
    _write(path, clip, images, [40 * i for i in range(9)], tmp_path)
    (first, *_) = read_frames(open_clip(path))
    # H.264 with halved colours has even sides: the last row and column come twice.
    size = (102, 152) if suffix == "mp4" else (101, 151)
    assert first.image.shape[:2] == size
    assert np.abs(first.image[:101, :151].astype(float) - images[0]).mean() < 8


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores, and a system that lets one be left out",
)
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1", "mpeg4"])
def test_bits_do_not_depend_on_the_number_of_cores(pan, make_video, tmp_path, codec):
    clip = open_clip(make_video(pan))
    coding = choose_coding(tmp_path / "out.mkv", clip, (128, 192), codec=codec)
    cores = os.sched_getaffinity(0)

    def coded(cores):
        os.sched_setaffinity(0, cores)
        encoder = SegmentEncoder(tmp_path / "segment", coding)
        for image in pan:
            encoder.add(image)
        encoder.close()
        with av.open(str(tmp_path / "segment")) as container:
            return [bytes(packet) for packet in container.demux() if packet.size]

    try:
        assert coded({min(cores)}) == coded(cores)
    finally:
        os.sched_setaffinity(0, cores)


def test_colours_keep_their_means(make_video, tmp_path, pan):
    flat = np.empty((64, 64, 3), np.uint8)
    flat[:32], flat[32:] = (200, 40, 60), (30, 160, 220)
    clip = open_clip(make_video(pan))
    _write(tmp_path / "out.mp4", clip, [flat] * 3, [0, 40, 80, 120], tmp_path)
    (first, *_) = read_frames(open_clip(tmp_path / "out.mp4"))
    for rows in (slice(4, 28), slice(36, 60)):
        difference = first.image[rows].mean((0, 1)) - flat[rows].mean((0, 1))
        assert np.abs(difference).max() < 3


def test_pixel_aspect_is_kept(pan, make_video, tmp_path):
    clip = open_clip(make_video(pan, aspect=Fraction(4, 3)))
    _write(tmp_path / "out.mp4", clip, pan, [40 * i for i in range(9)], tmp_path)
    assert open_clip(tmp_path / "out.mp4").pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize(
    "name, sound, out",
    [
        ("clip.mp4", "aac", "out.mp4"),
        ("clip.mp4", "aac", "out.mov"),
        ("clip.webm", "libopus", "out.webm"),
        ("clip.webm", "libopus", "out.mkv"),
        ("clip.mov", "pcm_s16le", "out.mov"),
    ],
)
def test_sound_is_copied_sample_by_sample(
    pan, make_video, sound_of, tmp_path, name, sound, out
):
    source = make_video(pan * 4, name, sound=sound)
    clip = open_clip(source)
    times = [40 * i for i in range(33)]
    assert clip.sound
    assert _write(tmp_path / out, clip, pan * 4, times, tmp_path) is None
    samples = sound_of(tmp_path / out)
    np.testing.assert_array_equal(samples, sound_of(source))
    assert samples.shape[1] > 40_000


@pytest.mark.parametrize(
    "name, sound, out, coded",
    [
        ("clip.mkv", "pcm_s16le", "out.webm", "opus"),
        ("clip.mkv", "pcm_s16le", "out.mp4", "aac"),
        ("clip.webm", "libopus", "out.mov", "aac"),
    ],
)
def test_sound_is_coded_anew_where_the_container_needs_it(
    pan, make_video, sound_of, tmp_path, name, sound, out, coded
):
    source = make_video(pan * 4, name, sound=sound)
    times = [40 * i for i in range(33)]
    note = _write(tmp_path / out, open_clip(source), pan * 4, times, tmp_path)
    assert f"re-encoded as {coded}" in note
    samples = sound_of(tmp_path / out)[0]
    spectrum = np.abs(np.fft.rfft(samples[4800:43200]))
    assert np.argmax(spectrum) * 48000 / 38400 == pytest.approx(440, abs=2)


def test_sound_of_a_part(pan, make_video, sound_of, tmp_path):
    source = make_video(pan * 4, "clip.mov", sound="pcm_s16le")
    times = [40 * i for i in range(11)]
    shift = Fraction(1, 2)
    _write(
        tmp_path / "out.mov", open_clip(source), pan[:5] * 2, times, tmp_path,
        shift=shift, cut_sound=True,
    )  # fmt: skip
    whole = sound_of(source).reshape(-1, 2)
    part = sound_of(tmp_path / "out.mov").reshape(-1, 2)
    # Packets are not cut: up to one of 1,024 samples more at either end.
    assert abs(len(part) - 19200) <= 2048
    starts = [i for i in range(22900, 24100) if (whole[i : i + 64] == part[:64]).all()]
    assert starts and min(abs(start - 24000) for start in starts) <= 1024


@pytest.mark.parametrize(
    "name, codec, words",
    [
        ("out.mp4", "nonsense", "no encoder"),
        ("out.webm", "h264", "cannot hold"),
        ("out.mp4", "aac", "cannot hold"),
        ("out.gif", "h264", "only one encoding"),
        ("out.txt", None, "what kind of clip"),
    ],
)
def test_codings_that_do_not_exist(pan, make_video, tmp_path, name, codec, words):
    clip = open_clip(make_video(pan))
    with pytest.raises(NstjaxError, match=words):
        choose_coding(tmp_path / name, clip, (128, 192), codec=codec)
    with pytest.raises(NstjaxError, match="1 to 100"):
        choose_coding(tmp_path / "out.mp4", clip, (128, 192), quality=101)
