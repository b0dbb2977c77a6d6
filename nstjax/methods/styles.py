"""Styles for feed-forward methods: measuring, saving and loading them."""

import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.resizing import fit_size, resize_image
from nstjax.io.signatures import name_kind_of
from nstjax.io.weights import (
    NoWeightsError,
    WeightsMetadata,
    load_weights,
    save_weights,
)
from nstjax.methods.base import LEAST_SIDE, STROKE_SIDE
from nstjax.methods.networks import Networks
from nstjax.methods.programs import by_level, encode, encoding_canvas, programs_of
from nstjax.methods.specs import LevelStatistics
from nstjax.methods.tiling.moments import Moments, merge, moments_of, to_statistics
from nstjax.methods.tiling.receptive_field import receptive_field_radius
from nstjax.methods.tiling.spans import read_window, spans
from nstjax.ops.stats import Statistics
from nstjax.weights.store.statistics import recalled

STYLE_SUFFIX = ".style"
# A style's shorter side is that of the content, but at most this: decoders were trained
# with strokes of this scale.
_STYLE_SIDE = 512
# The most windows of a content's canvas in which a style is measured.
_MOST_WINDOWS = 3
NO_SAVED_STYLES = (
    "Style-Swap needs a style's picture, but a saved style holds statistics only; "
    "give the picture"
)
_MAKING = "make one from a picture with --save-style or nstjax.Painter.save_style"


class SavedStyle(NamedTuple):
    """A style without its picture.

    Attributes:
        statistics: the style's statistics for AdaIN, by level.
        encoder: the SHA-256 of the encoder that computed them.
        name: the picture's name, for display.
    """

    statistics: LevelStatistics
    encoder: str
    name: str


def style_side(
    size: Sequence[int], style_scale: float, stroke_scale: float | None = None
) -> int:
    """The shorter side to scale styles to, for a content of a given size."""
    if stroke_scale is not None:
        return max(LEAST_SIDE, round(STROKE_SIDE * min(stroke_scale, 1)))
    side = min(*size, _STYLE_SIDE) * style_scale
    # Contents of similar size share a style's statistics.
    step = 32 if side >= 256 else 8
    return max(LEAST_SIDE, step * round(side / step))


def all_statistics(
    styles: Sequence[np.ndarray | SavedStyle], **how: Any
) -> list[LevelStatistics]:
    """The statistics of saved styles, or of pictures encoded with `encode_style`."""
    return [
        style.statistics
        if isinstance(style, SavedStyle)
        else encode_style(style, **how)
        for style in styles
    ]


def encode_style(
    style: np.ndarray,
    *,
    networks: Networks,
    short_side: int = _STYLE_SIDE,
    content: tuple[int, int] | None = None,
) -> LevelStatistics:
    """A style picture's statistics by level, at a given size.

    Args:
        style: picture [H, W, 3], RGB in [0, 1].
        networks: from `load_networks`.
        short_side: the shorter side that it is scaled to.
        content: the (height, width) of the content. If there is a program that encodes
            the content, but none for the style, the style is measured in windows
            instead of compiling another program.
    """
    image = scaled(style, short_side)

    def measure() -> list[np.ndarray]:
        found = None
        if content is not None:
            found = _statistics_in_windows(image, content, networks)
        if found is None:
            _, numbers = encode(image, networks)
            return [np.asarray(number) for number in numbers]
        levels = networks.spec.strides
        return [np.asarray(value) for level in levels for value in found[level]]

    options = networks.spec, tuple(file.sha256 for file in networks.files)
    return by_level(recalled(measure, image, options), networks.spec)


def _statistics_in_windows(
    image: np.ndarray, content: tuple[int, int], networks: Networks
) -> LevelStatistics | None:
    """The result of `encode_style`, or None if windows have no advantage."""
    spec, thrift = networks.spec, programs_of(networks.spec).thrift
    canvas, is_ready = encoding_canvas(image.shape[:2], networks)
    key = ("style", canvas)
    if is_ready or thrift.is_worth_compiling(key):
        return None
    window, is_ready = encoding_canvas(content, networks)
    halo = receptive_field_radius(spec)
    positions = [side // spec.multiple for side in window]
    if not is_ready or min(positions) <= 2 * halo:
        return None
    rows, columns = (
        spans(-(-side // spec.multiple), size, halo)
        for side, size in zip(image.shape[:2], positions, strict=True)
    )
    if len(rows) * len(columns) > _MOST_WINDOWS:
        return None
    in_vain = len(rows) * len(columns) * math.prod(window) - math.prod(image.shape[:2])
    thrift.spend(in_vain, key)
    known: dict[str, Moments] = {}
    for down, across in itertools.product(rows, columns):
        part = read_window(image, *(s.scaled(spec.multiple) for s in (down, across)))
        features, _ = encode(part[0], networks, window)
        for (level, stride), value in zip(spec.strides.items(), features, strict=True):
            inner = (s.scaled(spec.multiple // stride).inner for s in (down, across))
            core = np.asarray(value)[0][tuple(inner)]
            known[level] = merge(known.get(level), moments_of(core))
    return {
        level: to_statistics(known[level], eps=spec.eps, ddof=spec.ddof)
        for level in spec.strides
    }


def make_style(
    style: np.ndarray | SavedStyle,
    *,
    name: str,
    networks: Networks,
    short_side: int | None = None,
    content: tuple[int, int] | None = None,
) -> SavedStyle:
    """Makes a saved style from a picture [H, W, 3], by default at its largest size.

    See `encode_style` for `content`.
    """
    if networks.transform == "style_swap":
        raise NstjaxError(NO_SAVED_STYLES)
    if isinstance(style, SavedStyle):
        return style
    side = short_side or min(_STYLE_SIDE, *style.shape[:2])
    statistics = encode_style(
        style, networks=networks, short_side=side, content=content
    )
    return SavedStyle(statistics, networks.encoder_sha256, name)


def names_saved_style(path: str | os.PathLike) -> bool:
    """Whether a file's name is a saved style's."""
    return os.path.splitext(path)[1].lower() == STYLE_SUFFIX


def check_saving(path: Path, stroke_scale: float | None) -> None:
    """Checks, before a style is encoded, that it can be saved.

    Raises:
        NstjaxError: if the name is not a saved style's, or styles cannot be saved at
            this stroke scale.
    """
    if (stroke_scale or 0) > 1:
        raise NstjaxError(
            "a style cannot be saved with a stroke_scale above 1, which is painted in "
            "two passes; leave out one of the two"
        )
    if not names_saved_style(path):
        raise NstjaxError(f"a saved style's name ends in {STYLE_SUFFIX}, not {path}")


def save_style(path: str | Path, style: SavedStyle, *, overwrite: bool = False) -> None:
    """Writes a style to a file for later use.

    Args:
        path: the file, which by convention ends in ".style".
        style: from `make_style`.
        overwrite: whether an existing file may be replaced.

    Raises:
        NstjaxError: if `style` is not a saved style, or the file cannot be written or
            exists and may not be replaced.
    """
    if not isinstance(style, SavedStyle):
        raise NstjaxError(
            "save_style(path, style) writes a style that make_style made, not a "
            f"{type(style).__name__}"
        )
    params = {
        level: {"mean": np.asarray(value.mean), "std": np.asarray(value.std)}
        for level, value in style.statistics.items()
    }
    metadata = WeightsMetadata(
        kind="style",
        name=style.name,
        spec={"levels": list(params)},
        source="a style picture",
        licence="that of the picture",
        notes={"encoder_sha256": style.encoder},
    )
    save_weights(path, params, metadata, overwrite=overwrite)


def load_style(path: str | Path, *, networks: Networks) -> SavedStyle:
    """Reads what `save_style` wrote.

    Args:
        path: the file.
        networks: the networks to paint with, from `load_networks`.

    Returns:
        The style, which can be passed to `nstjax.stylize` instead of a picture.

    Raises:
        NstjaxError: if the file is not a saved style, or was saved with another
            encoder.
    """
    if not os.path.isfile(path):
        raise NstjaxError(f"there is no saved style {path}; check its name")
    try:
        params, metadata = load_weights(path)
    except NoWeightsError as error:
        kind = name_kind_of(path)
        what = f"{kind}, not a saved style" if kind else "not a saved style, or damaged"
        raise NstjaxError(f"{path} is {what}; {_MAKING}") from error
    if metadata.kind != "style":
        raise NstjaxError(
            f"{path} holds a {metadata.kind}, not a saved style; {_MAKING}"
        )
    if "layer" in metadata.spec:  # as releases before 0.2 wrote it
        params = {metadata.spec["layer"]: params}
    encoder = metadata.notes.get("encoder_sha256")
    levels = networks.spec.strides
    if encoder != networks.encoder_sha256 or set(params) != set(levels):
        raise NstjaxError(
            f"the style {path} was saved with another encoder; save it again from its "
            "picture, with --save-style"
        )
    statistics = {level: Statistics(**params[level]) for level in levels}
    return SavedStyle(statistics, encoder, metadata.name)


def scaled(style: np.ndarray, short_side: int) -> np.ndarray:
    """A style picture with its shorter side scaled."""
    return resize_image(style, fit_size(*style.shape[:2], short_side=short_side))
