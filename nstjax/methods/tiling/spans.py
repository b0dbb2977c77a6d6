"""The positions of tiles: overlapping windows of one size, and the core of each.

All windows of an axis have the same length, so one compiled function can process every
tile; the last one is moved inwards and overlaps more. A window that ends at the
picture's border is padded there like the whole picture, and is correct up to that
border.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nstjax.errors import NstjaxError


class Span(NamedTuple):
    """One axis of a tile, in feature positions of the whole picture.

    Attributes:
        start, stop: the window.
        first, last: the core, the part that the tile contributes.
    """

    start: int
    stop: int
    first: int
    last: int

    @property
    def window(self) -> slice:
        """The window, as a slice of the picture."""
        return slice(self.start, self.stop)

    @property
    def core(self) -> slice:
        """The core, as a slice of the picture."""
        return slice(self.first, self.last)

    @property
    def inner(self) -> slice:
        """The core, as a slice of the window."""
        return slice(self.first - self.start, self.last - self.start)

    def scaled(self, factor: int) -> "Span":
        """The same in units `factor` times as small."""
        return Span(*(factor * edge for edge in self))


def spans(length: int, size: int, halo: int) -> list[Span]:
    """Covers an axis with windows of one size.

    Args:
        length: the length of the axis, in positions.
        size: the size of a window; a shorter axis is a single window.
        halo: positions at an end of a window that must not be used, except at the
            axis's own ends.

    Returns:
        Spans whose cores follow one another without gaps or overlaps.

    Raises:
        NstjaxError: if nothing of a window remains between the halos.
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
    """Cuts a window from a picture that is padded by reflection below and right.

    Args:
        image: [H, W, C].
        rows, columns: in pixels; they may extend beyond the picture by less than its
            sides.

    Returns:
        [1, rows, columns, C], padded like odd sizes in
        `nstjax.methods.feedforward.encode`.
    """
    height, width = image.shape[:2]
    if rows.stop <= height and columns.stop <= width:
        return np.ascontiguousarray(image[None, rows.window, columns.window])
    down = _reflected(rows, height)
    across = _reflected(columns, width)
    return image[down[:, None], across][None]


def _reflected(span: Span, length: int) -> np.ndarray:
    """Positions of a span, reflected at the last position of the axis."""
    positions = np.arange(span.start, span.stop)
    return np.where(positions < length, positions, 2 * (length - 1) - positions)
