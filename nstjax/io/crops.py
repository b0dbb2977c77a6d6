"""Makes training examples from pictures: scales, crops and flips them at random."""

import dataclasses

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.decoding import decode_pixels, read_orientation, turn_upright
from nstjax.io.levels import to_uint8

# Modes that a quick conversion turns into RGB like `decode_pixels`.
_PLAIN_MODES = ("RGB", "L", "CMYK", "YCbCr")


@dataclasses.dataclass(frozen=True)
class Crop:
    """How a picture becomes a training example.

    Attributes:
        size: the side of the square crop, in pixels.
        short_side: the shorter side that the picture is first scaled to (512, with a
            size of 256, is published); smaller pictures are enlarged.
        largest_scale: scale augmentation: the shorter side is scaled to
            between `short_side` and this many times it, log-uniformly.
        flip: whether half of the crops are mirrored left to right.

    Raises:
        NstjaxError: if the square does not fit or the largest scale is below 1.
    """

    size: int
    short_side: int
    largest_scale: float = 1.0
    flip: bool = False

    def __post_init__(self):
        if not 0 < self.size <= self.short_side or not self.largest_scale >= 1:
            raise NstjaxError(
                f"a crop of {self.size} px needs a short side of at least that, not "
                f"{self.short_side}, and a largest scale of 1 or more, not "
                f"{self.largest_scale}"
            )

    def box(
        self, width: int, height: int, random: np.random.Generator | None
    ) -> tuple[float, float, float, float]:
        """Chooses the region to crop from a picture of the given size.

        Returns:
            Left, upper, right, lower in the picture's own pixels; if `random` is None,
            the centre at the base scale.
        """
        scale = min(width, height) / self.short_side
        if random is None:
            side = self.size * scale
            left, upper = (width - side) / 2, (height - side) / 2
        else:
            zoom = np.exp(random.uniform(0, np.log(self.largest_scale)))
            side = self.size * scale / zoom
            left = random.uniform(0, width - side)
            upper = random.uniform(0, height - side)
        return left, upper, left + side, upper + side


def cut(
    image: Image.Image, crop: Crop, random: np.random.Generator | None
) -> np.ndarray:
    """Scales and crops a picture with a single resampling (bicubic, antialiased).

    Args:
        image: any Pillow picture that `decode_pixels` accepts; it is turned upright and
            put on white. Colour profiles of RGB, grey and CMYK pictures are ignored,
            for speed.
        crop: how to crop.
        random: a generator for the position; None crops the centre.

    Returns:
        uint8 array [size, size, 3].
    """
    if not _is_plain(image):
        image = Image.fromarray(to_uint8(decode_pixels(image)))
    box = np.array(crop.box(*image.size, random))
    box = box * _draft(image, shrink=(box[2] - box[0]) / crop.size)
    limits = np.array(image.size * 2)
    cropped = image.convert("RGB").resize(
        (crop.size, crop.size),
        Image.Resampling.BICUBIC,
        # Rounding may put an edge slightly outside, which Pillow refuses.
        box=tuple(np.clip(box, 0, limits)),
    )
    # A square stays a square, so it is enough to turn the crop.
    array = turn_upright(np.asarray(cropped), read_orientation(image))
    if crop.flip and random is not None and random.random() < 0.5:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _is_plain(image: Image.Image) -> bool:
    # Pillow turns a TIFF upright when loading it, after its size has been read.
    return (
        image.format != "TIFF"
        and image.mode in _PLAIN_MODES
        and not image.has_transparency_data
    )


def _draft(image: Image.Image, *, shrink: float) -> float:
    """Decodes a JPEG at a reduced size, if that is still large enough.

    Returns:
        The factor for coordinates. The new size is rounded up, so its ratio to the old
        size differs slightly.
    """
    if shrink < 2:
        return 1.0
    width, height = image.size
    drafted = image.draft("RGB", (int(width / shrink), int(height / shrink)))
    return drafted[1][2] / width if drafted else 1.0
