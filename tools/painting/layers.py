"""Layers of strokes: where they start, how they run and what colour they take.

The way of working is the painterly rendering of P. Litwinowicz, "Processing
images and video for an impressionist effect" (SIGGRAPH 1997) and A. Hertzmann,
"Painterly rendering with curved brush strokes of multiple sizes" (SIGGRAPH
1998): strokes follow a direction field, end where the colour changes, and
smaller brushes come after larger ones.
"""

import numpy as np

from .brushes import Brush
from .canvas import Canvas
from .forms import jittered
from .sketch import Plan


def scatter(
    width: float,
    height: float,
    spacing: float,
    rng: np.random.Generator,
    *,
    margin: float = 0,
) -> np.ndarray:
    """Points of a shaken grid in random order, [N, 2] as (x, y)."""
    xs = np.arange(-margin, width + margin, spacing)
    ys = np.arange(-margin, height + margin, spacing)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    points = points + rng.uniform(0, spacing, points.shape)
    return rng.permutation(points)


def trace(
    plan: Plan,
    starts: np.ndarray,
    lengths: np.ndarray,
    *,
    wander: np.ndarray | float = 0.0,
    step: float = 3.0,
    stop: float = np.inf,
    mask: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Follows the direction field from the middle of each stroke to both ends.

    Args:
        plan: colours and directions.
        starts: [N, 2] middles.
        lengths: [N] full lengths.
        wander: [N] angles added to the field's.
        step: distance between points.
        stop: a stroke ends where the plan's colour is further than this from
            the colour at its middle in any of R, G and B.
        mask: [H, W] bool; a stroke ends where it would leave it.

    Returns:
        N paths, each [M, 2].
    """
    count = int(np.ceil(lengths.max() / 2 / step)) + 1
    home = plan.colour[plan.cells(starts)]
    halves = []
    for sign in (-1, 1):
        points = [starts]
        alive = np.ones(len(starts), bool)
        steps = np.zeros(len(starts), int)
        heading = None
        for k in range(count):
            angle = plan.angle[plan.cells(points[-1])] + wander
            ahead = np.stack([np.cos(angle), np.sin(angle)], -1) * sign
            if heading is not None:
                # The field may turn by half a circle between cells; a brush
                # does not.
                flip = np.sign((ahead * heading).sum(-1, keepdims=True))
                ahead = ahead * np.where(flip == 0, 1, flip)
            heading = ahead
            following = points[-1] + ahead * step
            cells = plan.cells(following)
            alive &= (k + 1) * step <= lengths / 2
            alive &= np.abs(plan.colour[cells] - home).max(-1) < stop
            if mask is not None:
                alive &= mask[cells]
            steps += alive
            points.append(following)
        halves.append((np.stack(points, 1), steps))
    (back, back_steps), (front, front_steps) = halves
    return [
        np.concatenate([b[1 : m + 1][::-1], f[: n + 1]])
        for b, m, f, n in zip(back, back_steps, front, front_steps, strict=True)
    ]


def lay(
    canvas: Canvas,
    plan: Plan,
    brush: Brush,
    measure: tuple[float, float, float],
    *,
    vary: tuple[float, float] = (4, 8),
    wander: float = 0.15,
    stop: float = np.inf,
    mask: np.ndarray | None = None,
    density: np.ndarray | float = 1.0,
    clip: bool = True,
    order: np.ndarray | None = None,
    spread: float = 0.3,
) -> None:
    """Paints one layer of strokes over the plan.

    Args:
        canvas: painted on.
        plan: colours and directions.
        brush: the tool.
        measure: distance between strokes, their mean length and mean width.
        vary: variation of the strokes' lightness and hue, see `jittered`.
        wander: standard deviation of the strokes' angles about the field's.
        stop: see `trace`.
        mask: [H, W] bool; strokes start, and with `clip` stay, inside it.
        density: probability that a stroke is painted, a number or [H, W].
        clip: whether strokes end where they would leave the mask.
        order: [H, W] strokes are painted by rising value; random without it.
        spread: relative deviation of lengths and widths.
    """
    rng = canvas.rng
    spacing, length, width = measure
    height, columns = plan.angle.shape
    starts = scatter(columns, height, spacing, rng, margin=spacing)
    cells = plan.cells(starts)
    density = np.broadcast_to(density, plan.angle.shape)
    keep = rng.random(len(starts)) < density[cells]
    if mask is not None:
        keep &= mask[cells]
    starts = starts[keep]
    if not len(starts):
        return
    cells = plan.cells(starts)
    if order is not None:
        turn = np.argsort(order[cells], kind="stable")
        starts, cells = starts[turn], tuple(c[turn] for c in cells)
    count = len(starts)
    sizes = np.clip(1 + spread * rng.standard_normal(count), 0.4, 2)
    paths = trace(
        plan,
        starts,
        length * sizes,
        wander=wander * rng.standard_normal(count),
        step=max(1.5, min(3.0, length / 5)),
        stop=stop,
        mask=mask if clip else None,
    )
    colours = jittered(plan.colour[cells], rng, *vary)
    seconds = jittered(colours, rng, *vary)
    widths = width * np.clip(1 + spread * rng.standard_normal(count), 0.5, 1.8)
    for path, w, colour, second in zip(paths, widths, colours, seconds, strict=True):
        if len(path) > 1:
            canvas.stroke(path, w, colour, brush, second=second)
