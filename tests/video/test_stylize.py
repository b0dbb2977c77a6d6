"""Clips painted from end to end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError
from nstjax.methods.styles import SavedStyle
from nstjax.video import store, stylize
from nstjax.video.clips import open_clip, read_frames
from nstjax.video.measures import sharpness, warping_error

pytestmark = pytest.mark.slow

pytest.importorskip("av", reason="clips need the extra [video]")
pytest.importorskip("cv2", reason="clips need the extra [video]")


def _images(path, **options):
    return [frame.image for frame in read_frames(open_clip(path, **options))]


def _paint(content, output, **options):
    return nstjax.stylize_video(content, "night", output, **options)


def _errors(images, flow):
    """Warping errors by a flow that is known, where it stays in the frame."""
    height, width = images[0].shape[:2]
    field = np.broadcast_to(np.array(flow, np.float32), (height, width, 2))
    holds = np.zeros((height, width), np.float32)
    holds[: height - abs(flow[1]) - 1, : width - abs(flow[0]) - 1] = 1
    units = [image / np.float32(255) for image in images]
    pairs = zip(units, units[1:], strict=False)
    return [warping_error(a, b, np.ascontiguousarray(field), holds) for a, b in pairs]


def test_flow_halves_the_warping_error_of_a_pan_and_keeps_it_sharp(
    pan, make_video, tmp_path
):
    clip = make_video(pan, "clip.mkv", encoder="ffv1")
    painted = {}
    for temporal in ("off", "flow"):
        _paint(clip, tmp_path / temporal, temporal=temporal)
        painted[temporal] = _images(tmp_path / temporal, fps=25)
    # What a frame shows lay 3 pixels further right and 1 further down before.
    errors = {
        name: np.mean(_errors(images, (3, 1))) for name, images in painted.items()
    }
    assert errors["flow"] <= errors["off"] / 2, errors
    sharp = {
        n: np.mean([sharpness(i) for i in images]) for n, images in painted.items()
    }
    assert sharp["flow"] >= 0.9 * sharp["off"], sharp
    # The first frame is that of a picture by itself.
    picture = nstjax.stylize(pan[0] / np.float32(255), "night")
    assert np.abs(painted["flow"][0] / 255 - picture).max() < 1 / 255


def test_a_figure_before_a_still_ground(figure, make_video, tmp_path):
    clip = make_video(figure, "clip.mkv", encoder="ffv1")
    painted = {}
    for temporal in ("off", "flow"):
        _paint(clip, tmp_path / temporal, temporal=temporal)
        painted[temporal] = _images(tmp_path / temporal, fps=25)
    ground = {}
    for name, images in painted.items():
        below = [image[90:] / np.float32(255) for image in images]
        ground[name] = np.sqrt(np.mean(np.square(np.diff(below, axis=0))))
    assert ground["flow"] <= ground["off"] / 2, ground


def test_a_still_clip_gives_equal_frames_and_a_cut_does_not_smear(
    figure, make_video, tmp_path
):
    scene, other = figure[0], 255 - figure[0]
    clip = make_video([scene] * 4 + [other] * 3, "clip.mkv", encoder="ffv1")
    _paint(clip, tmp_path / "out")
    images = _images(tmp_path / "out", fps=25)
    for first, frames in ((0, range(1, 4)), (4, range(5, 7))):
        for number in frames:
            np.testing.assert_array_equal(images[number], images[first])
    alone = nstjax.stylize(other / np.float32(255), "night")
    assert np.abs(images[4] / 255 - alone).max() < 1 / 255


def test_sound_times_and_sizes_are_kept(pan, make_video, sound_of, tmp_path):
    times = [0, 40, 60, 160, 200, 280, 300, 400, 520]
    odd = [np.ascontiguousarray(image[:102, :152]) for image in pan]
    clip = make_video(odd, times=times, sound="aac", aspect=Fraction(4, 3), rotation=90)
    result = _paint(clip, tmp_path / "out.mp4", temporal="off")
    assert result.complete and result.frames == 8
    before, after = open_clip(clip), open_clip(tmp_path / "out.mp4")
    assert after.size == before.size == (152, 102)
    assert after.pixel_aspect == before.pixel_aspect == Fraction(3, 4)
    shown = [[(f.time, f.duration) for f in read_frames(c)] for c in (before, after)]
    assert shown[0] == shown[1]
    np.testing.assert_array_equal(sound_of(tmp_path / "out.mp4"), sound_of(clip))


def test_one_frame_and_tiny_ones(photograph, tmp_path):
    Image.fromarray(photograph[:24, :20]).save(tmp_path / "one.gif")
    assert main(
        ["--content", str(tmp_path / "one.gif"), "--style", "wave", "--quiet"]
        + ["--output", str(tmp_path / "out.gif")]
    ) == 0  # fmt: skip
    (image,) = _images(tmp_path / "out.gif")
    assert image.shape == (24, 20, 3)


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    pan, make_video, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(store, "SEGMENT", 3)
    clip = make_video(pan, sound="aac")
    _paint(clip, tmp_path / "whole.mp4")

    def stop(progress):
        if progress.frames == 5:
            os.kill(os.getpid(), signal.SIGINT)

    result = _paint(clip, tmp_path / "out.mp4", on_progress=stop)
    assert not result.complete and result.frames == 5
    # What is there can be played, and its sound ends with it.
    assert len(_images(tmp_path / "out.mp4")) == 5
    with pytest.raises(NstjaxError, match="exists"):
        _paint(clip, tmp_path / "out.mp4")
    with pytest.raises(NstjaxError, match="other options"):
        _paint(clip, tmp_path / "out.mp4", alpha=0.5, resume=True)
    result = _paint(clip, tmp_path / "out.mp4", resume=True)
    assert result.complete and (result.frames, result.painted) == (8, 3)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not (tmp_path / "out.mp4.parts").exists()


def test_frames_that_are_painted_together_are_those_painted_alone(
    pan, make_video, tmp_path
):
    clip = make_video(pan, "clip.mkv", encoder="ffv1")
    found = {}
    for count in (1, 3):
        _paint(clip, tmp_path / str(count), batch_size=count)
        found[count] = np.array(_images(tmp_path / str(count), fps=25)).astype(int)
    assert len(found[3]) == len(pan)
    # Rounding to 8 bits may fall to either side.
    assert np.abs(found[3] - found[1]).max() <= 2


def test_a_run_that_broke_goes_on_to_the_same_bits(
    pan, make_video, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "SEGMENT", 3)
    clip = make_video(pan)
    _paint(clip, tmp_path / "whole.mp4")

    def fail(progress):
        if progress.frames == 7:
            raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        _paint(clip, tmp_path / "out.mp4", on_progress=fail)
    assert not (tmp_path / "out.mp4").exists()
    assert _paint(clip, tmp_path / "out.mp4", resume=True).painted <= 2
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_without_pyav_one_sentence_says_what_to_install(
    pan, make_video, tmp_path, monkeypatch, capsys
):
    clip = make_video(pan[:1])
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["--content", str(clip), "--style", "night"]) == 2
    assert 'pip install "nstjax[video]"' in capsys.readouterr().err


@pytest.mark.slow
def test_optimised_frames_are_held_to_the_last_one(pan, make_video, tmp_path):
    frames = [frame[:64, :64] for frame in pan[:2]]
    clip = make_video(frames, "clip.mkv", encoder="ffv1")
    errors = {}
    for temporal in ("off", "flow"):
        out = tmp_path / temporal
        _paint(clip, out, method="gatys", temporal=temporal, iterations=15)
        errors[temporal] = _errors(_images(out, fps=25), (3, 1))[0]
    assert errors["flow"] < 0.7 * errors["off"], errors


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--temporal", "calm"], "flow, statistics, off"),
        (
            ["--method", "style-swap-net", "--temporal", "statistics"],
            "no content statistics",
        ),
        (["--start", "x"], "not a time"),
        (["--start", "9"], "no frames in the requested part"),
        (["--start", "0.2", "--end", "0.1"], "must come after"),
        (["--quality", "200"], "from 1 to 100"),
        (["--codec", "nonsense"], "no encoder"),
        (["--trace", "run.json"], "for pictures"),
        (["--fps", "30"], "has its own"),
        (["--output", "out.doc"], "what kind of clip"),
        (["--output", "clip.mp4", "--overwrite"], "overwrite an input"),
    ],
)
def test_mistakes_are_one_sentence(
    pan, make_video, tmp_path, monkeypatch, capsys, arguments, words
):
    monkeypatch.chdir(tmp_path)
    clip = make_video(pan[:2])
    assert main(["--content", str(clip), "--style", "night", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told
    assert told.strip().splitlines()[-1].startswith("nstjax: error: ")
    assert os.listdir(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize(("name", "coded"), [("out.mp4", (66, 48)), ("out", (65, 47))])
def test_json_has_the_size_that_is_written(photograph, tmp_path, capsys, name, coded):
    frames = [Image.fromarray(photograph[:47, i : i + 65]) for i in range(2)]
    clip, output = tmp_path / "odd.gif", tmp_path / name
    frames[0].save(clip, save_all=True, append_images=frames[1:], duration=100)
    command = ["--content", str(clip), "--style", "night", "--output", str(output)]
    assert main([*command, "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["size"] == {"width": coded[0], "height": coded[1]}
    fps = {"fps": 10} if output.is_dir() else {}
    assert {image.shape[1::-1] for image in _images(output, **fps)} == {coded}


def test_json_tells_of_clips_that_fail_or_are_stopped(
    pan, make_video, tmp_path, monkeypatch, capsys
):
    clip, output = make_video(pan[:3]), tmp_path / "out.mp4"
    command = ["--content", str(clip), "--style", "night", "--output", str(output)]
    assert main([*command, "--codec", "nonsense", "--json"]) == 2
    record = json.loads(capsys.readouterr().out)
    assert (record["input"], record["output"]) == (str(clip), str(output))
    assert record["error"].startswith("there is no encoder nonsense")

    def stopped(self, state):
        save(self, state)
        signal.raise_signal(signal.SIGTERM)

    save = store.ClipStore.save
    monkeypatch.setattr(store.ClipStore, "save", stopped)
    assert main([*command, "--json", "--quiet"]) == 128 + signal.SIGTERM
    record = json.loads(capsys.readouterr().out)
    assert (record["input"], record["output"]) == (str(clip), str(output))
    assert record["error"].startswith(f"stopped; {output} has the 1 frames so far")


def test_options_of_clips_are_not_for_pictures(tmp_path, capsys):
    out = str(tmp_path / "out.png")
    given = ["--content", "chelsea", "--style", "night"]
    assert main([*given, "--output", out, "--temporal", "off"]) == 2
    assert "--temporal is for clips" in capsys.readouterr().err
    assert main([*given, "--output", str(tmp_path / "out.mp4")]) == 2
    assert "not a clip" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_stopped_leaves_a_playable_clip(
    pan, make_video, tmp_path, number
):
    clip = make_video(pan * 40)
    command = [sys.executable, "-m", "nstjax", "stylize", "--content", str(clip)]
    command += ["--style", "night", "--output", str(tmp_path / "out.mp4")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    watch = threading.Timer(240, process.kill)
    watch.start()
    state = tmp_path / "out.mp4.parts" / "run.state"
    while process.poll() is None and not state.exists():
        time.sleep(0.1)
    process.send_signal(number)
    told = process.communicate()[1]
    watch.cancel()
    assert process.returncode == 128 + number and "--resume to continue" in told
    assert len(_images(tmp_path / "out.mp4")) >= 1


@pytest.mark.slow
def test_long_clips_take_no_more_memory_than_short_ones(photograph, tmp_path):
    code = (
        "import resource, sys, nstjax;"
        "nstjax.stylize_video(sys.argv[1], 'night', sys.argv[2], overwrite=True);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = {}
    for count in (100, 2000):
        source = tmp_path / f"{count}.mp4"
        _make_long(source, photograph, count)
        run = subprocess.run(
            [sys.executable, "-c", code, str(source), str(tmp_path / "out.mp4")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks[count] = int(run.stdout)
        assert len(_images(tmp_path / "out.mp4")) == count
    assert peaks[2000] <= 1.2 * peaks[100], peaks


def _make_long(path, photograph, count):
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for i in range(count):
            left = i % 300
            image = np.ascontiguousarray(photograph[100:148, left : left + 64])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    "style",
    [Image.new("RGB", (32, 32)), SavedStyle({}, "", "night"), "night"],
    ids=lambda style: type(style).__name__,
)
def test_one_style_of_any_kind_is_one_style(style, tmp_path, monkeypatch):
    monkeypatch.setattr(stylize, "open_clip", lambda path, fps: None)
    monkeypatch.setattr(stylize, "paint_clip", lambda clip, styles, *_, **__: styles)
    assert nstjax.stylize_video("clip.mp4", style, tmp_path / "out.mp4") == [style]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"every": 1.5}, "every must be a whole number"),
        ({"start": "0:00"}, "start must be a number"),
        ({"every": 2**40}, "every must be from 1 to 1000000, not 1099511627776"),
        ({"start": 1e300}, r"start must be at most 1000000000 seconds, not 1e\+300"),
        ({"end": float("inf")}, "end must be at most 1000000000 seconds, not inf"),
        ({"quality": "x"}, "the quality must be a whole number, not 'x'"),
        # Into a folder of frames, as beside the clip.
        ({"quality": "x", "suffix": ""}, "the quality must be a whole number"),
        ({"codec": 5}, "the codec must be a name such as h264, not 5"),
        ({"batch_size": -1}, "batch_size must be 1 or more"),
        (
            {"output": None},
            "the output of a clip must be a file or a folder, not NoneType",
        ),
        ({"style": 3}, "or a list of pictures, not int"),
        ({"size": 1e6}, "a size must be a whole number"),
    ],
)
def test_other_kinds_are_refused_in_a_sentence(changes, message, make_video, tmp_path):
    changes = dict(changes)
    clip = make_video([np.zeros((32, 32, 3), np.uint8)] * 2, "clip.mkv", encoder="ffv1")
    suffix = changes.pop("suffix", ".mkv")
    given = {"style": "night", "output": tmp_path / f"painted{suffix}"} | changes
    with pytest.raises(NstjaxError, match=message):
        nstjax.stylize_video(clip, **given)


def test_a_rate_may_be_numpy_s(photograph, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(2):
        Image.fromarray(photograph[:32, :32]).save(frames / f"{number}.png")
    assert open_clip(frames, fps=np.float32(5)).rate == 5


@pytest.mark.parametrize("fps", [1e308, 1000.1, 1e-4, 0, float("nan"), "fast"])
def test_rates_that_no_clip_has_are_refused_in_a_sentence(fps, photograph, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(photograph[:32, :32]).save(frames / "1.png")
    with pytest.raises(NstjaxError, match="fps must be (from 0.001 to 1000|a number)"):
        _paint(frames, tmp_path / "painted.mp4", fps=fps)
    assert os.listdir(tmp_path) == ["frames"]


@pytest.mark.parametrize(("fps", "every"), [(0.001, 10**6), (1000, 1)])
def test_the_least_and_the_most_can_be_painted(photograph, tmp_path, fps, every):
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(photograph[:32, :32]).save(frames / "1.png")
    output = tmp_path / "painted.mp4"
    assert _paint(frames, output, fps=fps, every=every).frames == 1
    assert len(_images(output)) == 1


def test_a_rate_that_an_encoder_refuses_is_one_sentence(photograph, tmp_path):
    Image.fromarray(photograph[:64, :64]).save(tmp_path / "1.png")
    with pytest.raises(NstjaxError, match="cannot be encoded"):  # AV1 ends at 240
        _paint(tmp_path, tmp_path / "out.mp4", fps=1000, codec="av1")


def test_a_clip_is_not_painted_over_itself(make_video):
    clip = make_video([np.zeros((32, 32, 3), np.uint8)] * 2, "clip.mkv", encoder="ffv1")
    before = clip.read_bytes()
    with pytest.raises(NstjaxError, match="overwrite the clip itself"):
        _paint(clip, clip, overwrite=True)
    assert clip.read_bytes() == before


def test_a_shorter_clip_takes_the_place_of_a_longer_one(tmp_path):
    for folder, count in (("long", 3), ("short", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            Image.new("RGB", (32, 32)).save(tmp_path / folder / f"{number}.png")
    output = tmp_path / "out"
    for folder in ("long", "short"):
        _paint(tmp_path / folder, output, fps=5, overwrite=True)
    assert sorted(path.name for path in output.iterdir()) == [
        "frame_000001.png",
        "frame_000002.png",
    ]


def test_what_is_no_frame_tells_no_clips_apart(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "1.png")
    before = stylize._digest_of_clip(tmp_path)
    (tmp_path / "painted").mkdir()
    (tmp_path / "notes.txt").touch()
    assert stylize._digest_of_clip(tmp_path) == before
    Image.new("RGB", (32, 32)).save(tmp_path / "2.png")
    assert stylize._digest_of_clip(tmp_path) != before
