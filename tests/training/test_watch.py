"""The progress bar and the TensorBoard logs of a run."""

import struct

import numpy as np
import pytest
from PIL import Image
from tensorboardX.record_writer import RecordWriter

from nstjax.errors import NstjaxWarning
from nstjax.training.trainer import Progress
from nstjax.training.watch import Watcher


def progress(step: int, report=None, **leaves) -> Progress:
    leaves = {"images_per_second": 0.0, "corrupt": 0} | leaves
    return Progress(step, 100, report or {}, **leaves)


def read_events(folder):
    """Parses event files: length, its checksum, an Event, its checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    for path in sorted(folder.iterdir()):
        data, position = path.read_bytes(), 0
        while position < len(data):
            (length,) = struct.unpack_from("<Q", data, position)
            yield event_pb2.Event.FromString(
                data[position + 12 : position + 12 + length]
            )
            position += 12 + length + 4


def test_logs_scalars_and_pictures(tmp_path, capsys):
    grid = np.linspace(0, 1, 2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    with Watcher(tmp_path / "logs") as watcher:
        watcher(progress(0))
        watcher(progress(10, {"total": 2.0, "style": 1.5}, images_per_second=12.5))
        watcher(progress(10, {"validation/total": 3.0}, sample=grid * 2 - 0.5))
    scalars, images = {}, {}
    for event in read_events(tmp_path / "logs"):
        for value in event.summary.value:
            if value.WhichOneof("value") == "image":
                images[value.tag, event.step] = value.image.encoded_image_string
            else:
                scalars[value.tag, event.step] = value.simple_value
    assert scalars == {
        ("total", 10): 2.0,
        ("style", 10): 1.5,
        ("images_per_second", 10): 12.5,
        ("corrupt", 10): 0.0,
        ("validation/total", 10): 3.0,
    }
    (encoded,) = images.values()
    (tmp_path / "sample.png").write_bytes(encoded)
    pixels = np.asarray(Image.open(tmp_path / "sample.png")) / 255
    # Side by side, clipped to the range of pictures.
    expected = np.clip(np.concatenate([grid[0], grid[1]], 1) * 2 - 0.5, 0, 1)
    np.testing.assert_allclose(pixels, expected, atol=1 / 255)


def test_what_a_killed_run_logged_beyond_its_checkpoint_is_purged(tmp_path):
    with Watcher(tmp_path / "logs") as watcher:
        watcher(progress(40))
    starts = [
        event.step
        for event in read_events(tmp_path / "logs")
        if event.HasField("session_log")
    ]
    # TensorBoard drops this step and later ones of earlier files.
    assert starts == [41]


def test_the_bar_shows_losses_speed_and_skipped_pictures(tmp_path, capsys):
    with Watcher(tmp_path / "logs") as watcher:
        watcher(progress(20))
        watcher(progress(30, {"total": 2.0}, images_per_second=12.5, corrupt=3))
        watcher(progress(30, {"validation/total": 0.25}))
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "30/100" in bar
    for text in ("loss=2.0000", "img/s=12.5", "validation=0.2500", "skipped=3"):
        assert text in bar


def test_other_hosts_show_and_write_nothing(tmp_path, capsys):
    with Watcher(None) as watcher:
        watcher(progress(10, {"total": 2.0}))
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_logs_and_not_the_training(tmp_path, monkeypatch):
    with Watcher(tmp_path / "logs") as watcher:
        watcher(progress(0))

        def refuse(self, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(RecordWriter, "write", refuse)
        with pytest.warns(NstjaxWarning, match="No space left on device"):
            watcher(progress(10, {"total": 2.0}))
        watcher(progress(20, {"total": 1.0}))  # says nothing more


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").touch()
    with Watcher(tmp_path / "file" / "logs") as watcher:
        with pytest.warns(NstjaxWarning, match="Not a directory"):
            watcher(progress(0))
        watcher(progress(10, {"total": 2.0}))
