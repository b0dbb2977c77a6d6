"""Photographs as people have them: formats, transparency, EXIF, JPEG's losses."""

import sys

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError
from nstjax.io.exif import read_exif
from nstjax.io.images import list_images, read_image, write_image

BASE, IFD = ExifTags.Base, ExifTags.IFD
SIZE = (64, 48)


def _ramp(mode: str = "RGB") -> Image.Image:
    """Red to the right, green downwards, blue 40."""
    red, green = np.meshgrid(np.linspace(0, 255, SIZE[0]), np.linspace(0, 255, SIZE[1]))
    pixels = np.stack([red, green, np.full_like(red, 40)], axis=2).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[BASE.Orientation] = orientation
    exif[BASE.Make], exif[BASE.Model] = "Maker", "Model 1"
    exif[IFD.Exif] = {
        BASE.DateTimeOriginal: "2024:05:06 07:08:09",
        BASE.BodySerialNumber: "12345",
        BASE.MakerNote: b"secrets",
    }
    exif[IFD.GPSInfo] = {1: "N", 2: (48.0, 1.0, 2.5)}
    return exif


@pytest.fixture
def paint(tmp_path, pictures):
    """Paints a content of some file, and opens the result."""

    opened = []

    def run(content, output="out.png", *more: str) -> Image.Image:
        path = tmp_path / output
        command = ["--content", str(content), "--style", pictures["style"], "--quiet"]
        assert main([*command, f"--output={path}", *more]) == 0
        opened.append(Image.open(path))
        return opened[-1]

    yield run
    for image in opened:
        image.close()


def _save_heic(path, image: Image.Image, **options) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif")
    heif.register_heif_opener()
    image.save(path, "HEIF", quality=95, **options)


def test_heic_is_read(tmp_path, paint):
    path = tmp_path / "photo.heic"
    _save_heic(path, _ramp(), exif=_exif())
    expected = np.asarray(_ramp()) / 255
    assert np.abs(read_image(path) - expected).mean() < 0.02
    assert path in list_images(tmp_path)
    result = paint(path, "out.jpg", "--exif=no-location")
    assert result.size == SIZE
    assert result.getexif().get_ifd(IFD.Exif)[BASE.DateTimeOriginal][:4] == "2024"


def test_heic_without_its_reader_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(NstjaxError, match="pip install pillow-heif"):
        read_image(path)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow has no AVIF here")
def test_avif_is_read_upright(tmp_path):
    path = tmp_path / "photo.avif"
    _ramp().save(path, quality=95, exif=_exif(orientation=6))
    # Turned by a quarter, clockwise.
    expected = np.rot90(np.asarray(_ramp()) / 255, -1)
    assert np.abs(read_image(path) - expected).mean() < 0.02


def test_a_folder_of_every_kind(tmp_path, pictures):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name, kind in (("a.jfif", "JPEG"), ("b.bmp", "BMP"), ("c.gif", "GIF")):
        _ramp("P" if kind == "GIF" else "RGB").save(folder / name, kind)
    command = ["--content", str(folder), "--style", pictures["style"], "--quiet"]
    assert main([*command, f"--output={out}"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png", "c.png"]


@pytest.fixture
def clear(tmp_path):
    """A picture whose left half is transparent, blue behind that; turned by EXIF."""
    image = _ramp("RGBA")
    alpha = np.full(SIZE[::-1], 255, np.uint8)
    alpha[:, : SIZE[0] // 2] = 0
    image.putalpha(Image.fromarray(alpha))
    path = tmp_path / "clear.png"
    exif = Image.Exif()
    exif[BASE.Orientation] = 3
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_kept(suffix, clear, paint):
    result = paint(clear, f"out{suffix}")
    assert result.mode == "RGBA"
    alpha = np.asarray(result)[..., 3]
    # Upside down, so that the clear half is on the right now.
    assert (alpha[:, :32] == 255).all() and (alpha[:, 32:] == 0).all()


def test_transparency_is_filled_where_asked_for_or_needed(clear, paint, tmp_path):
    assert paint(clear, "out.jpg").mode == "RGB"
    filled = paint(clear, "red.png", "--background=#ff0000")
    assert filled.mode == "RGB"
    opaque = _ramp()
    opaque.paste((255, 0, 0), (0, 0, SIZE[0] // 2, SIZE[1]))
    opaque.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "opaque.png")
    expected = paint(tmp_path / "opaque.png", "same.png")
    assert (np.asarray(filled) == np.asarray(expected)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_goes_into_every_format(suffix, tmp_path):
    source, target = tmp_path / "photo.jpg", tmp_path / f"out{suffix}"
    _ramp().save(source, exif=_exif(orientation=6))
    for place in (False, True):
        kept = read_exif(source, location=place)
        write_image(target, np.zeros((20, 30, 3)), exif=kept, overwrite=True)
        with Image.open(target) as image:
            found = image.getexif()
            exposure = found.get_ifd(IFD.Exif)
            assert found.get(BASE.Orientation, 1) == 1
            assert found[BASE.Model] == "Model 1"
            assert exposure == {BASE.DateTimeOriginal: "2024:05:06 07:08:09"}
            assert bool(found.get_ifd(IFD.GPSInfo)) is place


def test_exif_is_kept_as_asked_for(paint, tmp_path):
    path = tmp_path / "photo.jpg"
    _ramp().save(path, exif=_exif(orientation=3))
    for choice, camera, place in (
        ("drop", False, False),
        ("no-location", True, False),
        ("keep", True, True),
    ):
        found = paint(path, f"{choice}.jpg", f"--exif={choice}").getexif()
        assert found.get(BASE.Orientation, 1) == 1
        assert (found.get(BASE.Model) == "Model 1") is camera
        assert bool(found.get_ifd(IFD.GPSInfo)) is place


def test_damaged_exif_costs_no_picture(paint, tmp_path):
    path = tmp_path / "photo.jpg"
    _ramp().save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40))
    assert paint(path, "out.jpg", "--exif=keep").size == SIZE


def test_quality_and_chroma_are_those_asked_for(paint, tmp_path):
    _ramp().save(tmp_path / "ramp.png")
    sizes = []
    for number, (chroma, factors) in enumerate(
        (("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2)))
    ):
        result = paint(
            tmp_path / "ramp.png", f"{number}.jpg", f"--chroma={chroma}", "--quality=80"
        )
        assert result.layer[0][1:3] == factors
        sizes.append((tmp_path / f"{number}.jpg").stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]
    paint(tmp_path / "ramp.png", "low.jpg", "--quality=20", "--chroma=4:2:0")
    assert (tmp_path / "low.jpg").stat().st_size < sizes[2]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--quality=50"], "has no quality setting"),
        (["--chroma=4:2:0"], "has no chroma setting"),
        (["--quality=101"], "from 1 to 100"),
        (["--background=nice"], "nice is not a colour"),
        (["--exif=some"], "--exif"),
    ],
)
def test_what_a_file_cannot_have_is_refused(more, words, pictures, tmp_path, capsys):
    command = ["--content", pictures["content"], "--style", pictures["style"]]
    assert main([*command, f"--output={tmp_path / 'out.png'}", *more]) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out.png").exists()
