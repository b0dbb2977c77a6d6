"""Decodes an opened Pillow picture to upright sRGB pixels in [0, 1]."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile

from nstjax.errors import NstjaxError
from nstjax.io.levels import to_float, to_uint8

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
# Pillow's factors for grey with fewer bits, by its names for them.
_GREY_FACTORS = {"L;2": 85, "L;4": 17}
_SRGB = ImageCms.createProfile("sRGB")


def decode_pixels(
    image: Image.Image,
    *,
    color_managed: bool = True,
    background: float | Sequence[float] = 1.0,
    keep_alpha: bool = False,
) -> np.ndarray:
    """Decodes a picture: first frame, upright, sRGB.

    Grey of 9 to 16 bits keeps its precision; other 16-bit channels are reduced to their
    upper 8 bits, which is all that Pillow reads. An embedded ICC profile is converted
    to sRGB (perceptual intent, 8 bits); without one, the numbers are assumed to be
    sRGB, and CMYK is converted without colour management. Transparent areas are blended
    with a background in sRGB values, as in web browsers. TIFF files go through
    `nstjax.io.tiff` first.

    Args:
        image: an opened Pillow picture; it is loaded here.
        color_managed: False ignores profiles.
        background: the grey or (red, green, blue) in [0, 1] behind transparent areas;
            white by default.
        keep_alpha: whether to return the opacity, too, if there is any.

    Returns:
        float32 array [H, W, 3] in [0, 1]; or [H, W, 4], with colours on the background
        and the opacity in the last channel.

    Raises:
        NstjaxError: if the colour mode is not grey, palette, RGB, YCbCr or CMYK, or
            white is unknown (32-bit integers, floating point). The caller puts the
            file's name before the message.
        Exception: whatever Pillow raises for a damaged file, which is nearly
            anything.
    """
    _scale_transparent_colour(image)
    image.load()
    # After load(), since Pillow itself turns TIFF files when loading them and then
    # drops the tag.
    orientation = read_orientation(image)
    profile = image.info.get("icc_profile") if color_managed else None
    if image.mode.startswith("I;16"):
        samples = _decode_deep_grey(image)[..., None]
    else:
        # Applies the profile to the numbers in the file.
        samples, profile = _decode_8_bits(image, profile), None
    return compose(
        samples,
        _alpha(image),
        profile=profile,
        orientation=orientation,
        background=background,
        keep_alpha=keep_alpha,
    )


def compose(
    samples: np.ndarray,
    alpha: np.ndarray | None,
    *,
    premultiplied: bool = False,
    profile: bytes | None = None,
    orientation: int = 1,
    background: float | Sequence[float] = 1.0,
    keep_alpha: bool = False,
) -> np.ndarray:
    """Converts samples to the result of `decode_pixels`.

    Args:
        samples: [H, W, N] in [0, 1]: grey, RGB or CMYK for N of 1, 3 or 4.
        alpha: opacity [H, W, 1] in [0, 1], or None.
        premultiplied: whether the samples were multiplied by it.
        profile: an ICC profile of the samples.
        orientation: the EXIF orientation.
        background, keep_alpha: see `decode_pixels`.
    """
    if profile:
        levels = to_uint8(samples)
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[samples.shape[2]]
        image = Image.frombytes(mode, levels.shape[1::-1], levels.tobytes())
        pixels = _decode_8_bits(image, profile)
    elif samples.shape[2] == 4:
        pixels = (1 - samples[..., :3]) * (1 - samples[..., 3:])
    else:
        pixels = samples if samples.shape[2] == 3 else np.repeat(samples, 3, axis=2)
    if alpha is not None:
        weighted = pixels if premultiplied else pixels * alpha
        behind = np.asarray(background, np.float32)
        pixels = np.clip(weighted + behind * (1 - alpha), 0, 1)
        if keep_alpha and alpha.min() < 1:
            pixels = np.concatenate([pixels, alpha], axis=2)
    return turn_upright(np.asarray(pixels, np.float32), orientation)


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded picture, 1 to 8; 1 if not stated."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # Damaged EXIF can raise almost anything, and is no reason to refuse a picture
        # with intact pixels.
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
    """Decodes grey of 9 to 16 bits to [H, W]."""
    bits, white_is_zero = 16, False
    if image.format == "TIFF":
        from PIL.TiffImagePlugin import TiffImageFile

        assert isinstance(image, TiffImageFile)
        # Pillow neither scales 12 bits up nor inverts white-is-zero.
        bits = image.tag_v2.get(ExifTags.Base.BitsPerSample, (16,))[0]
        white_is_zero = image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0
    pixels = np.asarray(image) / np.float32(2**bits - 1)
    return 1 - pixels if white_is_zero else pixels


def _decode_8_bits(image: Image.Image, profile: bytes | None) -> np.ndarray:
    """Decodes anything else to sRGB, [H, W, 3], without alpha."""
    if image.mode in ("I", "F", "LAB"):
        raise NstjaxError(
            f"has Pillow's colour mode {image.mode}, which is not supported; save it "
            "as grey, RGB or CMYK with 8 or 16 bits per channel"
        )
    managed = _convert_to_srgb(image, profile) if profile else None
    if managed is None:
        # convert() would copy even if it has nothing to do.
        managed = image if image.mode == "RGB" else image.convert("RGB")
    return to_float(np.asarray(managed))


def _alpha(image: Image.Image) -> np.ndarray | None:
    """The opacity [H, W, 1] of a loaded picture, or None."""
    if image.mode.startswith("I;16"):
        if "transparency" not in image.info:
            return None
        return (np.asarray(image) != image.info["transparency"]).astype(np.float32)[
            ..., None
        ]
    if not image.has_transparency_data:
        return None
    opacity = np.asarray(image.convert("RGBA").getchannel("A"))
    return to_float(opacity)[..., None]


def _scale_transparent_colour(image: Image.Image) -> None:
    """Corrects the transparent colour of an unloaded PNG file that has one.

    Pillow scales samples to 8 bits, but not the transparent colour.
    """
    if not isinstance(image, ImageFile.ImageFile) or image.format != "PNG":
        return
    colour = image.info.get("transparency")
    if colour is None or not image.tile:
        return
    raw = image.tile[0].args
    if raw in _GREY_FACTORS:
        image.info["transparency"] = colour * _GREY_FACTORS[raw]
    if raw == "RGB;16B":
        raise NstjaxError(
            "has one transparent colour of 16 bits per channel, which is not "
            "supported; save it with an alpha channel"
        )


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
            # The default grid of a grey or CMYK transform is off by some levels in the
            # shadows.
            flags=ImageCms.Flags.HIGHRESPRECALC,
        )
    except (ImageCms.PyCMSError, OSError, KeyError):
        # As with EXIF, the pixels matter more than their metadata.
        return None
