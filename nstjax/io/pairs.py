"""Training pairs: a photo and a label map with the same crop; photos are repainted.

The map labels every pixel, for example with its disparity. It remains valid if the
photo's colours change or the photo is painted; in this way, a network that is trained
on photos learns to handle paintings.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Load, Source, find_pictures, open_picture
from nstjax.io.decoding import decode_pixels
from nstjax.io.levels import LUMINANCE_WEIGHTS, to_float, to_uint8

# Below one step of an 8-bit channel, colours count as constant.
_LEAST_VARIANCE = (1 / 255) ** 2
# Brush strokes are details of up to this many pixels in a 224-pixel view.
_STROKE_SIZES = (4, 12)
# How much of its own details a repainted photo keeps, and how much it gets of the
# style's.
_DETAIL_SHARES = ((0.3, 1.0), (0.0, 0.8))


class PairSource:
    """Photos of a folder with their labels and painted versions.

    Attributes:
        painted: the number of painted versions.

    Args:
        photos: a folder, searched with its subfolders.
        labels: a folder with a picture of the same relative path for each.
        painted: a folder of painted versions, or "". They are named like the photo,
            optionally followed by an underscore and anything else, as ``stylize.py``
            names its outputs for folders.

    Raises:
        NstjaxError: if there are no photos, a label is missing, or a painted
            version does not belong to a photo.
    """

    def __init__(
        self, photos: str | Path, labels: str | Path, painted: str | Path = ""
    ) -> None:
        photos, labels = Path(photos).expanduser(), Path(labels).expanduser()
        self._photos = find_pictures(photos)
        if not self._photos:
            raise NstjaxError(f"there are no photos in {photos}")
        self._labels = [labels / photo.relative_to(photos) for photo in self._photos]
        for photo, label in zip(self._photos, self._labels, strict=True):
            if not label.is_file():
                raise NstjaxError(f"the photo {photo} has no label {label}")
        self._painted = _match_painted(painted, self._photos) if painted else {}
        self.painted = sum(map(len, self._painted.values()))

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        photo = self._photos[index]
        return {
            "filename": str(photo),
            "image": photo,
            "label": self._labels[index],
            "painted": self._painted.get(photo.stem, ()),
        }


def _match_painted(
    folder: str | Path, photos: Sequence[Path]
) -> dict[str, tuple[Path, ...]]:
    stems = {photo.stem for photo in photos}
    if len(stems) != len(photos):
        raise NstjaxError(
            "painted versions are matched to photos by name, but some photos share a "
            "name; rename them"
        )
    found: dict[str, list[Path]] = {}
    for picture in find_pictures(Path(folder).expanduser()):
        stem = picture.stem
        while stem not in stems:
            stem, underscore, _ = stem.rpartition("_")
            if not underscore:
                raise NstjaxError(
                    f"the painted picture {picture} belongs to no photo; its name "
                    "must begin with a photo's"
                )
        found.setdefault(stem, []).append(picture)
    return {stem: tuple(pictures) for stem, pictures in found.items()}


@dataclasses.dataclass(frozen=True)
class View:
    """The part of a photo that a training example shows.

    Attributes:
        size: (height, width) in pixels, regardless of the photo's aspect ratio.
        min_crop_scale: the smallest fraction of the photo's sides to show.
        largest_share: the largest fraction.
        flip: whether half of the views are mirrored left to right.
    """

    size: tuple[int, int]
    min_crop_scale: float = 1.0
    largest_share: float = 1.0
    flip: bool = False

    def __post_init__(self):
        if min(self.size) < 1 or not 0 < self.min_crop_scale <= self.largest_share <= 1:
            raise NstjaxError(
                "a view needs a positive size and fractions above 0 and up to 1, not "
                f"{self.size} and {self.min_crop_scale} to {self.largest_share}"
            )

    def box(self, random: np.random.Generator | None) -> np.ndarray:
        """Left, upper, right, lower as fractions of the photo's sides.

        Width and height are drawn separately, so the aspect ratio varies. The whole
        photo if `random` is None.
        """
        if random is None:
            return np.array([0.0, 0.0, 1.0, 1.0])
        sides = random.uniform(self.min_crop_scale, self.largest_share, 2)
        corner = random.uniform(0, 1 - sides)
        return np.concatenate([corner, corner + sides])


@dataclasses.dataclass(frozen=True)
class Repainting:
    """How the photo of a training pair is changed; fractions refer to all examples.

    Attributes:
        jitter: strength of random brightness, contrast, saturation, hue and
            gamma; 0 for none.
        painted_share: the fraction that shows a painted version, if there is one.
        transfer_share: the fraction of the others that takes on the colours, and part
            of the brush strokes, of one of `styles`.
        styles: pictures, or None.
    """

    jitter: float = 0.0
    painted_share: float = 0.0
    transfer_share: float = 0.0
    styles: Source | None = None


def pair_loader(view: View, repainting: Repainting, *, labelled: bool = True) -> Load:
    """A `Load` that makes an example of a `PairSource`'s item.

    It returns uint8 [H, W, 4]: RGB, then the label. Without `random`, the photo is
    unchanged.

    Args:
        view: the part that is shown.
        repainting: how the photo is changed.
        labelled: False to use the unchanged photo instead of the label, which makes
            [H, W, 6]; then any source of pictures can be used.
    """

    def load(item: Any, random: np.random.Generator | None) -> np.ndarray:
        if not isinstance(item, Mapping):
            item = {"image": item}
        box, file = view.box(random), item["image"]
        painted, show_painted = item.get("painted", ()), False
        if random is not None and painted:
            show_painted = random.random() < repainting.painted_share
            if show_painted:
                file = painted[random.integers(len(painted))]
        pixels = _cut(file, view, box, "RGB")
        if labelled:
            label = _cut(item["label"], view, box, "L")[..., None]
        else:
            label = _cut(item["image"], view, box, "RGB") if show_painted else pixels
        if random is not None:
            pixels = to_float(pixels)
            if not show_painted and random.random() < repainting.transfer_share:
                assert repainting.styles is not None
                pixels = _repaint(pixels, view, repainting.styles, random)
            pixels = _jitter(pixels, repainting.jitter, random)
            pixels = to_uint8(pixels)
        example = np.concatenate([pixels, label], axis=2)
        return _mirrored_at_times(example, view, random)

    return load


def _mirrored_at_times(
    example: np.ndarray, view: View, random: np.random.Generator | None
) -> np.ndarray:
    if random is not None and view.flip and random.random() < 0.5:
        example = example[:, ::-1]
    return np.ascontiguousarray(example)


def _cut(file: Any, view: View, box: np.ndarray, mode: str) -> np.ndarray:
    """Scales a part of a picture, given in fractions, to the view's size."""
    with open_picture(file) as image:
        if image.mode != mode or image.getexif():
            image = Image.fromarray(to_uint8(decode_pixels(image))).convert(mode)
        height, width = view.size
        sides = np.array([image.width, image.height] * 2)
        resized = image.resize(
            (width, height), Image.Resampling.BICUBIC, box=tuple(box * sides)
        )
        return np.asarray(resized)


def _repaint(
    pixels: np.ndarray, view: View, styles: Source, random: np.random.Generator
) -> np.ndarray:
    """Gives a photo the colours of a style picture and some of its strokes."""
    file = styles[int(random.integers(len(styles)))]
    part = View(view.size, min_crop_scale=0.4).box(random)
    style = to_float(_cut(file, view, part, "RGB"))
    weight = np.float32(random.uniform(0.4, 1))
    pixels = (1 - weight) * pixels + weight * _match_colors(pixels, style)
    size = round(random.uniform(*_STROKE_SIZES) * min(view.size) / 224)
    smooth, strokes = _smooth(pixels, size), style - _smooth(style, size)
    own, foreign = (np.float32(random.uniform(*ends)) for ends in _DETAIL_SHARES)
    return np.clip(smooth + own * (pixels - smooth) + foreign * strokes, 0, 1)


def _match_colors(pixels: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Gives pixels the mean and the covariance of a style's colours."""
    means, roots = [], []
    for image in (pixels, style):
        colors = image.reshape(-1, 3)
        covariance = np.cov(colors, rowvar=False) + _LEAST_VARIANCE * np.eye(3)
        means.append(colors.mean(0))
        roots.append(np.linalg.cholesky(covariance))
    matrix = (roots[1] @ np.linalg.inv(roots[0])).astype(np.float32)
    return np.clip((pixels - means[0]) @ matrix.T + means[1], 0, 1)


def _smooth(pixels: np.ndarray, size: int) -> np.ndarray:
    """Removes details below a size, by reducing and enlarging the picture."""
    height, width = pixels.shape[:2]
    small = (max(width // max(size, 1), 1), max(height // max(size, 1), 1))
    image = Image.fromarray(to_uint8(pixels))
    image = image.resize(small, Image.Resampling.BOX)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    return to_float(np.asarray(image))


def _jitter(
    pixels: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Changes saturation, hue, contrast, brightness and gamma at random."""
    if not strength:
        return pixels
    saturation, contrast = np.exp(random.uniform(-strength, strength, 2))
    gains = np.exp(random.uniform(-strength / 3, strength / 3, 3))
    grey = np.ones((3, 1)) * LUMINANCE_WEIGHTS
    matrix = contrast * gains[:, None] * (grey + saturation * (np.eye(3) - grey))
    offset = 0.5 - 0.5 * contrast + random.uniform(-strength / 3, strength / 3)
    gamma = np.exp(random.uniform(-strength, strength))
    changed = pixels @ matrix.T.astype(np.float32) + np.float32(offset)
    return np.clip(changed, 0, 1) ** np.float32(gamma)
