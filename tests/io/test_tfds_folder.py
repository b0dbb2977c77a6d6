"""Prepared directories hold what the folder held, for us and for TFDS."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.crops import Crop
from nstjax.io.datasets import (
    find_pictures,
    open_picture,
    open_source,
    picture_loader,
)

tfds = pytest.importorskip("tensorflow_datasets")
from nstjax.io.tfds_folder import prepare_folder  # noqa: E402


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    random = np.random.default_rng(height * width)
    return random.integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "sub").mkdir()
    Image.fromarray(noise(20, 30)).save(folder / "a.jpg")
    Image.fromarray(noise(24, 16)).save(folder / "sub" / "a.png")
    Image.fromarray(noise(18, 18)[..., 0]).save(folder / "grey.jpg")
    Image.fromarray(noise(18, 20, 4)).save(folder / "alpha.png")
    Image.fromarray(noise(40, 60)).save(folder / "large.tif")
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    destination = tmp_path_factory.mktemp("prepared") / "deep" / "pictures"
    return destination, prepare_folder(find_pictures(folder), folder, destination)


def test_counts_what_is_written_and_names_what_is_not(folder, prepared):
    _, (written, unreadable) = prepared
    assert written == 5
    assert unreadable == [folder / "broken.jpg"]


def test_reads_like_the_folder(folder, prepared):
    examples = {e["filename"].decode(): e for e in open_source(prepared[0])}
    assert sorted(examples) == [
        "a.jpg",
        "alpha.png",
        "grey.jpg",
        "large.tif",
        "sub/a.png",
    ]
    load = picture_loader(Crop(10, 12))
    for name, example in examples.items():
        expected = load(folder / name, None)
        # A grey JPEG and a TIFF are recoded, as PNG or at high quality.
        error = np.abs(load(example, None).astype(int) - expected)
        assert error.mean() < 1, name


def test_keeps_plain_files_byte_for_byte(folder, prepared):
    examples = {e["filename"].decode(): e["image"] for e in open_source(prepared[0])}
    for name in ("a.jpg", "sub/a.png"):
        assert examples[name] == (folder / name).read_bytes()


def test_tfds_itself_reads_rgb_arrays(prepared):
    builder = tfds.builder_from_directory(str(prepared[0]))
    examples = builder.as_data_source(split="train")
    shapes = {e["filename"].decode(): e["image"].shape for e in examples}
    assert shapes == {
        "a.jpg": (20, 30, 3),
        "sub/a.png": (24, 16, 3),
        "grey.jpg": (18, 18, 3),
        "alpha.png": (18, 20, 3),
        "large.tif": (40, 60, 3),
    }


def test_scales_larger_pictures_down(folder, tmp_path):
    files = find_pictures(folder)
    prepare_folder(files, folder, tmp_path / "small", short_side=18)
    sizes = {
        example["filename"].decode(): open_picture(example).size
        for example in open_source(tmp_path / "small")
    }
    assert sizes == {
        "a.jpg": (27, 18),
        "sub/a.png": (16, 24),
        "grey.jpg": (18, 18),
        "alpha.png": (20, 18),
        "large.tif": (27, 18),
    }


def test_leaves_nothing_but_the_directory(prepared):
    destination, _ = prepared
    assert [path.name for path in destination.parent.iterdir()] == ["pictures"]


def test_refuses_to_overwrite(folder, prepared):
    with pytest.raises(NstjaxError, match="exists"):
        prepare_folder(find_pictures(folder), folder, prepared[0])


def test_refuses_a_folder_of_broken_pictures(folder, tmp_path):
    with pytest.raises(NstjaxError, match="no picture in .* can be read"):
        prepare_folder([folder / "broken.jpg"], folder, tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_refuses_a_destination_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NstjaxError, match="cannot be written"):
        prepare_folder(find_pictures(folder), folder, tmp_path / "file" / "x")


def test_a_damaged_directory_is_one_sentence(prepared, tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(NstjaxError, match="cannot be read without TensorFlow"):
        open_source(tmp_path)


def test_a_dataset_without_pictures_is_one_sentence(prepared, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(prepared[0], copy)
    features = json.loads((copy / "features.json").read_text())
    entries = features["featuresDict"]["features"]
    entries["photo"] = entries.pop("image")
    (copy / "features.json").write_text(json.dumps(features))
    with pytest.raises(NstjaxError, match="no feature named 'image'"):
        open_source(copy)


def test_needs_no_tensorflow(folder, tmp_path):
    code = (
        "import sys; from nstjax.cli.main import main; "
        f"main(['prepare-data', {str(folder)!r}, {str(tmp_path / 'out')!r}]); "
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"skipped {folder / 'broken.jpg'}" in done.stdout
    assert done.stdout.endswith("out: 5 pictures\n")
