"""What the page paints, without the page."""

import shlex
import threading

import numpy as np
import pytest
from PIL import Image

from nstjax.cli.main import main
from nstjax.errors import NstjaxError
from nstjax.web.painting import Studio, check_upload
from nstjax.web.settings import make_settings


@pytest.fixture
def photo(tmp_path):
    rows, columns = np.mgrid[0:64, 0:80]
    pixels = np.stack([3 * rows, 3 * columns, 255 - 3 * rows], axis=2)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def _pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture, int)


def _settings(photo, **changes):
    given = {"method": "adain", "weights": (1, 3), "size": 0, "options": {}}
    return make_settings(str(photo), ("night", "wave"), **(given | changes))


def test_the_command_paints_the_same(photo, tmp_path, monkeypatch):
    settings = _settings(photo, options={"alpha": 0.5, "preserve_color": "luminance"})
    folder = tmp_path / "page"
    folder.mkdir()
    *_, last = Studio().paint(settings, folder, threading.Event())
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(settings.command())
    assert main([*arguments, "--quiet"]) == 0
    expected, painted = _pixels(tmp_path / last.result.name), _pixels(last.result)
    # Statistics of a style are computed by themselves here, there with the rest.
    assert np.abs(painted - expected).max() <= 1
    assert painted.shape == (64, 80, 3)


def test_the_command_keeps_the_same_transparent(tmp_path, monkeypatch):
    """At another size, too."""
    rows, columns = np.mgrid[0:64, 0:80]
    pixels = np.stack([3 * rows, 3 * columns, 0 * rows, 4 * rows], axis=2)
    photo = tmp_path / "photo.png"
    Image.fromarray(pixels.astype(np.uint8), "RGBA").save(photo)
    settings = _settings(photo, size=40)
    *_, last = Studio().paint(settings, tmp_path / "page", threading.Event())
    assert last.picture.shape == (32, 40, 3)
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(settings.command())
    assert main([*arguments, "--quiet"]) == 0
    expected, painted = _pixels(tmp_path / last.result.name), _pixels(last.result)
    assert painted.shape == expected.shape == (32, 40, 4)
    # Two rows of the photograph make one.
    np.testing.assert_allclose(painted[2:-2, :, 3], pixels[4:-4:2, ::2, 3] + 2, atol=1)
    assert np.abs(painted - expected).max() <= 1


@pytest.mark.slow
def test_a_stop_keeps_the_picture_so_far(photo, tmp_path):
    settings = _settings(photo, method="gatys", options={"iterations": 5000})
    stop, seen = threading.Event(), []
    for step in Studio().paint(settings, tmp_path / "page", stop):
        seen.append(step)
        stop.set()
    first, last = seen[0], seen[-1]
    assert first.picture.shape == last.picture.shape == (64, 80, 3)
    assert last.stopped and 0 < last.done < last.total
    assert _pixels(last.result).shape == (64, 80, 3)


@pytest.mark.slow
def test_whoever_stops_watching_stops_the_painting(photo, tmp_path):
    settings = _settings(photo, method="gatys", options={"iterations": 5000})
    stop = threading.Event()
    steps = Studio().paint(settings, tmp_path, stop)
    next(steps)
    steps.close()
    assert stop.is_set()


def test_errors_come_to_whoever_watches(photo, tmp_path):
    with pytest.raises(NstjaxError, match="gone.png"):
        list(
            Studio().paint(
                _settings(tmp_path / "gone.png"), tmp_path, threading.Event()
            )
        )


def test_bad_uploads_are_named(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("not a picture")
    with pytest.raises(NstjaxError, match="photo.jpg"):
        check_upload(str(path))


def test_too_many_pixels_are_refused(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (10_000, 7_000)).save(path)
    with pytest.raises(NstjaxError, match="pixels"):
        check_upload(str(path))
