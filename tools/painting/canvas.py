"""The canvas: wet colour, paint thickness, and a brush that lays down strokes.

Lengths and positions are in units; a picture is some 560 units wide and one
unit is one pixel of the finished picture at its full size. The canvas itself
is kept at `OVERSAMPLING` times that resolution and reduced at the end.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from skimage.filters import gaussian

from .brushes import Brush
from .forms import as_rgb, bump, smoothstep

OVERSAMPLING = 2
# Distance between neighbouring samples of a stroke, in canvas pixels: below
# 1/sqrt(2), so that a stroke leaves no pinholes.
_STEP = 0.65
# Samples of the tuft of bristles in each direction, and across one bristle.
_TUFT = 1024
_PER_BRISTLE = 4


def _uniform(noise: np.ndarray) -> np.ndarray:
    """Replaces values by their ranks, so that they are uniform in [0, 1]."""
    order = noise.ravel().argsort()
    ranks = np.empty(order.size, np.float32)
    ranks[order] = np.linspace(0, 1, order.size, dtype=np.float32)
    return ranks.reshape(noise.shape)


@dataclasses.dataclass(frozen=True)
class _Footprint:
    """Where a stroke falls: A samples along it by B across it, in canvas pixels.

    Attributes:
        along: [A] distance from the stroke's start.
        across: [B] place across it, from -1 to 1.
        length, width: of the stroke; its full width where it is widest.
        cell: [A, B] flat index of the pixel under each sample.
        inside: [A, B] bool, whether paint reaches the canvas there.
    """

    along: np.ndarray
    across: np.ndarray
    length: float
    width: float
    cell: np.ndarray
    inside: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """[A] place along the stroke, from 0 to 1."""
        return self.along / self.length


def _profile(share: np.ndarray, brush: Brush) -> np.ndarray:
    """The stroke's width along its length, as a share of its full width."""
    start, end = (max(t, 1e-3) for t in brush.taper)
    ramp = np.clip(np.minimum(share / start, (1 - share) / end), 0, 1)
    return brush.point + (1 - brush.point) * np.sqrt(1 - (1 - ramp) ** 2)


class Canvas:
    """A picture in the making.

    Attributes:
        colour: [H, W, 3] float32, sRGB in [0, 1].
        thickness: [H, W] float32, of the paint, in units.
        stencil: None, or [H, W] bool, where paint reaches the canvas.
    """

    def __init__(
        self,
        width: float,
        height: float,
        ground: str,
        *,
        scale: float,
        rng: np.random.Generator,
        grain: float = 0.9,
    ) -> None:
        """Stretches a canvas.

        Args:
            width, height: in units.
            ground: colour of the priming, as in `forms.rgb`.
            scale: pixels of the finished picture per unit.
            rng: source of the ground's grain and of the bristles.
            grain: size of the ground's grain, in units.
        """
        self.rng = rng
        self.stencil: np.ndarray | None = None
        self._scale = scale * OVERSAMPLING
        rows = max(1, round(height * scale)) * OVERSAMPLING
        columns = max(1, round(width * scale)) * OVERSAMPLING
        self.colour = np.empty((rows, columns, 3), np.float32)
        self.colour[:] = as_rgb(ground)
        self.thickness = np.zeros((rows, columns), np.float32)
        # From a stream of its own, so that the strokes that follow are the same
        # at every scale.
        own = rng.spawn(1)[0]
        noise = own.standard_normal((rows, columns))
        self.grain = _uniform(gaussian(noise, grain * self._scale / 2, mode="wrap"))
        # One long tuft of bristles: [along the stroke, across it]. Every stroke
        # uses its own cut-out of it.
        noise = own.standard_normal((_TUFT, _TUFT))
        self._tuft = _uniform(gaussian(noise, (40, 1.6), mode="wrap"))

    def mask_off(self, mask: np.ndarray | None) -> None:
        """Tapes the canvas off: paint only reaches where `mask` is true.

        Args:
            mask: [h, w] bool of any resolution, or None to take the tape off.
        """
        if mask is None:
            self.stencil = None
            return
        rows, columns = self.thickness.shape
        row = np.arange(rows) * mask.shape[0] // rows
        column = np.arange(columns) * mask.shape[1] // columns
        self.stencil = mask[row[:, None], column[None]]

    def stroke(
        self,
        path: ArrayLike,
        width: float | np.ndarray,
        colour: str | np.ndarray,
        brush: Brush,
        *,
        second: str | np.ndarray | None = None,
    ) -> None:
        """Paints one stroke.

        Args:
            path: [M, 2] points (x, y) of its middle line, M >= 2.
            width: its full width, or [M] widths at the points, instead of the
                brush's taper.
            colour: its code, or sRGB in [0, 1].
            brush: the tool.
            second: a second colour that some of the bristles carry.
        """
        footprint = self._footprint(path, width, brush)
        if footprint is None:
            return
        fine = self._bristles(footprint, brush)
        alpha = self._coverage(footprint, fine, brush)

        paint = np.empty((*alpha.shape, 3), np.float32)
        paint[:] = as_rgb(colour)
        if second is not None:
            other = self._bristles(footprint, brush)
            paint += (
                brush.blend
                * smoothstep(0.35, 0.65, other)[..., None]
                * (as_rgb(second) - paint)
            )
        paint *= 1 + brush.streak * (2 * fine - 1)[..., None]
        pixels = self.colour.reshape(-1, 3)
        under = pixels[footprint.cell]
        if brush.pickup:
            dragged = under[min(2, len(under) - 1)]
            weight = brush.pickup * (0.35 + 0.65 * np.exp(-3 * footprint.share))
            paint += weight[:, None, None] * (dragged - paint)
        if brush.stain:
            paint = under * np.clip(paint, 0, 1)
        # Samples off the canvas were moved to its rim and must not be written.
        inside = footprint.inside
        cell = footprint.cell[inside]
        pixels[cell] = (under + alpha[..., None] * (paint - under))[inside]

        # The brush presses what lies below flat and leaves its own relief, with
        # ridges pushed up along its sides and where it is lifted.
        below = self.thickness.reshape(-1)
        side = bump((np.abs(footprint.across) - 0.86) / 0.1)
        left = footprint.length - footprint.along
        lip = bump(left / (0.12 * footprint.width + 1))
        relief = brush.body * (0.25 + 0.9 * fine)
        relief += brush.ridge * np.maximum(side[None], lip[:, None])
        old = below[footprint.cell]
        below[cell] = (old + alpha * (relief - 0.55 * old))[inside]

    def _footprint(
        self, path: ArrayLike, width: float | np.ndarray, brush: Brush
    ) -> _Footprint | None:
        """Samples a stroke densely; None if it has no length."""
        path = np.asarray(path, np.float32) * self._scale
        widths = np.maximum(np.asarray(width, np.float32) * self._scale, 1.0)
        steps = np.hypot(*np.diff(path, axis=0).T)
        reach = np.concatenate([[0], np.cumsum(steps)]).astype(np.float32)
        length, width = float(reach[-1]), float(widths.max())
        if length == 0:
            return None
        along = np.linspace(0, length, int(length / _STEP) + 2, dtype=np.float32)
        across = np.linspace(-1, 1, int(width / _STEP) + 2, dtype=np.float32)
        x = np.interp(along, reach, path[:, 0])
        y = np.interp(along, reach, path[:, 1])
        dx, dy = np.gradient(x), np.gradient(y)
        norm = np.hypot(dx, dy) + 1e-6
        if widths.ndim:
            half = 0.5 * np.interp(along, reach, widths)
        else:
            half = 0.5 * width * _profile(along / length, brush)
        offset = half[:, None] * across[None]
        column = (x[:, None] - offset * (dy / norm)[:, None]).astype(np.int32)
        row = (y[:, None] + offset * (dx / norm)[:, None]).astype(np.int32)
        rows, columns = self.thickness.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        cell = np.clip(row, 0, rows - 1) * columns + np.clip(column, 0, columns - 1)
        if self.stencil is not None:
            inside &= self.stencil.ravel()[cell]
        return _Footprint(along, across, length, width, cell, inside)

    def _places(self, footprint: _Footprint, brush: Brush) -> np.ndarray:
        """Where in the tuft each sample across the stroke lies, [B] int."""
        bristles = footprint.width / self._scale / brush.bristle
        return ((footprint.across + 1) * (0.5 * _PER_BRISTLE * bristles)).astype(
            np.int32
        )

    def _bristles(self, footprint: _Footprint, brush: Brush) -> np.ndarray:
        """A random cut-out of the tuft, [A, B] in [0, 1]."""
        first, left = self.rng.integers(0, _TUFT, 2)
        rows = first + (footprint.along / self._scale * 2).astype(np.int32)
        columns = left + self._places(footprint, brush)
        return self._tuft[rows[:, None] % _TUFT, columns[None] % _TUFT]

    def _coverage(
        self, footprint: _Footprint, fine: np.ndarray, brush: Brush
    ) -> np.ndarray:
        """The stroke's opacity at each sample, [A, B] in [0, 1]."""
        side, share = np.abs(footprint.across)[None], footprint.share[:, None]
        dry = brush.dryness * share**1.6 + brush.fray * side**4
        alpha = smoothstep(-0.08, 0.08, fine - 1.16 * dry + 0.08)
        alpha *= np.clip((1 - side) / max(brush.soft, 1e-3), 0, 1)
        alpha *= 1 - brush.fade * share**0.8
        if brush.ragged:
            # Every bristle touches down and lifts off at its own time.
            first, left = self.rng.integers(0, _TUFT, 2)
            places = self._places(footprint, brush)
            reach = min(brush.ragged * footprint.width, 0.4 * footprint.length)
            begin = 0.6 * reach * self._tuft[first, (left + places) % _TUFT]
            end = footprint.length - reach * self._tuft[left, (first + places) % _TUFT]
            along = footprint.along[:, None]
            alpha *= np.clip(np.minimum(along - begin, end - along) / 2, 0, 1)
        if brush.tooth:
            load = 0.8 - 0.9 * brush.tooth + 0.7 * fine
            bite = smoothstep(-0.25, 0.25, load - self.grain.ravel()[footprint.cell])
            alpha *= 1 - brush.tooth + brush.tooth * bite
        return (brush.opacity * alpha).astype(np.float32)

    def finish(
        self, *, relief: float = 1.0, gloss: float = 0.15, weave: float = 0.0
    ) -> np.ndarray:
        """Lights the paint from the upper left and returns the picture.

        Args:
            relief: how strongly the paint's thickness catches the light.
            gloss: strength of the highlights on its ridges.
            weave: how strongly the ground's grain shows in relief.

        Returns:
            [h, w, 3] uint8, sRGB.
        """
        surface = self.thickness + weave * self.grain
        surface = gaussian(surface, 0.35 * self._scale)
        dy, dx = np.gradient(surface * self._scale)
        slope = 0.75 * dy + 0.65 * dx
        light = np.tanh(relief * 0.55 * slope)
        colour = self.colour * (1 + 0.42 * light[..., None])
        shine = np.clip(light - 0.3, 0, None) ** 2
        colour += gloss * shine[..., None]
        rows, columns = light.shape
        colour = colour.reshape(
            rows // OVERSAMPLING, OVERSAMPLING, columns // OVERSAMPLING, OVERSAMPLING, 3
        ).mean((1, 3))
        return (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)
