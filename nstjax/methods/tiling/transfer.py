"""Feed-forward transfer in tiles: the same picture in less memory.

AdaIN needs the whole picture only for the content's statistics. A first pass encodes
the tiles and collects the statistics; a second pass applies AdaIN and decodes tiles
whose halos cover the networks' receptive fields. The result equals that of
`nstjax.methods.feedforward` on the whole picture, up to rounding.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nstjax.methods import feedforward
from nstjax.methods.base import OnTile
from nstjax.methods.specs import LevelStatistics, OnePassSpec
from nstjax.methods.tiling import moments
from nstjax.methods.tiling.receptive_field import (
    decoder_field_radius,
    receptive_field_radius,
)
from nstjax.methods.tiling.spans import Span, count, read_window, tiles
from nstjax.types import Array, Features, Params

# Maps the content's statistics to those to use instead.
OnStatistics = Callable[[Sequence[LevelStatistics]], Sequence[LevelStatistics]]


class Tiling(NamedTuple):
    """How a picture is cut.

    Attributes:
        side: the side of a tile with its halo, in pixels; rounded down to whole feature
            positions.
        keep_features: whether the first pass keeps the features for the second, which
            otherwise encodes again with a wider halo.
    """

    side: int
    keep_features: bool = True


def least_side(spec: OnePassSpec, *, keep_features: bool) -> int:
    """The smallest side of a tile, in pixels, that has a position between its halos."""
    halo = max(_halos(spec, keep_features))
    return (2 * halo + 1) * spec.multiple


def adain_in_tiles(
    params: Params,
    content: np.ndarray,
    styles: Sequence[LevelStatistics],
    *,
    tiling: Tiling,
    weights: tuple[float, ...] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    alpha: float = 1.0,
    spec: OnePassSpec,
    on_tile: OnTile | None = None,
    on_statistics: OnStatistics | None = None,
) -> np.ndarray:
    """Paints a picture with AdaIN.

    Args:
        params: the networks' weights.
        content: picture [H, W, 3], RGB in [0, 1].
        styles: from `nstjax.methods.feedforward.encode_style`; with masks one for each.
        tiling: how to cut it.
        weights: see `nstjax.methods.feedforward.adain_transfer`.
        masks: where to paint each style, [H, W, 1], with a sum of at most 1.
        alpha: strength from 0 to 1.
        spec: the spec of `params`.
        on_tile: called after every tile.
        on_statistics: maps the content's statistics, from
            `nstjax.methods.feedforward.content_statistics`, to those to use.

    Returns:
        Picture [H, W, 3] in [0, 1].

    Raises:
        NstjaxError: if the tiles are too small for their halos.
    """
    work = _Work(params, content, tiling, spec, on_tile)
    covered = None if masks is None else [work.feature_mask(mask) for mask in masks]
    regions = [*(covered or ()), None]
    found: list[dict[str, moments.Moments]] = [{} for _ in regions]
    kept = work.empty_features() if tiling.keep_features else None
    for rows, columns, part in work.encoded():
        for level, value in part.items():
            if kept is not None:
                kept[level][work.at(level, rows.core, columns.core)] = value
            for region, known in zip(regions, found, strict=True):
                weights_here = None
                if region is not None:
                    window = region[work.at_mask(rows.core, columns.core)]
                    weights_here = np.asarray(
                        feedforward.at_level(window[None], level, spec=spec)
                    )[0]
                known[level] = moments.merge(
                    known.get(level), moments.moments_of(value, weights_here)
                )
    own: Sequence[LevelStatistics] = [
        {
            level: moments.to_statistics(known[level], eps=spec.eps, ddof=spec.ddof)
            for level in spec.strides
        }
        for known in found
    ]
    if on_statistics is not None:
        own = on_statistics(own)

    def paint(tile: Any, rows: Span, columns: Span) -> Array:
        parts = None
        if covered is not None:
            window = work.at_mask(rows.window, columns.window)
            parts = [mask[window][None] for mask in covered]
        function = _paint if kept is None else _restyle
        return function(
            params,
            tile,
            styles,
            weights=weights,
            feature_masks=parts,
            alpha=np.float32(alpha),
            own=own,
            spec=spec,
        )

    return work.decoded(kept, paint)


def style_swap_in_tiles(
    params: Params,
    content: np.ndarray,
    styles: Sequence[Features],
    *,
    tiling: Tiling,
    weights: tuple[float, ...] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    alpha: float = 1.0,
    patch_size: int = 3,
    stride: int = 1,
    spec: OnePassSpec,
    on_tile: OnTile | None = None,
) -> np.ndarray:
    """Paints a picture with Style-Swap's inverse network.

    Encoding and decoding work in tiles. Since patches overlap, they are swapped for the
    whole picture at once, which takes memory for a few copies of the features.

    Args:
        styles: features from `nstjax.methods.feedforward.encode`.
        tiling: how to cut the picture; features are always kept.
        weights, patch_size, stride: see `nstjax.methods.feedforward.swap_features`.
        params, content, masks, alpha, spec, on_tile: see `adain_in_tiles`.

    Returns:
        Picture [H, W, 3] in [0, 1].

    Raises:
        NstjaxError: if the tiles are too small for their halos.
    """
    tiling = tiling._replace(keep_features=True)
    work = _Work(params, content, tiling, spec, on_tile)
    covered = None
    if masks is not None:
        covered = [work.feature_mask(mask)[None] for mask in masks]
    features = work.empty_features()
    for rows, columns, part in work.encoded():
        for level, value in part.items():
            features[level][work.at(level, rows.core, columns.core)] = value
    whole = {level: value[None] for level, value in features.items()}
    swapped = swap_features(
        whole,
        styles,
        weights=weights,
        feature_masks=covered,
        alpha=np.float32(alpha),
        patch_size=patch_size,
        stride=stride,
    )
    del features, whole

    def paint(tile: Any, rows: Span, columns: Span) -> Array:
        del rows, columns
        return _decode(params, feedforward.Restyled(tile, []), spec=spec)

    return work.decoded(
        {level: np.asarray(value)[0] for level, value in swapped.features.items()},
        paint,
    )


class _Work:
    """A picture, its tiles, and the number of finished tiles."""

    def __init__(
        self,
        params: Params,
        content: np.ndarray,
        tiling: Tiling,
        spec: OnePassSpec,
        on_tile: OnTile | None,
    ) -> None:
        self._params = params
        self._content = content
        self._spec = spec
        self._on_tile = on_tile
        # The picture's size in feature positions, of which its border may cut the last.
        self._height, self._width = (
            -(-side // spec.multiple) for side in content.shape[:2]
        )
        self._size = tiling.side // spec.multiple
        self._halos = _halos(spec, tiling.keep_features)
        self._total = sum(
            count(self._height, self._width, self._size, halo) for halo in self._halos
        )
        self._done = 0

    def at(self, level: str, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Converts a part of the picture from the coarsest positions to a level's."""
        return _scaled(rows, columns, self._spec.multiple // self._spec.strides[level])

    def at_mask(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Converts such a part to positions in the result of `feature_mask`."""
        factor = self._spec.multiple // min(self._spec.strides.values())
        return _scaled(rows, columns, factor)

    def empty_features(self) -> dict[str, np.ndarray]:
        """Empty arrays for the whole picture's features by level, [H / s, W / s, C]."""
        spec = self._spec
        return {
            level: np.empty(
                (
                    self._height * spec.multiple // stride,
                    self._width * spec.multiple // stride,
                    spec.widths[level],
                ),
                np.float32,
            )
            for level, stride in spec.strides.items()
        }

    def feature_mask(self, mask: np.ndarray) -> np.ndarray:
        """Resizes a mask [H, W, 1] to the positions of the finest features."""
        factor = self._spec.multiple // min(self._spec.strides.values())
        found = np.empty((factor * self._height, factor * self._width, 1), np.float32)
        for rows, columns in self._tiles(0):
            window = self._read(mask, rows, columns)
            means = np.asarray(feature_mask(window, spec=self._spec))
            found[self.at_mask(rows.window, columns.window)] = means[0]
        return found

    def encoded(self) -> Iterable[tuple[Span, Span, dict[str, np.ndarray]]]:
        """Yields the features of each tile, without halos."""
        for rows, columns in self._tiles(self._halos[0]):
            window = self._read(self._content, rows, columns)
            # Indexed as NumPy arrays, since jax would compile a program for it.
            features = _encode(self._params, window, spec=self._spec)
            yield (
                rows,
                columns,
                {
                    level: np.asarray(value)[0][
                        self.at(level, rows.inner, columns.inner)
                    ]
                    for level, value in features.items()
                },
            )
            self._tell()

    def decoded(
        self,
        features: Mapping[str, np.ndarray] | None,
        paint: Callable[[Any, Span, Span], Array],
    ) -> np.ndarray:
        """Assembles the picture from tiles that are painted from features or pixels."""
        height, width = self._content.shape[:2]
        picture = np.empty((height, width, 3), np.float32)
        for rows, columns in self._tiles(self._halos[1]):
            tile: Any
            if features is None:
                tile = self._read(self._content, rows, columns)
            else:
                tile = {
                    level: np.ascontiguousarray(
                        value[self.at(level, rows.window, columns.window)][None]
                    )
                    for level, value in features.items()
                }
            painted = np.asarray(paint(tile, rows, columns))[0]
            down, across = (s.scaled(self._spec.multiple) for s in (rows, columns))
            target = picture[down.core, across.core]
            inner = painted[down.inner, across.inner]
            # The last positions can extend beyond the picture.
            target[:] = inner[: target.shape[0], : target.shape[1]]
            self._tell()
        return picture

    def _tiles(self, halo: int) -> Iterable[tuple[Span, Span]]:
        return tiles(self._height, self._width, self._size, halo)

    def _read(self, image: np.ndarray, rows: Span, columns: Span) -> np.ndarray:
        down, across = (s.scaled(self._spec.multiple) for s in (rows, columns))
        return read_window(image, down, across)

    def _tell(self) -> None:
        self._done += 1
        if self._on_tile is not None:
            self._on_tile(self._done, self._total)


def _scaled(rows: slice, columns: slice, factor: int) -> tuple[slice, slice]:
    return (
        slice(factor * rows.start, factor * rows.stop),
        slice(factor * columns.start, factor * columns.stop),
    )


def _halos(spec: OnePassSpec, keep_features: bool) -> tuple[int, int]:
    """Halos of the first and the second pass, in feature positions."""
    first, second = receptive_field_radius(spec), decoder_field_radius(spec)
    return first, second if keep_features else first + second


# The parts of a transfer, each compiled separately.
_encode = jax.jit(feedforward.encode, static_argnames="spec")
feature_mask = jax.jit(feedforward.feature_mask, static_argnames="spec")
swap_features = jax.jit(
    feedforward.swap_features, static_argnames=("weights", "patch_size", "stride")
)


@functools.partial(jax.jit, static_argnames="spec")
def _decode(
    params: Params, restyled: feedforward.Restyled, *, spec: OnePassSpec
) -> Array:
    return _decoded(params, restyled, spec=spec)


@functools.partial(jax.jit, static_argnames=("weights", "spec"))
def _restyle(params, features, styles, *, spec, **options):
    restyled = feedforward.restyle(features, styles, **options, spec=spec)
    return _decoded(params, restyled, spec=spec)


@functools.partial(jax.jit, static_argnames=("weights", "spec"))
def _paint(params, window, styles, *, spec, **options):
    features = feedforward.encode(params, window, spec=spec)
    restyled = feedforward.restyle(features, styles, **options, spec=spec)
    return _decoded(params, restyled, spec=spec)


def _decoded(params, restyled, *, spec) -> Array:
    stride = spec.multiple
    level = next(name for name, s in spec.strides.items() if s == stride)
    size = tuple(stride * side for side in restyled.features[level].shape[1:3])
    return feedforward.decode(params, restyled, size=size, spec=spec)
