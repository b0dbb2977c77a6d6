"""Which pictures an evaluation sees, and how they are cut."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.evaluation import inputs, pixels
from nstjax.evaluation.inputs import hash_pixels, prepare_picture, read_inputs
from nstjax.io.images import read_image


@pytest.fixture
def save(tmp_path):
    def save(name, size=(120, 80), seed=0, **options):
        noise = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
        picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        picture.save(path, **options)
        return str(path)

    return save


def read(arguments, size=48):
    problems = []
    found = read_inputs(arguments, size=size, on_unreadable=problems.append)
    return found, problems


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (80, 80), (40, 50)])
def test_pictures_are_scaled_and_their_middle_is_cut_out(size, save):
    path = save("a.png", size)
    found = prepare_picture(path, 64)
    with Image.open(path) as image:
        scale = 64 / min(size)
        width, height = (round(side * scale) for side in size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        left, top = (width - 64) // 2, (height - 64) // 2
        wanted = np.asarray(image.crop((left, top, left + 64, top + 64)))
    assert found.shape == (64, 64, 3) and found.dtype == np.float32
    # Pillow rounds after each of two passes.
    assert np.abs(found * 255 - wanted).max() < 2.5
    np.testing.assert_allclose(found * 255, np.rint(found * 255), atol=1e-4)


def test_profiles_are_ignored(save, monkeypatch):
    asked = []

    def read(path, **options):
        asked.append(options)
        return read_image(path, **options)

    monkeypatch.setattr(inputs, "read_image", read)
    prepare_picture(save("a.png"), 48)
    # What that means, the tests of the decoding say.
    assert asked == [{"color_managed": False}]


def test_files_folders_and_examples(save, tmp_path):
    save("folder/b.png"), save("folder/a.jpg")
    found, problems = read([str(tmp_path / "folder"), save("c.png", seed=1), "night"])
    assert [one.label for one in found] == ["a", "b", "c", "night"]
    assert not problems
    digest = hashlib.sha256(found[2].image.tobytes()).hexdigest()
    assert found[2].sha256 == digest == hash_pixels(found[2].image)


def test_equal_stems_are_told_apart_by_their_endings(save, tmp_path):
    save("folder/a.png"), save("folder/a.jpg")
    found, _ = read([str(tmp_path / "folder")])
    assert [one.label for one in found] == ["a-jpg", "a-png"]


def test_equal_names_are_refused(save):
    with pytest.raises(NstjaxError, match="both called a-png"):
        read([save("one/a.png"), save("two/a.png")])


def test_an_unreadable_picture_is_left_out(save, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    found, problems = read([str(broken), save("a.png")])
    assert [one.label for one in found] == ["a"]
    assert len(problems) == 1 and "broken.png" in problems[0]
    with pytest.raises(NstjaxError, match="none of the pictures"):
        read([str(broken)])


def test_a_picture_must_hold_the_coarsest_laplacian(save):
    assert inputs.LEAST_SIDE == 3 * max(pixels.POOLS)
    with pytest.raises(NstjaxError, match="at least 48"):
        read([save("a.png")], size=47)
