"""The process that paints."""

import multiprocessing

import pytest

from nstjax.evaluation import painting
from nstjax.evaluation.painting import Task
from nstjax.io.images import write_image
from nstjax.methods.options import method_options


def test_a_painter_ends_quietly_once_nobody_listens(paint, tmp_path):
    write_image(tmp_path / "content.png", paint(0))
    task = Task(
        content=str(tmp_path / "content.png"),
        style=str(tmp_path / "content.png"),
        picture=tmp_path / "picture.png",
        record=tmp_path / "record.json",
        request={},
    )
    ours, theirs = multiprocessing.Pipe(duplex=False)
    ours.close()
    with pytest.raises(SystemExit) as ended:
        painting._paint([task], method_options("adain"), 64, 0, theirs)
    assert ended.value.code == 1
    assert task.picture.exists()


def test_networks_that_nobody_hears_are_missing(tmp_path):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    ours.close()
    options = method_options("adain") | {"decoder": str(tmp_path / "none.safetensors")}
    with pytest.raises(SystemExit):
        painting._paint([], options, 64, 0, theirs)
