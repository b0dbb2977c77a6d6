"""Where tiles lie: windows of one size that overlap, and the part each is for.

All windows of an axis have the same length, so that one compiled function
serves every tile; at the far end the last one is moved inwards and overlaps
more. A window that ends where the picture does is padded there by the networks
as the whole picture is, and is right up to that end.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nstjax.errors import NstjaxError


class Span(NamedTuple):
    """One axis of a tile, in feature positions of the whole picture.

    Attributes:
        start, stop: the window.
        first, last: the part of it that the tile is for.
    """

    start: int
    stop: int
    first: int
    last: int

    @property
    def window(self) -> slice:
        """The window, within the picture."""
        return slice(self.start, self.stop)

    @property
    def core(self) -> slice:
        """The part that the tile is for, within the picture."""
        return slice(self.first, self.last)

    @property
    def inner(self) -> slice:
        """The same, within the window."""
        return slice(self.first - self.start, self.last - self.start)

    def scaled(self, factor: int) -> "Span":
        """The same in units `factor` times as small."""
        return Span(*(factor * edge for edge in self))


def spans(length: int, size: int, halo: int) -> list[Span]:
    """Covers an axis with windows of one size.

    Args:
        length: of the axis, in positions.
        size: of a window; an axis that is shorter is one window.
        halo: positions beside an end of a window, other than the axis's own ends,
            that are not to be used.

    Returns:
        Spans whose cores follow one another without gap or overlap.

    Raises:
        NstjaxError: if the halos leave nothing of a window.
    """
    if size >= length:
        return [Span(0, length, 0, length)]
    if size <= 2 * halo:
        raise NstjaxError(
            f"tiles of {size} positions are too small for halos of {halo} on both sides"
        )
    found, first = [], 0
    while first < length:
        start = min(max(0, first - halo), length - size)
        stop = start + size
        last = length if stop == length else stop - halo
        found.append(Span(start, stop, first, last))
        first = last
    return found


def tiles(height: int, width: int, size: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """All tiles of a feature map, row by row: (rows, columns) of each."""
    columns = spans(width, size, halo)
    for rows in spans(height, size, halo):
        for across in columns:
            yield rows, across


def count(height: int, width: int, size: int, halo: int) -> int:
    """How many `tiles` there are."""
    return len(spans(height, size, halo)) * len(spans(width, size, halo))


def read_window(image: np.ndarray, rows: Span, columns: Span) -> np.ndarray:
    """Cuts a window out of a picture continued by reflection below and right.

    Args:
        image: [H, W, C].
        rows, columns: in pixels; they may reach beyond the picture by less
            than its sides.

    Returns:
        [1, rows, columns, C], what `nstjax.methods.feedforward.encode` makes of odd
        sizes.
    """
    height, width = image.shape[:2]
    if rows.stop <= height and columns.stop <= width:
        return np.ascontiguousarray(image[None, rows.window, columns.window])
    down = _reflected(rows, height)
    across = _reflected(columns, width)
    return image[down[:, None], across][None]


def _reflected(span: Span, length: int) -> np.ndarray:
    """Positions of a span; those beyond the last one count back from it."""
    positions = np.arange(span.start, span.stop)
    return np.where(positions < length, positions, 2 * (length - 1) - positions)
