"""Reads picture files (PNG, JPEG, WebP, TIFF and others) and writes these four.

In memory, a picture is a float32 array [H, W, 3], RGB, sRGB-encoded, with values in
[0, 1].
"""

import contextlib
import importlib.util
import io
import logging
import os
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.decoding import decode_pixels
from nstjax.io.files import refuse_to_overwrite, written_atomically
from nstjax.io.levels import to_uint8
from nstjax.io.signatures import HEAD_BYTES, name_kind, name_kind_of
from nstjax.io.silence import silence_libtiff
from nstjax.io.tiff import MAGIC_NUMBERS, decode_tiff, tiff_size

# Formats that are written, by Pillow's names.
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
OUTPUT_SUFFIXES = tuple(_FORMATS)
_HEIF_SUFFIXES = (".heic", ".heif")
_HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
# Suffixes of the files in a folder that count as pictures.
PICTURE_SUFFIXES = (
    *OUTPUT_SUFFIXES,
    *(".avif", ".bmp", ".gif"),
    *(_HEIF_SUFFIXES if _HAS_HEIF else ()),
)
# Pictures of unsupported formats.
_OTHER_SUFFIXES = (
    *(() if _HAS_HEIF else _HEIF_SUFFIXES),
    *(".jxl", ".jp2", ".j2k", ".svg", ".psd", ".pdf", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".raf", ".ppm", ".tga"),
)
# Formats that are read, by Pillow's names; HEIF is not Pillow's own.
PICTURE_FORMATS = ("AVIF", "BMP", "GIF", *sorted(set(_FORMATS.values())))
# By the names of `nstjax.io.signatures`.
_HEIF = ("a HEIC picture", "a HEIF picture")
_READ = (
    *("a PNG picture", "a JPEG picture", "a TIFF picture", "a WebP picture"),
    *("an AVIF picture", "a BMP picture", "a GIF picture", *_HEIF),
)
# Those of them that can be transparent.
_WITH_ALPHA = ("PNG", "WEBP", "TIFF")
CHROMA = ("4:4:4", "4:2:2", "4:2:0")
# The deepest layer in use, relu5_1, has one position for every 16 pixels of a side.
MIN_SIDE = 16
# 11,585 x 11,585 pixels; as float32 they take 1.6 GB.
MAX_PIXELS = 2**27
# The number of rows that are rounded at a time when a picture is written.
_STRIP_ROWS = 256
# zlib's Z_RLE.
_PNG_RUNS = 3
# The longest sides that the formats allow.
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
# Pillow refuses PNG files with more than 1 MiB of text or colour profile; profiles of
# printers and displays can be that large.
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, 2**24)
# Its messages are repeated in errors; without a handler it would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())
silence_libtiff()


def read_image(
    path: str | os.PathLike,
    *,
    min_side: int = MIN_SIDE,
    max_pixels: int = MAX_PIXELS,
    color_managed: bool = True,
    background: float | Sequence[float] = 1.0,
    keep_alpha: bool = False,
) -> np.ndarray:
    """Reads a picture file, whose content decides its format, not its suffix.

    EXIF orientation is applied, an embedded ICC profile is converted to sRGB, and
    transparency is blended with white; see `nstjax.io.decoding` for details. If there
    are several frames or pages, the first is read.

    Args:
        path: a PNG, JPEG, WebP, TIFF, AVIF, BMP or GIF file, or a HEIC file if
            pillow-heif is installed: grey, palette, RGB or CMYK, with or without alpha,
            up to 16 bits per channel.
        min_side: the smallest height and width, in pixels.
        max_pixels: the most pixels, checked in the file's header before anything is
            decoded. Pillow's own limit (about 179 million) also applies.
        color_managed: False treats the numbers as sRGB, ignoring profiles.
        background: the grey or (red, green, blue) in [0, 1] behind transparent areas;
            white by default.
        keep_alpha: whether to return the opacity, too, if there is any.

    Returns:
        float32 array [H, W, 3], RGB, sRGB-encoded, in [0, 1]; or [H, W, 4], with
        colours on the background and the opacity in the last channel.

    Raises:
        NstjaxError: if the file does not exist, is not a supported picture, is damaged
            or incomplete, or is too small or too large.
    """
    path = Path(path)

    def check_size(width: int, height: int) -> None:
        if width * height > max_pixels:
            raise NstjaxError(_too_large(max_pixels))
        if min(width, height) < min_side:
            raise NstjaxError(
                f"has {width} x {height} pixels, too few for style transfer; give "
                f"a picture of at least {min_side} pixels a side"
            )

    _ignore_pillow_s_warnings()
    try:
        with _seekable(path) as file:
            pixels = decode_tiff(
                file,
                check_size=check_size,
                color_managed=color_managed,
                background=background,
                keep_alpha=keep_alpha,
            )
            if pixels is not None:
                return pixels
            with Image.open(file, formats=formats_of(file)) as image:
                check_size(*image.size)
                return decode_pixels(
                    image,
                    color_managed=color_managed,
                    background=background,
                    keep_alpha=keep_alpha,
                )
    except Exception as error:  # Pillow raises nearly anything for damaged files
        raise NstjaxError(f"{path} {_why_unreadable(path, error)}") from error


def read_pil(
    image: Image.Image,
    *,
    background: float | Sequence[float] = 1.0,
    keep_alpha: bool = False,
) -> np.ndarray:
    """Reads a PIL picture in the same way as a file.

    It is turned upright, and transparent areas are put on a background.

    Args:
        image: the picture.
        background, keep_alpha: see `read_image`.

    Returns:
        The same as `read_image`.

    Raises:
        NstjaxError: if it cannot be used as a picture.
    """
    if min(image.size) < MIN_SIDE:
        raise NstjaxError(f"a picture needs sides of at least {MIN_SIDE} pixels")
    _ignore_pillow_s_warnings()
    try:
        return decode_pixels(image, background=background, keep_alpha=keep_alpha)
    except Exception as error:  # Pillow raises nearly anything for damaged files
        raise NstjaxError(f"the PIL picture cannot be read: {error}") from error


def open_picture(file: str | os.PathLike | BinaryIO) -> Image.Image:
    """Opens a picture of which the upper 8 bits per channel suffice, as for training.

    Args:
        file: a path, or a file that is open for reading.

    Returns:
        A Pillow picture of one of `formats_of`. Pixels are not decoded yet, except for
        the kinds of TIFF files that Pillow cannot decode correctly.

    Raises:
        Exception: whatever Pillow or tifffile raises for a damaged file, and
            NstjaxError for an unsupported kind.
    """
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            if opened.read(4) not in MAGIC_NUMBERS:
                return Image.open(file, formats=formats_of(opened))
            opened.seek(0)
            return open_picture(io.BytesIO(opened.read()))
    pixels = decode_tiff(file, check_size=lambda width, height: None)
    if pixels is None:
        return Image.open(file, formats=formats_of(file))
    return Image.fromarray(to_uint8(pixels))


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """The (width, height) in a picture file's header, before turning it upright.

    Raises:
        Exception: as `open_picture` does.
    """
    with open(path, "rb") as file:
        if size := tiff_size(file):
            return size
        with Image.open(file, formats=formats_of(file)) as image:
            return image.size


def formats_of(file: BinaryIO) -> tuple[str, ...]:
    """Pillow's names of the possible formats of a file; its position is then 0.

    Raises:
        NstjaxError: if it is a HEIC picture, and pillow-heif is not installed.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    # An AVIF file may have HEIF's general brand, but also lists its own.
    kind = name_kind(head)
    if kind not in _HEIF or b"avif" in head[:64]:
        return PICTURE_FORMATS
    try:
        import pillow_heif
    except ImportError as error:
        raise NstjaxError(
            f"is {kind}, which needs pillow-heif; run 'pip install pillow-heif'"
        ) from error
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _ignore_pillow_s_warnings() -> None:
    """Puts a filter before all others, unless it is already there.

    It stays: filters belong to the whole process, so `warnings.catch_warnings` would
    undo changes that another thread makes in the meantime.
    """
    module = r"PIL\."
    if warnings.filters[:1] != [("ignore", None, Warning, re.compile(module), 0)]:
        warnings.filterwarnings("ignore", module=module)


def _seekable(path: Path) -> BinaryIO:
    """Opens a file; the content of a pipe is read first."""
    file = open(path, "rb")
    if file.seekable():
        return file
    with file:
        return io.BytesIO(file.read())


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, NstjaxError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return "is a link to a file that does not exist; remove or repair it"
        return "does not exist; check the picture's name"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a picture; name a file in it"
    if isinstance(error, UnidentifiedImageError):
        if path.stat().st_size == 0:
            return "is empty (0 bytes); get an intact copy"
        wanted = "an intact PNG, JPEG, WebP, TIFF, AVIF, BMP or GIF file"
        kind = name_kind_of(path)
        if kind and kind not in _READ:
            return f"is {kind}, which is not supported; give {wanted}"
        if kind == "a TIFF picture":
            return (
                f"is damaged, or {kind} of an unsupported kind; save it as grey, "
                "RGB or CMYK with 8 or 16 bits per channel"
            )
        return (
            f"is damaged, or not a supported picture; give {wanted} with at "
            "most 16 bits per channel"
        )
    if isinstance(error, Image.DecompressionBombError):
        assert Image.MAX_IMAGE_PIXELS is not None  # otherwise nothing is too large
        return _too_large(2 * Image.MAX_IMAGE_PIXELS)
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({error.strerror}); check the file and its permissions"
    if isinstance(error, MemoryError):
        return "does not fit into memory; make it smaller"
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"is damaged or incomplete ({reason}); get an intact copy"


def _too_large(max_pixels: int) -> str:
    return f"has more than {max_pixels:,} pixels, which is the limit; make it smaller"


def list_images(path: str | os.PathLike) -> list[Path]:
    """Lists the pictures that a path names.

    Args:
        path: a file with any name, or a folder, which means the files directly in it
            with one of `PICTURE_SUFFIXES` in any case, including broken links; hidden
            files are skipped.

    Returns:
        One or more paths, a folder's sorted by name.

    Raises:
        NstjaxError: if the path does not exist, or the folder has no pictures.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        visible = sorted(f for f in path.iterdir() if not f.name.startswith("."))
        named = [f for f in visible if f.suffix.lower() in PICTURE_SUFFIXES]
        # A broken link is listed, and reported when it is read.
        files = [f for f in named if f.is_file() or not f.exists()]
    except OSError as error:
        raise NstjaxError(
            f"{path} cannot be read ({error.strerror}); name a picture or a folder "
            "of pictures"
        ) from error
    warn_of_skipped(path, visible)
    if not files:
        raise NstjaxError(
            f"the folder {path} has no pictures ({', '.join(PICTURE_SUFFIXES)})"
        )
    return files


def warn_of_skipped(folder: Path, files: Iterable[Path]) -> None:
    """Warns about the pictures in a folder that are skipped for their formats."""
    counts = Counter(file.suffix.lower() for file in files)
    found = [f"{counts[s]} {s}" for s in _OTHER_SUFFIXES if counts[s]]
    if found:
        warnings.warn(
            f"left out of {folder}: {', '.join(found)}, which are not supported; save "
            f"them as one of {', '.join(PICTURE_SUFFIXES)}{_heif_remedy(counts)}",
            NstjaxWarning,
            stacklevel=3,
        )


def _heif_remedy(counts: Counter[str]) -> str:
    if _HAS_HEIF or not any(counts[suffix] for suffix in _HEIF_SUFFIXES):
        return ""
    return ", or 'pip install pillow-heif' for .heic"


def check_output(
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    size: tuple[int, int] | None = None,
) -> None:
    """Checks that a picture can be written, before spending minutes on painting it.

    Nothing is left behind; missing folders are not created.

    Args:
        path: the file that `write_image` will write later.
        overwrite: whether an existing file may be replaced.
        size: the picture's (height, width), if known.

    Raises:
        NstjaxError: if the suffix is not one of `OUTPUT_SUFFIXES`, the file exists and
            may not be replaced, the folder cannot be created or written to, or the
            format does not allow a picture of that size.
    """
    path = Path(path)
    file_format = _format_of(path)
    longest_side = _LONGEST_SIDE.get(file_format)
    if size and longest_side and max(size) > longest_side:
        raise NstjaxError(
            f"{path} cannot hold {size[1]} x {size[0]} pixels ({file_format} allows "
            f"{longest_side} a side); choose .png or .tif"
        )
    try:
        if path.is_dir():
            raise NstjaxError(f"{path} is a folder; name a picture file in it")
        refuse_to_overwrite(path, overwrite=overwrite)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path)  # raises for names that are too long
        folder = Path(os.path.realpath(path)).parent
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        # The only reliable test of permissions, quotas and read-only disks.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NstjaxError(
            f"{path} cannot be written ({error.strerror}); choose another place"
        ) from error


def write_image(
    path: str | os.PathLike,
    image: np.ndarray,
    *,
    overwrite: bool = False,
    quality: int = 95,
    chroma: str = "4:4:4",
    exif: bytes | None = None,
) -> None:
    """Writes a picture atomically, in the format of its suffix.

    Values are clipped to [0, 1] and rounded to the nearest of 256 levels. No profile is
    embedded; readers assume sRGB.

    Args:
        path: the file to write; its suffix is one of `OUTPUT_SUFFIXES`.
            Missing folders are created.
        image: array [H, W, 3], RGB, sRGB-encoded, in [0, 1]; or [H, W, 4], whose last
            channel is the opacity, if `holds_alpha`.
        overwrite: whether an existing file may be replaced.
        quality: 1 to 100, for JPEG and WebP; PNG and TIFF are lossless.
        chroma: a JPEG's chroma subsampling, one of `CHROMA`: full resolution, half or a
            quarter.
        exif: from `nstjax.io.exif.read_exif`.

    Raises:
        NstjaxError: if a value is not finite, `quality` is out of range, or
            for any reason that `check_output` gives.
        ValueError: if the array has another shape.
    """
    path = Path(path)
    file_format = _format_of(path)
    pixels = np.asarray(image, np.float32)
    channels = (3, 4) if file_format in _WITH_ALPHA else (3,)
    if pixels.ndim != 3 or pixels.shape[2] not in channels:
        raise ValueError(f"a picture must have the shape [H, W, 3], not {pixels.shape}")
    check_output(path, overwrite=overwrite, size=pixels.shape[:2])
    if not 1 <= quality <= 100:
        raise NstjaxError(f"the quality must be from 1 to 100, not {quality}")
    levels = _to_levels(pixels)
    if levels is None:
        raise NstjaxError(
            f"the picture for {path} holds numbers that are not finite, so it is not "
            "written"
        )
    with written_atomically(path, overwrite=overwrite) as temporary:
        saving = _save_options(file_format, quality, chroma)
        if exif:
            saving["exif"] = exif
            # Pillow cannot write all of it through libtiff, which compresses.
            saving.pop("compression", None)
        Image.fromarray(levels).save(temporary, file_format, **saving)


def holds_alpha(path: str | os.PathLike) -> bool:
    """Whether the format of an output file supports transparency.

    Raises:
        NstjaxError: if the suffix is not one of `OUTPUT_SUFFIXES`.
    """
    return _format_of(Path(path)) in _WITH_ALPHA


def loses_detail(path: str | os.PathLike) -> tuple[bool, bool]:
    """Whether the format of an output file has a quality and a chroma setting.

    Raises:
        NstjaxError: if the suffix is not one of `OUTPUT_SUFFIXES`.
    """
    file_format = _format_of(Path(path))
    return file_format in ("JPEG", "WEBP"), file_format == "JPEG"


def _to_levels(pixels: np.ndarray) -> np.ndarray | None:
    """Pixels as uint8, or None if one of them is not finite."""
    levels = np.empty(pixels.shape, np.uint8)
    # In strips, since copies of a large picture would take the most memory of all.
    for first in range(0, len(pixels), _STRIP_ROWS):
        strip = pixels[first : first + _STRIP_ROWS]
        if not np.isfinite(strip).all():
            return None
        levels[first : first + _STRIP_ROWS] = to_uint8(strip)
    return levels


def _format_of(path: Path) -> str:
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise NstjaxError(
            f"{path} does not say which picture format to write; end its name in one "
            f"of {', '.join(OUTPUT_SUFFIXES)}"
        ) from None


def _save_options(file_format: str, quality: int, chroma: str) -> dict[str, object]:
    if file_format == "JPEG":
        # Full colour resolution by default: brush strokes have edges in hue as sharp as
        # in lightness.
        return {"quality": quality, "subsampling": CHROMA.index(chroma)}
    if file_format == "WEBP":
        return {"quality": quality}
    if file_format == "TIFF":
        return {"compression": "tiff_lzw"}
    # Run-length encoding only: no larger for painted pictures, and three times as fast.
    return {"compress_type": _PNG_RUNS}
