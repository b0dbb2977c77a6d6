"""Reads when, where and with what a photograph was taken from its EXIF data."""

import os

from PIL import ExifTags, Image

from nstjax.io.images import open_picture

_Base = ExifTags.Base
# The date, the camera and its settings, and the author. Not orientation, size and
# thumbnail, which no longer apply; nor serial numbers and makers' notes, which may
# reveal too much.
_KEPT = (
    *(_Base.DateTime, _Base.Make, _Base.Model, _Base.Artist, _Base.Copyright),
    _Base.ImageDescription,
)
_KEPT_OF_EXPOSURE = (
    *(_Base.DateTimeOriginal, _Base.DateTimeDigitized, _Base.SubsecTimeOriginal),
    *(_Base.OffsetTime, _Base.OffsetTimeOriginal, _Base.OffsetTimeDigitized),
    *(_Base.ExposureTime, _Base.FNumber, _Base.ISOSpeedRatings, _Base.FocalLength),
    *(_Base.FocalLengthIn35mmFilm, _Base.Flash, _Base.ExposureBiasValue),
    *(_Base.LensMake, _Base.LensModel),
)


def read_exif(path: str | os.PathLike, *, location: bool) -> bytes | None:
    """The EXIF data of a picture to keep, for `nstjax.io.images.write_image`.

    Args:
        path: a picture file.
        location: whether to keep the location, too.

    Returns:
        EXIF data without orientation, thumbnail, serial numbers and makers' notes;
        None if there is nothing to keep, or the data are damaged.
    """
    try:
        with open_picture(path) as image:
            found = image.getexif()
            exposure = found.get_ifd(ExifTags.IFD.Exif)
            place = dict(found.get_ifd(ExifTags.IFD.GPSInfo)) if location else {}
        kept = Image.Exif()
        for tag in _KEPT:
            if tag in found:
                kept[tag] = found[tag]
        settings = {tag: exposure[tag] for tag in _KEPT_OF_EXPOSURE if tag in exposure}
        for ifd, values in (
            (ExifTags.IFD.Exif, settings),
            (ExifTags.IFD.GPSInfo, place),
        ):
            if values:
                kept[ifd] = values
        return kept.tobytes() if len(kept) else None
    except Exception:
        # Damaged EXIF can raise almost anything, and the picture matters more.
        return None
