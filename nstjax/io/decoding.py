"""From an opened Pillow picture to upright sRGB pixels in [0, 1]."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageCms

from nstjax.errors import NstjaxError

# How to undo each EXIF orientation: swap the axes, then flip rows, columns.
_UPRIGHT = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
# The modes that an ICC profile of each colour space can describe, and the
# mode that its transform reads.
_MODES_OF_PROFILE = {
    "RGB": (("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"), "RGB"),
    "GRAY": (("1", "L", "LA"), "L"),
    "CMYK": (("CMYK",), "CMYK"),
}
_SRGB = ImageCms.createProfile("sRGB")


def decode_pixels(image: Image.Image, *, color_managed: bool = True) -> np.ndarray:
    """Decodes a picture: first frame, upright, sRGB, no alpha.

    Grey of 9 to 16 bits keeps its precision; other channels of 16 bits are
    cut to their upper 8, which is all that Pillow reads. An embedded ICC
    profile is converted to sRGB (perceptual intent, 8 bits); without one,
    the numbers are taken for sRGB and CMYK is converted without colour
    management. What is transparent is blended with white, in sRGB values as
    web browsers do.

    Args:
        image: an opened Pillow picture; it is loaded here.
        color_managed: False ignores profiles.

    Returns:
        float32 array [H, W, 3] in [0, 1].

    Raises:
        NstjaxError: if the colour mode is none of grey, palette, RGB, YCbCr
            and CMYK, or white is unknown (32-bit integers, floating point). The
            message lacks the file's name, which the caller puts before it.
        Exception: whatever Pillow raises for a damaged file, which is nearly
            anything.
    """
    image.load()
    # After load(), for Pillow itself turns TIFF files when it loads them and
    # then drops the tag.
    orientation = read_orientation(image)
    profile = image.info.get("icc_profile") if color_managed else None
    alpha = None
    if image.mode.startswith("I;16"):
        pixels = _decode_deep_grey(image)
        if profile:
            levels = np.rint(pixels * 255).astype(np.uint8)
            pixels = _decode_8_bits(Image.fromarray(levels), profile)
    else:
        pixels = _decode_8_bits(image, profile)
        if image.has_transparency_data:
            alpha = _to_unit(image.convert("RGBA").getchannel("A"))[..., None]
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if alpha is not None:
        pixels = pixels * alpha + (1 - alpha)
    return turn_upright(pixels, orientation)


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded picture, 1 to 8; 1 where none is told."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # Damaged EXIF raises nearly anything, and is no reason to refuse a
        # picture whose pixels are in order.
        return 1


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an EXIF orientation of pixels [H, W, ...]; unknown ones are 1."""
    swap, flip_rows, flip_columns = _UPRIGHT.get(orientation, _UPRIGHT[1])
    if swap:
        pixels = pixels.swapaxes(0, 1)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _decode_deep_grey(image: Image.Image) -> np.ndarray:
    """Grey of 9 to 16 bits to [H, W]."""
    bits, white_is_zero = 16, False
    if image.format == "TIFF":
        # Pillow neither scales 12 bits up nor turns white-is-zero round.
        bits = image.tag_v2.get(ExifTags.Base.BitsPerSample, (16,))[0]
        white_is_zero = image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0
    pixels = np.asarray(image) / np.float32(2**bits - 1)
    return 1 - pixels if white_is_zero else pixels


def _decode_8_bits(image: Image.Image, profile: bytes | None) -> np.ndarray:
    """Anything else to sRGB, [H, W, 3], its alpha left out."""
    if image.mode in ("I", "F", "LAB"):
        raise NstjaxError(
            f"has Pillow's colour mode {image.mode}, which is not supported; save it "
            "as grey, RGB or CMYK with 8 or 16 bits per channel"
        )
    managed = _convert_to_srgb(image, profile) if profile else None
    if managed is None:
        # convert() would copy what it has nothing to do with.
        managed = image if image.mode == "RGB" else image.convert("RGB")
    return _to_unit(managed)


def _convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Applies an ICC profile; None if it is damaged or for other pictures."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        modes, mode = _MODES_OF_PROFILE[source.profile.xcolor_space.strip()]
        if image.mode not in modes:
            return None
        return ImageCms.profileToProfile(
            image.convert(mode),
            source,
            _SRGB,
            outputMode="RGB",
            # The usual grid of a grey or CMYK transform is off by some levels
            # in the shadows.
            flags=ImageCms.Flags.HIGHRESPRECALC,
        )
    except (ImageCms.PyCMSError, OSError, KeyError):
        # As with EXIF, the pixels are worth more than what is said of them.
        return None


def _to_unit(image: Image.Image) -> np.ndarray:
    return np.asarray(image) / np.float32(255)
