"""Picture files: what is read and written, and everything that is refused."""

import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from nstjax.errors import NstjaxError
from nstjax.io.images import (
    check_output,
    list_images,
    read_image,
    read_pil,
    write_image,
)

_SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
_LOSSLESS = [".png", ".tif", ".tiff"]


def levels(height=20, width=30, seed=0):
    shape = (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height=20, width=30):
    """A picture that lossy formats keep well."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([x, y, (x + y) / 2], axis=2).astype(np.float32)


def encoded(file_format, height=20, width=30, **options):
    buffer = io.BytesIO()
    Image.fromarray(levels(height, width)).save(buffer, file_format, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG file whose pixels have not arrived."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return with_right_checksums(
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + b"\0\0\0\0\0\0\0\0IDAT\0\0\0\0"
    )


def with_right_checksums(data):
    """Sets the checksum of every chunk of a PNG file, as far as it is one."""
    data, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def refusal(function, path, *arguments, **options):
    """The one sentence with which a path is refused."""
    with pytest.raises(NstjaxError) as caught:
        function(path, *arguments, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message and not message.endswith(".")
    return message


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


# Reading --------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_reading_gives_level_over_255(tmp_path, file_format):
    path = tmp_path / "picture"
    options = {"lossless": True} if file_format == "WEBP" else {}
    path.write_bytes(encoded(file_format, **options))
    image = read_image(path)
    assert image.dtype == np.float32 and image.shape == (20, 30, 3)
    assert image.flags.c_contiguous and image.flags.writeable
    np.testing.assert_allclose(image, levels() / 255, atol=1e-7)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_content_decides_the_format(tmp_path, file_format):
    data = encoded(file_format)
    expected = np.asarray(Image.open(io.BytesIO(data))) / 255
    for suffix in (*_SUFFIXES, ".txt", ""):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(data)
        np.testing.assert_allclose(read_image(path), expected, atol=1e-7)


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(read_image, tmp_path / "no.png")


def test_file_inside_a_file(tmp_path):
    (tmp_path / "file").write_text("text")
    assert "Not a directory" in refusal(read_image, tmp_path / "file" / "p.png")


def test_folder(tmp_path):
    assert "is a folder" in refusal(read_image, tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "p.jpg"
    path.touch()
    assert "is empty" in refusal(read_image, path)


@pytest.mark.parametrize(
    "data, name",
    [
        (b"8BPS", "a Photoshop document"),
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ],
)
def test_other_formats_are_named(tmp_path, data, name):
    path = tmp_path / "p.png"
    path.write_bytes(data)
    assert f"is {name}" in refusal(read_image, path)


@pytest.mark.parametrize("data", [b"I am not a picture.", b"\xff\xd8\xff"])
def test_something_else_named_jpg(tmp_path, data):
    path = tmp_path / "p.jpg"
    path.write_bytes(data)
    assert "not a supported picture" in refusal(read_image, path)


@pytest.mark.parametrize("kept", [0.4, 0.9])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_truncated_file(tmp_path, file_format, kept):
    data = encoded(file_format, 200, 300)
    path = tmp_path / "p.jpg"
    path.write_bytes(data[: int(kept * len(data))])
    message = refusal(read_image, path)
    assert "damaged" in message and "intact" in message
    if file_format in ("PNG", "JPEG"):
        assert "damaged or incomplete" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    assert "Permission denied" in refusal(read_image, path)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 400), (400, 15)])
def test_too_small(tmp_path, height, width):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG", height, width))
    message = refusal(read_image, path)
    assert f"{width} x {height}" in message and "at least 16" in message
    assert read_image(path, min_side=1).shape == (height, width, 3)


def test_least_size(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG", 16, 16))
    assert read_image(path).shape == (16, 16, 3)
    assert "at least 17" in refusal(read_image, path, min_side=17)


@pytest.mark.parametrize("side", [40_000, 12_000])
def test_too_large_is_refused_from_the_header(tmp_path, side):
    """40,000 trips Pillow's own limit, 12,000 ours alone."""
    path = tmp_path / "p.png"
    path.write_bytes(png_header(side, side))
    assert "pixels, which is the limit" in refusal(read_image, path)


def test_too_large_jpeg_is_refused_from_the_header(tmp_path):
    data = bytearray(encoded("JPEG"))
    frame = data.index(b"\xff\xc0")  # marker, length, depth, height, width
    data[frame + 5 : frame + 9] = struct.pack(">HH", 40_000, 40_000)
    path = tmp_path / "p.jpg"
    path.write_bytes(data)
    assert "pixels, which is the limit" in refusal(read_image, path)


def test_most_pixels_is_an_option(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG", 20, 30))
    assert read_image(path, max_pixels=600).shape == (20, 30, 3)
    assert "more than 599 pixels" in refusal(read_image, path, max_pixels=599)


def test_pillow_does_not_warn_of_pictures_we_accept(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG", 20, 30))
    assert read_image(path).shape == (20, 30, 3)


def test_reading_leaves_the_warning_filters_of_other_threads_alone(
    tmp_path, monkeypatch
):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG"))
    load = PngImageFile.load

    def load_beside_another_thread(image):
        warnings.filterwarnings("ignore", message="of another thread")
        return load(image)

    monkeypatch.setattr(PngImageFile, "load", load_beside_another_thread)
    for read in (read_image, lambda path: read_pil(Image.open(path))):
        with warnings.catch_warnings():
            read(path)
            warnings.warn("of another thread", stacklevel=1)  # an error in these tests


def test_reading_adds_one_warning_filter_at_most(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG"))
    read_image(path)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(read_image, [path] * 64))
    assert warnings.filters == before
    assert all((image == images[0]).all() for image in images)


def test_a_program_s_own_filters_make_no_picture_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    path = tmp_path / "p.png"
    path.write_bytes(encoded("PNG", 20, 30))
    with warnings.catch_warnings():
        read_image(path)
        warnings.simplefilter("error")
        assert read_image(path).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06"}),
        (
            "JPEG",
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06"},
        ),
        ("JPEG", {"progressive": True}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_mutated_files_raise_nothing_but_our_error(
    tmp_path, capfd, file_format, options
):
    data = encoded(file_format, 20, 24, **options)
    random = np.random.default_rng(0)
    path = tmp_path / "p"
    read = refused = 0
    for _ in range(80):
        mutated = np.frombuffer(data, np.uint8).copy()
        # Headers are short, so half of the mutations aim at the beginning.
        reach = len(data) if random.random() < 0.5 else min(64, len(data))
        where = random.integers(0, reach, random.integers(1, 6))
        mutated[where] = random.integers(0, 256, where.size)
        if random.random() < 0.2:
            mutated = mutated[: random.integers(1, len(data))]
        mutated = mutated.tobytes()
        # Otherwise Pillow looks no further than the checksum.
        if file_format == "PNG" and random.random() < 0.8:
            mutated = with_right_checksums(mutated)
        path.write_bytes(mutated)
        try:
            image = read_image(path, min_side=1, max_pixels=10**6)
        except NstjaxError:
            refused += 1
        else:
            read += 1
            assert image.dtype == np.float32 and image.shape[2] == 3
            assert image.min() >= 0 and image.max() <= 1
    assert read and refused
    assert capfd.readouterr() == ("", "")


def test_what_others_say_while_a_tiff_is_read_is_heard(tmp_path, capfd, monkeypatch):
    path = tmp_path / "p.tif"
    path.write_bytes(encoded("TIFF", compression="tiff_lzw"))
    load = TiffImageFile.load

    def load_beside_another_thread(image):
        os.write(2, b"another thread\n")
        return load(image)

    monkeypatch.setattr(TiffImageFile, "load", load_beside_another_thread)
    read_image(path)
    assert set(capfd.readouterr().err.splitlines()) == {"another thread"}


# Listing --------------------------------------------------------------------


def test_listing_a_file_gives_itself(tmp_path):
    path = tmp_path / "odd.name"
    path.touch()
    assert list_images(path) == [path]
    assert list_images(str(path)) == [path]


def test_listing_a_folder(tmp_path):
    pictures = ["B.PNG", "a.jpg", "c.jpeg", "d.webp", "e.tif", "f.TiFF"]
    for name in (*pictures, ".hidden.png", "notes.txt", "png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inside.png").touch()
    assert list_images(tmp_path) == [tmp_path / name for name in pictures]


def test_links_to_nothing_are_listed_and_told_of(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "c.png").symlink_to("absent.png")
    (tmp_path / "d.png").symlink_to("d.png")
    os.mkfifo(tmp_path / "e.png")
    listed = [tmp_path / name for name in ("a.png", "b.png", "c.png", "d.png")]
    assert list_images(tmp_path) == listed
    assert "a link to a file that does not exist" in refusal(read_image, listed[2])
    assert "cannot be read" in refusal(read_image, listed[3])


def test_listing_nothing(tmp_path):
    assert "has no pictures (.png, .jpg" in refusal(list_images, tmp_path)
    assert "No such file" in refusal(list_images, tmp_path / "missing")


# Writing --------------------------------------------------------------------


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"p{suffix}"
    write_image(path, smooth())
    with Image.open(path) as image:
        expected = {"j": "JPEG", "p": "PNG", "w": "WEBP", "t": "TIFF"}[suffix[1]]
        assert image.format == expected and image.mode == "RGB"
        written = np.asarray(image)
    if suffix in _LOSSLESS:
        np.testing.assert_array_equal(written, np.floor(smooth() * 255 + 0.5))
    assert np.abs(read_image(path) - smooth()).mean() < 2 / 255
    np.testing.assert_allclose(read_image(path), written / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", [".PNG", ".JPG", ".Tiff"])
def test_suffix_in_capitals(tmp_path, suffix):
    write_image(tmp_path / f"p{suffix}", smooth())
    assert names(tmp_path) == [f"p{suffix}"]


def test_all_256_levels_survive(tmp_path):
    image = (np.arange(768).reshape(16, 16, 3) % 256 / 255).astype(np.float32)
    write_image(tmp_path / "p.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), image)


def test_tall_pictures_are_written_in_full_and_checked_to_the_end(tmp_path):
    # Three strips, the last one cut.
    image = np.random.default_rng(0).random((530, 3, 3), np.float32)
    write_image(tmp_path / "tall.png", image)
    with Image.open(tmp_path / "tall.png") as written:
        np.testing.assert_array_equal(written, np.rint(image * 255))
    image[-1, 0, 0] = np.nan
    with pytest.raises(NstjaxError, match="not finite"):
        write_image(tmp_path / "other.png", image)
    assert [path.name for path in tmp_path.iterdir()] == ["tall.png"]


def test_values_are_clipped_and_rounded_to_nearest(tmp_path):
    values = np.array(
        [-3.0, -0.001, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 7.0]
    )
    image = np.broadcast_to(values[:, None, None], (7, 2, 3))
    write_image(tmp_path / "p.png", image)
    with Image.open(tmp_path / "p.png") as written:
        np.testing.assert_array_equal(
            np.asarray(written)[:, 0, 0], [0, 0, 0, 1, 254, 255, 255]
        )


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_quality(tmp_path, suffix):
    image = levels(64, 64) / 255
    sizes, errors = [], []
    for quality in (10, 60, 95):
        path = tmp_path / f"{quality}{suffix}"
        write_image(path, image, quality=quality)
        sizes.append(path.stat().st_size)
        errors.append(np.abs(read_image(path) - image).mean())
    assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
    path = tmp_path / f"p{suffix}"
    for quality in (0, 101, float("nan")):
        with pytest.raises(NstjaxError, match="from 1 to 100"):
            write_image(path, image, quality=quality)
    assert not path.exists()


def test_jpeg_keeps_full_color_resolution(tmp_path):
    image = np.zeros((32, 32, 3), np.float32)
    image[:, ::2, 0] = 1  # red and blue columns of one pixel
    image[:, 1::2, 2] = 1
    write_image(tmp_path / "p.jpg", image)
    assert np.abs(read_image(tmp_path / "p.jpg") - image).max() < 0.1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
    image = smooth()
    image[3, 4, 1] = value
    assert "not finite" in refusal(write_image, tmp_path / "p.png", image)
    assert names(tmp_path) == []


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 5), (1, 20, 30, 3)])
def test_other_shapes_are_a_programming_error(tmp_path, shape):
    with pytest.raises(ValueError, match="shape"):
        write_image(tmp_path / "p.png", np.zeros(shape))


def test_a_jpeg_takes_no_opacity(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        write_image(tmp_path / "p.jpg", np.zeros((20, 30, 4)))


def test_missing_folders_are_made(tmp_path):
    write_image(tmp_path / "a" / "b" / "p.png", smooth())
    assert read_image(tmp_path / "a" / "b" / "p.png").shape == (20, 30, 3)


def test_an_existing_file_is_kept_unless_overwriting(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(b"precious")
    assert "exists" in refusal(write_image, path, smooth())
    assert path.read_bytes() == b"precious"
    write_image(path, smooth(), overwrite=True)
    assert read_image(path).shape == (20, 30, 3)
    assert names(tmp_path) == ["p.png"]


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    path.write_bytes(b"precious")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    message = refusal(write_image, path, smooth(), overwrite=True)
    assert "No space left on device" in message
    assert path.read_bytes() == b"precious" and names(tmp_path) == ["p.png"]


# Checking an output before the work -----------------------------------------


@pytest.mark.parametrize("name", ["p.bmp", "p", "png", ".png", "p.png.txt", "p.gif"])
def test_unknown_suffix(tmp_path, name):
    for function, arguments in ((check_output, ()), (write_image, (smooth(),))):
        message = refusal(function, tmp_path / name, *arguments)
        assert ".png, .jpg, .jpeg, .jfif, .webp, .tif, .tiff" in message
    assert names(tmp_path) == []


def test_a_good_output_passes_and_leaves_no_trace(tmp_path):
    check_output(tmp_path / "p.png")
    check_output(tmp_path / "new" / "folder" / "p.png")
    assert names(tmp_path) == []


def test_a_relative_output_passes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("p.png")
    check_output("new/p.png")


def test_existing_output(tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(b"precious")
    assert "--overwrite" in refusal(check_output, path)
    check_output(path, overwrite=True)
    assert path.read_bytes() == b"precious"


def test_output_that_is_a_folder(tmp_path):
    (tmp_path / "p.png").mkdir()
    for overwrite in (False, True):
        message = refusal(check_output, tmp_path / "p.png", overwrite=overwrite)
        assert "is a folder" in message


def test_output_below_a_file(tmp_path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file" / "p.png", tmp_path / "file" / "new" / "p.png"):
        assert "Not a directory" in refusal(check_output, path)
        assert "Not a directory" in refusal(write_image, path, smooth())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_output_where_nobody_may_write():
    for path in (Path("/proc/p.png"), Path("/proc/new/p.png")):
        assert "cannot be written" in refusal(check_output, path)
        assert "cannot be written" in refusal(write_image, path, smooth())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_output_in_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    assert "Permission denied" in refusal(check_output, tmp_path / "p.png")


def test_output_with_too_long_a_name(tmp_path):
    path = tmp_path / f"{'a' * 300}.png"
    assert "cannot be written" in refusal(write_image, path, smooth())


@pytest.mark.parametrize(("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500)])
def test_sides_that_a_format_cannot_hold(tmp_path, suffix, longest):
    path = tmp_path / f"p{suffix}"
    check_output(path, size=(longest, 1))
    assert str(longest) in refusal(check_output, path, size=(1, longest + 1))
    write_image(path, np.zeros((longest, 1, 3), np.float32))
    too_long = np.zeros((1, longest + 1, 3), np.float32)
    assert str(longest) in refusal(write_image, path, too_long, overwrite=True)
    write_image(path.with_suffix(".png"), too_long)
