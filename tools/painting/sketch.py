"""The drawing under a painting: areas with colours and directions."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .forms import as_rgb, curve, ramp


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a painter has in mind before the first stroke: one cell per unit.

    Attributes:
        colour: [H, W, 3] sRGB in [0, 1].
        angle: [H, W] direction of the strokes in radians, y pointing down.
    """

    colour: np.ndarray
    angle: np.ndarray

    def cells(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cell that each (x, y) lies in, clipped."""
        height, width = self.angle.shape
        column = np.clip(points[..., 0].astype(int), 0, width - 1)
        row = np.clip(points[..., 1].astype(int), 0, height - 1)
        return row, column


class Sketch:
    """A plan in the making, drawn area over area.

    Attributes:
        x, y: [H, W] float32, every cell's centre.
        colour, angle: as in `Plan`.
        part: [H, W] int, which area each cell belongs to; 0 is untouched.
    """

    def __init__(self, width: int, height: int) -> None:
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        self.x, self.y = x.astype(np.float32), y.astype(np.float32)
        self.colour = np.zeros((height, width, 3), np.float32)
        self.angle = np.zeros((height, width), np.float32)
        self.part = np.zeros((height, width), int)

    def put(
        self,
        mask: np.ndarray,
        colour: str | np.ndarray,
        angle: np.ndarray | float | None = None,
    ) -> None:
        """Draws one area.

        Args:
            mask: [H, W] bool.
            colour: a code, or sRGB of shape [3] or [H, W, 3].
            angle: of its strokes, a number or [H, W]; as before without it.
        """
        tone = np.broadcast_to(as_rgb(colour), self.colour.shape)
        self.colour[mask] = np.clip(tone[mask], 0, 1)
        if angle is not None:
            self.angle[mask] = np.broadcast_to(angle, mask.shape)[mask]
        self.part[mask] = self.part.max() + 1

    def away(
        self, x: float, y: float, across: float = 1, down: float | None = None
    ) -> np.ndarray:
        """Distance from (x, y) in half axes: below 1 inside of the ellipse."""
        down = across if down is None else down
        return np.hypot((self.x - x) / across, (self.y - y) / down)

    def limb(
        self, points: ArrayLike, widths: ArrayLike, codes: Sequence[str]
    ) -> np.ndarray:
        """Draws a round form along a bowed line, lit from the upper left.

        Args:
            points: [M, 2], which the middle line passes through.
            widths: at its two ends and evenly between.
            codes: colours from shadow to light.

        Returns:
            [H, W] bool, the form.
        """
        path = curve(points, 28)
        share = np.linspace(0, 1, len(path))
        half = 0.5 * np.interp(share, np.linspace(0, 1, len(widths)), widths)
        nearest = np.full(self.x.shape, np.inf, np.float32)
        lit, turn = np.zeros_like(nearest), np.zeros_like(nearest)
        ahead = np.gradient(path, axis=0)
        for (px, py), h, (ax, ay) in zip(path, half, ahead, strict=True):
            right, below = (self.x - px) / h, (self.y - py) / h
            distance = np.hypot(right, below)
            closer = distance < nearest
            nearest[closer] = distance[closer]
            lit[closer] = (-0.75 * right - 0.45 * below)[closer]
            turn[closer] = np.arctan2(ay, ax)
        form = nearest < 1
        self.put(form, ramp(codes, 0.6 + 0.5 * lit), turn)
        return form

    def plan(self) -> Plan:
        """The finished drawing."""
        return Plan(np.clip(self.colour, 0, 1), self.angle)
