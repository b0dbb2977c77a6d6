"""Frames as files hold them: times, sizes, turns, what is broken."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.video.clips import Cut, is_clip, is_still_gif, open_clip, read_frames

pytest.importorskip("av", reason="clips need the extra [video]")

VARIABLE = [0, 40, 60, 160, 200, 280, 300, 400, 520]


def _times(frames):
    return [float(frame.time) for frame in frames]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.webm"])
def test_times_of_a_variable_rate(pan, make_video, name):
    path = make_video(pan, name, times=VARIABLE)
    clip = open_clip(path)
    frames = list(read_frames(clip))
    assert clip.size == (128, 192) and not clip.sound
    np.testing.assert_allclose(_times(frames), np.array(VARIABLE[:-1]) / 1000)
    durations = [float(frame.duration) for frame in frames[:-1]]
    np.testing.assert_allclose(durations, np.diff(VARIABLE)[:-1] / 1000)
    # Coded with loss, and converted from RGB to YUV and back.
    error = np.abs(frames[3].image.astype(float) - pan[3]).mean()
    assert error < 6


def test_lossless_frames_come_back_as_they_were(pan, make_video):
    path = make_video(pan, "clip.mkv", encoder="ffv1")
    for frame, image in zip(read_frames(open_clip(path)), pan, strict=True):
        np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_a_turned_phone_clip_is_upright(pan, make_video, turn):
    path = make_video(pan, rotation=turn, aspect=Fraction(4, 3))
    with av_frames(path) as raw:
        told = raw.rotation
    clip = open_clip(path)
    (first, *_) = read_frames(clip)
    turned = np.rot90(pan[0], told // 90)
    assert told % 360 == turn % 360
    assert clip.size == turned.shape[:2] == first.image.shape[:2]
    assert np.abs(first.image.astype(float) - turned).mean() < 6
    assert clip.pixel_aspect == (Fraction(4, 3) if turn == 180 else Fraction(3, 4))


def av_frames(path):
    import contextlib

    import av

    @contextlib.contextmanager
    def first():
        with av.open(str(path)) as container:
            yield next(container.decode(video=0))

    return first()


def test_parts_of_a_clip(pan, make_video):
    clip = open_clip(make_video(pan, times=VARIABLE))
    part = Cut(start=Fraction(15, 100), end=Fraction(45, 100))
    assert _times(read_frames(clip, part)) == [0.16, 0.2, 0.28, 0.3, 0.4]
    frames = list(read_frames(clip, Cut(every=3)))
    assert _times(frames) == [0, 0.16, 0.3]
    assert [float(f.duration) for f in frames[:2]] == [0.16, 0.14]
    with pytest.raises(NstjaxError, match="must come after"):
        Cut(start=Fraction(2), end=Fraction(1))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animated_pictures(tmp_path, pan, suffix):
    path = tmp_path / f"clip.{suffix}"
    first, *others = (Image.fromarray(image) for image in pan[:4])
    options = {"lossless": True} if suffix == "webp" else {}
    durations = [40, 120, 60, 200]
    first.save(
        path, save_all=True, append_images=others, duration=durations, loop=3, **options
    )
    assert is_clip(path)
    clip = open_clip(path)
    frames = list(read_frames(clip))
    assert _times(frames) == [0, 0.04, 0.16, 0.22]
    # A GIF says how often it begins again, others how often they are shown.
    assert clip.loop == (4 if suffix == "gif" else 3)
    assert float(frames[-1].duration) == 0.2
    error = np.abs(frames[2].image.astype(float) - pan[2]).mean()
    assert error < (8 if suffix == "gif" else 0.01)


def test_a_gif_of_one_frame_may_be_a_picture(tmp_path, pan):
    first, second = map(Image.fromarray, pan[:2])
    first.save(tmp_path / "still.gif")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    assert is_still_gif(tmp_path / "still.gif")
    assert not is_still_gif(tmp_path / "moving.gif")
    assert not is_still_gif(tmp_path / "none.gif")


def test_stills_are_no_clips(tmp_path, pan):
    Image.fromarray(pan[0]).save(tmp_path / "still.png")
    assert not is_clip(tmp_path / "still.png")
    assert not is_clip("chelsea")


def test_a_folder_of_numbered_frames(tmp_path, pan):
    for i, image in enumerate(pan):
        Image.fromarray(image).save(tmp_path / f"frame{i + 6}.png")
    with pytest.raises(NstjaxError, match="--fps"):
        open_clip(tmp_path)
    clip = open_clip(tmp_path, fps=30)
    frames = list(read_frames(clip))
    assert [frame.time for frame in frames] == [Fraction(i, 30) for i in range(8)]
    # frame10 comes after frame9.
    np.testing.assert_array_equal(frames[4].image, pan[4])
    # Another script's digits are no numbers.
    Image.fromarray(pan[0]).save(tmp_path / "frame\u00b2.png")
    assert len(list(read_frames(open_clip(tmp_path, fps=30)))) == 9


def test_what_is_no_video(tmp_path, pan, make_video):
    (tmp_path / "text.mp4").write_text("no video at all, only words. " * 50)
    (tmp_path / "empty.mp4").touch()
    whole = make_video(pan, "whole.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "coded.mp4").write_bytes(whole.replace(b"avc1", b"zzz9"))
    make_sound_only(tmp_path / "sound.mp4")
    for name, words in (
        ("text.mp4", "is not a video"),
        ("empty.mp4", "is empty"),
        ("half.mp4", "damaged or incomplete"),
        ("coded.mp4", "cannot"),
        ("sound.mp4", "no picture track"),
        ("missing.mp4", "does not exist"),
    ):
        with pytest.raises(NstjaxError, match=words) as caught:
            open_clip(tmp_path / name)
        assert "\n" not in str(caught.value)


def make_sound_only(path):
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_a_clip_that_breaks_off(tmp_path, pan, make_video):
    whole = make_video(pan * 8, "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    told = []
    frames = list(read_frames(open_clip(tmp_path / "half.mkv"), tell=told.append))
    assert 16 < len(frames) < 60
    assert any("breaks off" in message for message in told)


def test_a_broken_frame_in_the_middle(tmp_path, pan, make_video):
    import av

    path = make_video(pan * 4, "whole.mp4")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        # A key frame's, for others are predicted from it.
        start, length = packets[16].pos, packets[16].size
    data = bytearray(path.read_bytes())
    data[start + 4 : start + length] = bytes(length - 4)
    (tmp_path / "broken.mp4").write_bytes(data)
    told = []
    frames = list(read_frames(open_clip(tmp_path / "broken.mp4"), tell=told.append))
    assert len(frames) >= 24 and len(told) == 1
    assert "damaged or could not be decoded" in told[0]
