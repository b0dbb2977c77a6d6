"""TIFF files of the kinds that Pillow misreads or refuses, decoded by tifffile.

These are 16-bit samples (Pillow keeps only the upper 8 bits and garbles uncompressed
planes), grey with alpha, and colour tables.
"""

import logging
from collections.abc import Callable, Sequence
from typing import BinaryIO

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.decoding import compose

MAGIC_NUMBERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PALETTE = 3
# The number of colour samples, by PhotometricInterpretation: white is zero, black is
# zero, RGB, CMYK.
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}
_WHITE_IS_ZERO = 0
_YCBCR = 6
# None, Deflate with its two numbers, PackBits and LZMA, which tifffile can decode by
# itself.
_UNCOMPRESSED = 1
_DECODED = (_UNCOMPRESSED, 8, 32946, 32773, 34925)
_UNSIGNED, _UNTYPED = 1, 4
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ORIENTATION_TAG, _SUBSAMPLING_TAG, _PROFILE_TAG = 274, 530, 34675

# Its messages are repeated in errors; without a handler it would print them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def decode_tiff(
    file: BinaryIO,
    *,
    check_size: Callable[[int, int], None],
    color_managed: bool = True,
    background: float | Sequence[float] = 1.0,
    keep_alpha: bool = False,
) -> np.ndarray | None:
    """Decodes the first page of a TIFF file that Pillow would not decode correctly.

    Args:
        file: an open file; its position is 0 afterwards.
        check_size: called with (width, height) before anything is decoded; it may
            raise.
        color_managed, background, keep_alpha: see `nstjax.io.decoding.decode_pixels`.

    Returns:
        The same as `decode_pixels`; None for files that Pillow reads correctly, or
        whose headers tifffile does not understand.

    Raises:
        NstjaxError: for kinds that neither library reads correctly.
        Exception: whatever tifffile raises for a damaged file.
    """
    if not _is_tiff(file):
        return None
    import tifffile

    try:
        page = tifffile.TiffFile(file).pages.first
        kind = _Kind(page)
    except Exception:  # tifffile raises nearly anything for damaged headers
        return None
    finally:
        file.seek(0)
    if kind.formats - {_UNSIGNED, _UNTYPED}:
        raise NstjaxError(
            "holds signed or floating-point numbers, whose black and white are "
            "unknown; save it with unsigned integers of 8 or 16 bits"
        )
    if kind.subsampled and page.compression == _UNCOMPRESSED:
        raise NstjaxError(
            "is an uncompressed TIFF file with subsampled colour (YCbCr), which is "
            "not supported; save it as RGB"
        )
    if kind.photometric == _PALETTE:
        check_size(page.imagewidth, page.imagelength)
        indices, alpha = _palette_indices(file), None
        table = np.asarray(page.colormap)
        # Many programs write 8-bit values where the standard requires 16 bits, which
        # others make from 8 by multiplying by 256 or 257.
        table = table if table.max() < 256 else table >> 8
        samples = (table.T / np.float32(255))[indices]
    elif kind.photometric in _COLOURS and (
        16 in kind.bits or kind.separate or kind.samples == 2
    ):
        if page.compression not in _DECODED:
            _check_pillow_reads(kind, page)
            return None
        check_size(page.imagewidth, page.imagelength)
        samples, alpha = _read_samples(page, kind)
    else:
        return None
    orientation = page.tags.get(_ORIENTATION_TAG)
    profile = page.tags.get(_PROFILE_TAG) if color_managed else None
    return compose(
        samples,
        alpha,
        premultiplied=_ASSOCIATED in page.extrasamples[:1],
        profile=profile and profile.value,
        orientation=orientation.value if orientation else 1,
        background=background,
        keep_alpha=keep_alpha,
    )


def tiff_size(file: BinaryIO) -> tuple[int, int] | None:
    """The (width, height) of an open TIFF file's first page; None for other files.

    Raises:
        Exception: whatever tifffile raises for a damaged file.
    """
    if not _is_tiff(file):
        return None
    import tifffile

    page = tifffile.TiffFile(file).pages.first
    return page.imagewidth, page.imagelength


def _is_tiff(file: BinaryIO) -> bool:
    """Checks the beginning of an open file; its position is 0 afterwards."""
    magic = file.read(4)
    file.seek(0)
    return magic in MAGIC_NUMBERS


class _Kind:
    """The properties of a page that decide which library can read it."""

    def __init__(self, page) -> None:
        self.bits = set(np.atleast_1d(page.bitspersample).tolist())
        self.formats = set(np.atleast_1d(page.sampleformat).tolist())
        self.samples = int(page.samplesperpixel)
        self.photometric = int(page.photometric)
        subsampling = page.tags.get(_SUBSAMPLING_TAG)
        full = subsampling is not None and tuple(subsampling.value) == (1, 1)
        self.subsampled = self.photometric == _YCBCR and not full
        self.separate = int(page.planarconfig) == 2 and self.samples > 1


def _check_pillow_reads(kind: _Kind, page) -> None:
    """Raises NstjaxError for kinds that Pillow would read incorrectly."""
    white_is_zero = kind.photometric == _WHITE_IS_ZERO and kind.bits == {16}
    if kind.samples == 2 or white_is_zero:
        what = "grey with alpha" if kind.samples == 2 else "16 bits, white is zero"
        raise NstjaxError(
            f"is a TIFF file ({what}) whose compression ({page.compression.name}) "
            "cannot be read; save it uncompressed or with Deflate"
        )


def _palette_indices(file: BinaryIO) -> np.ndarray:
    with Image.open(file, formats=("TIFF",)) as image:
        image.load()
        return np.asarray(image)


def _read_samples(page, kind: _Kind) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours [H, W, N] in [0, 1], and alpha [H, W, 1] or None."""
    colours = _COLOURS[kind.photometric]
    if kind.bits not in ({8}, {16}) or not colours <= kind.samples <= colours + 4:
        raise NstjaxError(
            f"is a TIFF file of {kind.samples} samples of {sorted(kind.bits)} bits, "
            "which is not supported; save it as grey, RGB or CMYK with 8 or 16 bits"
        )
    size = (page.imagelength, page.imagewidth)
    data = page.asarray(maxworkers=1)
    if kind.separate:
        data = np.moveaxis(data.reshape(kind.samples, *size), 0, -1)
    data = data.reshape(*size, kind.samples) / np.float32(2 ** max(kind.bits) - 1)
    samples, rest = data[..., :colours], data[..., colours : colours + 1]
    if kind.photometric == _WHITE_IS_ZERO:
        samples = 1 - samples
    # If the file does not say what a further sample is, it is alpha, as in Pillow.
    what = page.extrasamples[0] if page.extrasamples else _UNASSOCIATED
    has_alpha = rest.shape[2] and what in (_ASSOCIATED, _UNASSOCIATED)
    return samples, rest if has_alpha else None
