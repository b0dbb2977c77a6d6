"""The pictures of a run: reading them, their sizes and their colours."""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from nstjax import examples
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.images import MIN_SIDE, read_image, read_pil
from nstjax.io.levels import to_float, to_uint8
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods.styles import SavedStyle
from nstjax.methods.values import parts, whole_number
from nstjax.models.depth import disparity
from nstjax.ops.color import luminance_transfer, match_color
from nstjax.weights.pretrained import Depth

# A picture: a file, an example's name, a PIL picture, or an array [H, W, 3], uint8 or
# floating-point in [0, 1].
Picture = str | os.PathLike | np.ndarray | jax.Array | Image.Image
# A style: the same, or a saved style: its file, or an object of
# `nstjax.methods.styles`.
Style = Picture | SavedStyle
# A mask: the same as a picture, or an array [H, W].
Mask = Picture

# The mask that is made by the depth network.
DEPTH_MASK = "depth"
# The longer side at which depth is estimated, since its details are not needed.
_DEPTH_SIDE = 640
# If less than this fraction of a mask is set (or unset), it is probably a mistake.
_LEAST_MASKED = 0.005
# The number of pixels whose colours are processed at a time.
_STRIP = 2**22

_disparity = jax.jit(disparity, static_argnames="spec")
_luminance_transfer = jax.jit(luminance_transfer)


def read_content(
    picture: Picture, background: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads a picture and its opacity.

    Args:
        picture: see `Picture`.
        background: (red, green, blue) in [0, 1] to fill transparent areas with, so that
            the result is opaque; None keeps the opacity and uses white.

    Returns:
        The picture [H, W, 3] and its opacity [H, W, 1], float32 in [0, 1]; the opacity
        is None if all is opaque.

    Raises:
        NstjaxError: if it cannot be used as a picture.
    """
    how: dict[str, Any] = (
        {"keep_alpha": True} if background is None else {"background": background}
    )
    if isinstance(picture, Image.Image):
        image = read_pil(picture, **how)
    elif isinstance(picture, (str, os.PathLike)) and os.path.exists(picture):
        image = read_image(picture, **how)
    else:
        image = read_picture(picture)
    return image[..., :3], image[..., 3:] if image.shape[2] == 4 else None


def add_opacity(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """A result [H, W, 4] with a content's opacity, which is scaled to the result."""
    return np.concatenate([image, resize_image(opacity, image.shape[:2])], axis=2)


def read_picture(picture: Picture) -> np.ndarray:
    """Reads a picture as [H, W, 3] float32, RGB in [0, 1].

    Raises:
        NstjaxError: if it cannot be used as a picture.
    """
    if isinstance(picture, Image.Image):
        return read_pil(picture)
    if isinstance(picture, (np.ndarray, jax.Array)):
        if isinstance(picture, jax.Array) and picture.is_deleted():
            raise NstjaxError("the picture's jax array has been deleted")
        return _check_array(np.asarray(picture))
    if not isinstance(picture, (str, os.PathLike)):
        raise NstjaxError(
            "a picture is a file, an example's name, a PIL picture or an array "
            f"[H, W, 3], not {type(picture).__name__}"
        )
    if isinstance(picture, str) and examples.is_meant(picture):
        if picture in examples.content_names():
            return examples.content_image(picture)
        if picture in examples.style_names():
            return read_image(examples.style_path(picture))
    return read_image(picture)


def _check_array(picture: np.ndarray) -> np.ndarray:
    known = _is_floating(picture) or picture.dtype == np.uint8
    if picture.ndim != 3 or picture.shape[2] != 3 or not known:
        raise NstjaxError(
            "a picture given as an array must be floating-point or uint8 with the "
            f"shape [H, W, 3], not {picture.dtype} {list(picture.shape)}"
        )
    if min(picture.shape[:2]) < MIN_SIDE:
        raise NstjaxError(f"a picture needs sides of at least {MIN_SIDE} pixels")
    if picture.dtype == np.uint8:
        return to_float(picture)
    if not _in_range(picture):
        raise NstjaxError("a picture given as an array must have values in [0, 1]")
    return np.asarray(picture, np.float32)


def _is_floating(array: np.ndarray) -> bool:
    """Whether the dtype is floating-point, including jax's own types."""
    return jnp.issubdtype(array.dtype, jnp.floating)


def _in_range(array: np.ndarray) -> bool:
    """Whether all numbers are in [0, 1]."""
    # As Python's floats: jax's own types would warn about NaN.
    return 0 <= float(array.min()) and float(array.max()) <= 1


def read_mask(mask: Mask) -> np.ndarray:
    """Reads a mask as [H, W, 1] float32 in [0, 1].

    Raises:
        NstjaxError: if it cannot be used as a mask.
    """
    if isinstance(mask, (str, os.PathLike)):
        return _read_mask_file(mask)
    if isinstance(mask, Image.Image):
        return _from_pixels(read_pil(mask, background=0.0), "given as a picture")
    array = np.asarray(mask)
    if array.ndim == 2 and array.dtype == np.uint8:
        return to_float(array)[..., None]
    known = _is_floating(array) or array.dtype == np.bool_
    fits = array.ndim == 2 and array.size and known
    if not (fits and _in_range(array)):
        raise NstjaxError(
            "a mask given as an array must be [H, W], with values in [0, 1]"
        )
    return array.astype(np.float32)[..., None]


def _read_mask_file(path: str | os.PathLike) -> np.ndarray:
    return _from_pixels(read_image(path, background=0.0), str(path))


def _from_pixels(pixels: np.ndarray, name: str) -> np.ndarray:
    """A mask from pixels [H, W, 3] whose transparent areas are black.

    Transparent means not painted, as with strokes on their own layer.
    """
    read = pixels.mean(axis=2, keepdims=True)
    if not _LEAST_MASKED < read.mean() < 1 - _LEAST_MASKED:
        shade = "black" if read.mean() < 0.5 else "white"
        warnings.warn(
            f"the mask {name} is {shade} nearly everywhere (where it is "
            "transparent, it counts as black)",
            NstjaxWarning,
            stacklevel=3,
        )
    return read


def is_depth_mask(mask: Mask) -> bool:
    """Whether a mask is made from the content's depth instead of being read."""
    return isinstance(mask, str) and mask == DEPTH_MASK and not os.path.exists(mask)


def near_mask(content: np.ndarray, *, depth: Depth) -> np.ndarray:
    """A mask of the near parts of a content, with soft edges.

    The logarithm of the disparity is split in two by Otsu's method: the difference
    between near and far is as large as possible, and the differences within each as
    small.

    Args:
        content: [H, W, 3] in [0, 1].
        depth: the network.

    Returns:
        [H, W, 1]: 1 at the mean of the near parts and nearer, 0 at the mean of the far
        parts and farther, and linear between.
    """
    from skimage.filters import threshold_otsu

    height, width = content.shape[:2]
    side = min(_DEPTH_SIDE, max(height, width))
    small = resize_image(content, fit_size(height, width, long_side=side))
    found = _disparity(depth.params, small[None], spec=depth.spec)
    nearness = np.log(np.maximum(np.asarray(found)[0], 1e-6))
    if np.ptp(nearness) < 1e-6:  # all at one depth
        return np.ones((height, width, 1), np.float32)
    near = nearness > threshold_otsu(nearness)
    least, most = nearness[~near].mean(), nearness[near].mean()
    mask = np.clip((nearness - least) / (most - least), 0, 1)
    return resize_image(mask.astype(np.float32), (height, width))


def share_out(
    masks: Sequence[np.ndarray], *, styles: int, size: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Each style's weight at every position.

    Args:
        masks: [H, W, 1] in [0, 1], one for each style; or one for two styles, 1 where
            the first goes.
        styles: how many there are.
        size: (height, width) of the result.

    Returns:
        A weight for each style, [H, W] of `size`, with a sum of at most 1.

    Raises:
        NstjaxError: if the numbers of styles and masks do not match.
    """
    if not (len(masks) == styles or (len(masks) == 1 and styles == 2)):
        raise NstjaxError(
            f"{styles} styles and {len(masks)} masks do not match; give a mask for "
            "each "
            "style, or one mask and two styles"
        )
    weights = [resize_image(mask, size)[..., 0] for mask in masks]
    if len(weights) < styles:
        weights.append(1 - weights[0])
    total = np.maximum(sum(weights), 1)
    return tuple(weight / total for weight in weights)


def recolour(style: np.ndarray | SavedStyle, content: np.ndarray) -> np.ndarray:
    """The style with the content's colours.

    Raises:
        NstjaxError: for a saved style, which has no colours to change.
    """
    if isinstance(style, SavedStyle):
        raise NstjaxError(
            f"the saved style {style.name} cannot take on the content's colours; give "
            "its picture, or use --preserve-color luminance"
        )
    return np.asarray(match_color(style, content))


def with_colours_of(content: np.ndarray, image: np.ndarray) -> np.ndarray:
    """`luminance_transfer` in strips, for large pictures."""
    result = np.empty(image.shape, np.float32)
    rows = max(1, _STRIP // image.shape[1])
    for first in range(0, len(image), rows):
        strip = slice(first, first + rows)
        result[strip] = _luminance_transfer(image[strip], content[strip])
    return result


def output_size(
    height: int, width: int, size: int | tuple[int, int] | None
) -> tuple[int, int]:
    """The (height, width) of a result: the requested size, or the content's.

    Raises:
        NstjaxError: if the size is invalid or too small.
    """
    if size is None:
        return height, width
    if np.ndim(size):
        sides = parts("a size", size)
        if len(sides) != 2:
            raise NstjaxError(f"a size must be (height, width) in pixels, not {size!r}")
        size = (whole_number("a height", sides[0]), whole_number("a width", sides[1]))
    else:
        longer = whole_number("a size", size)
        size = fit_size(height, width, long_side=longer)
    if min(size) < MIN_SIDE:
        raise NstjaxError(
            f"a result of {size[1]} x {size[0]} pixels is too small; both sides must "
            f"be at least {MIN_SIDE}"
        )
    return size[0], size[1]


def disparity_pictures(
    content: np.ndarray, image: np.ndarray, *, depth: Depth
) -> tuple[np.ndarray, np.ndarray]:
    """The disparities of a content and of its result, as pictures.

    Args:
        content: the content, [H, W, 3] in [0, 1].
        image: the result, of any size.
        depth: the network.

    Returns:
        Both as grey pictures [H, W, 3] in [0, 1], brighter where nearer. Each is
        divided by its mean, as in the depth loss; in both, black and white are the
        farthest and nearest points of the content.
    """
    maps = []
    for picture in (content, image):
        found = np.asarray(_disparity(depth.params, picture[None], spec=depth.spec))[0]
        maps.append(found / max(found.mean(), 1e-6))
    least, most = maps[0].min(), maps[0].max()
    first, second = (
        np.repeat(np.clip((x - least) / max(most - least, 1e-6), 0, 1), 3, axis=2)
        for x in maps
    )
    return first, second


def to_pil(image: np.ndarray) -> Any:
    """Converts a picture [H, W, 3] in [0, 1] to PIL, rounded to 8 bits."""
    return Image.fromarray(to_uint8(image))
