"""The canvas: wet colour, paint thickness, and a brush that lays down strokes.

Lengths and positions are in units; a picture is some 560 units wide and one
unit is one pixel of the finished picture at its full size. The canvas itself
is kept at `OVERSAMPLING` times that resolution and reduced at the end.
"""

import numpy as np
from numpy.typing import ArrayLike
from skimage.filters import gaussian

from .brushes import Brush
from .forms import as_rgb, smoothstep

OVERSAMPLING = 2
# Distance between neighbouring samples of a stroke, in canvas pixels: below
# 1/sqrt(2), so that a stroke leaves no pinholes.
_STEP = 0.65


def _uniform(noise: np.ndarray) -> np.ndarray:
    """Replaces values by their ranks, so that they are uniform in [0, 1]."""
    order = noise.ravel().argsort()
    ranks = np.empty(order.size, np.float32)
    ranks[order] = np.linspace(0, 1, order.size, dtype=np.float32)
    return ranks.reshape(noise.shape)


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
        self.width, self.height = width, height
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
        # One long tuft of bristles: [along the stroke, across it], four
        # samples to a bristle. Every stroke uses its own cut-out of it.
        noise = own.standard_normal((1024, 1024))
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
            width: its full width, or [M] widths at the points.
            colour: its code, or sRGB in [0, 1].
            brush: the tool.
            second: a second colour that some of the bristles carry.
        """
        path = np.asarray(path, np.float32) * self._scale
        widths = np.maximum(np.asarray(width, np.float32) * self._scale, 1.0)
        width = float(widths.max())
        steps = np.hypot(*np.diff(path, axis=0).T)
        reach = np.concatenate([[0], np.cumsum(steps)]).astype(np.float32)
        length = float(reach[-1])
        if length < 1:
            return
        along = np.linspace(0, length, int(length / _STEP) + 2, dtype=np.float32)
        x = np.interp(along, reach, path[:, 0])
        y = np.interp(along, reach, path[:, 1])
        dx, dy = np.gradient(x), np.gradient(y)
        norm = np.hypot(dx, dy) + 1e-6
        across = np.linspace(-1, 1, int(width / _STEP) + 2, dtype=np.float32)
        share = along / length
        if widths.ndim:
            half = 0.5 * np.interp(along, reach, widths)
        else:
            half = 0.5 * width * self._profile(share, brush)
        offset = half[:, None] * across[None]
        column = (x[:, None] - offset * (dy / norm)[:, None]).astype(np.int32)
        row = (y[:, None] + offset * (dx / norm)[:, None]).astype(np.int32)

        fine = self._bristles(along, across, width, brush)
        alpha = self._coverage(along, share, across, width, length, fine, brush)
        rows, columns = self.thickness.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        np.clip(row, 0, rows - 1, out=row)
        np.clip(column, 0, columns - 1, out=column)
        flat = row * columns + column
        if brush.tooth:
            grain = self.grain.ravel()[flat]
            load = 0.8 - 0.9 * brush.tooth + 0.7 * fine
            bite = smoothstep(-0.25, 0.25, load - grain)
            alpha = alpha * ((1 - brush.tooth) + brush.tooth * bite)
        if self.stencil is not None:
            inside &= self.stencil.ravel()[flat]
        alpha = np.where(inside, alpha, 0).astype(np.float32)

        shade = 1 + brush.streak * (2 * fine - 1)
        paint = np.empty((*alpha.shape, 3), np.float32)
        paint[:] = as_rgb(colour)
        if second is not None:
            other = self._bristles(along, across, width, brush)
            mixed = brush.blend * smoothstep(0.35, 0.65, other)[..., None]
            paint += mixed * (as_rgb(second) - paint)
        paint *= shade[..., None]
        pixels = self.colour.reshape(-1, 3)
        if brush.pickup:
            dragged = pixels[flat[min(2, len(flat) - 1)]][None]
            weight = brush.pickup * (0.35 + 0.65 * np.exp(-3 * share))
            paint += weight[:, None, None] * (dragged - paint)
        under = pixels[flat]
        if brush.stain:
            paint = under * np.clip(paint, 0, 1)
        pixels[flat] = under + alpha[..., None] * (paint - under)

        heights = self.thickness.reshape(-1)
        relief = brush.body * (0.5 + 0.9 * (fine - 0.5) + 0.2)
        edge = np.exp(-(((np.abs(across) - 0.86) / 0.1) ** 2))[None]
        lip = np.exp(-(((length - along) / (0.12 * width + 1)) ** 2))[:, None]
        relief = relief + brush.ridge * np.maximum(edge, lip)
        below = heights[flat]
        heights[flat] = below + alpha * (relief - 0.55 * below)

    def _profile(self, share: np.ndarray, brush: Brush) -> np.ndarray:
        """The stroke's width along its length, as a share of its full width."""
        start, end = (max(t, 1e-3) for t in brush.taper)
        ramp = np.minimum(
            np.clip(share / start, 0, 1), np.clip((1 - share) / end, 0, 1)
        )
        return brush.point + (1 - brush.point) * np.sqrt(1 - (1 - ramp) ** 2)

    def _bristles(self, along, across, width, brush) -> np.ndarray:
        """A random cut-out of the tuft, [len(along), len(across)] in [0, 1]."""
        size = self._tuft.shape[0]
        first, left = self.rng.integers(0, size, 2)
        rows = (first + along / self._scale * 2).astype(np.int32) % size
        places = (across + 1) * (0.5 * width / self._scale / brush.bristle * 4)
        columns = (left + places).astype(np.int32) % size
        return self._tuft[rows[:, None], columns[None]]

    def _coverage(self, along, share, across, width, length, fine, brush) -> np.ndarray:
        """The stroke's opacity at each sample, in [0, 1]."""
        side = np.abs(across)
        dry = brush.dryness * share[:, None] ** 1.6 + brush.fray * side[None] ** 4
        alpha = smoothstep(-0.08, 0.08, fine - 1.16 * dry + 0.08)
        alpha *= np.clip((1 - side) / max(brush.soft, 1e-3), 0, 1)[None]
        if brush.fade:
            alpha *= 1 - brush.fade * share[:, None] ** 0.8
        if brush.ragged:
            size = self._tuft.shape[0]
            pick = self.rng.integers(0, size, 2)
            places = (across + 1) * (0.5 * width / self._scale / brush.bristle * 4)
            places = places.astype(np.int32)
            reach = min(brush.ragged * width, 0.4 * length)
            begin = self._tuft[pick[0], (pick[1] + places) % size] * reach * 0.6
            end = self._tuft[pick[1], (pick[0] + places) % size] * reach
            lead = np.minimum(along[:, None] - begin, (length - along)[:, None] - end)
            alpha *= np.clip(lead / 2, 0, 1)
        return alpha * brush.opacity

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
