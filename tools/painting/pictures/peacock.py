"""A peacock in mosaic: square stones in rows that follow the forms.

The stones are placed as in A. Hausner, "Simulating decorative mosaics"
(SIGGRAPH 2001): a centroidal Voronoi tessellation in a square metric turned
to the direction field, whose stones keep clear of the edges of the drawing.
"""

import numpy as np

from ..brushes import Brush
from ..canvas import Canvas
from ..forms import jittered, ramp, segment, smoothstep
from ..layers import scatter
from ..sketch import Sketch

WIDTH, HEIGHT = 528, 448
_STONE = 8.0
# The root of the tail, and rings of eyes on it: distance, number, radius.
_ROOT = (264, 330)
_RINGS = [(128, 6, 23), (180, 8, 26), (232, 11, 28)]
# Rings of one eye from the outside: radius as a share, colour.
_EYE = [(1.0, "#d8922e"), (0.68, "#1a2f80"), (0.34, "#7fe0d8")]
_HEAD = (218, 196)


def _tail(s):
    """A golden ground in arcs, and the fan with its eyes."""
    arcs = np.hypot(s.x - 264, s.y - 560)
    gold = ramp(["#e9cf8a", "#d9b45a", "#f1dfae", "#cfa548"], (arcs / 61) % 1)
    s.put(s.x > 0, gold, np.arctan2(s.x - 264, 560 - s.y))
    right, below = s.x - _ROOT[0], s.y - _ROOT[1]
    r, a = np.hypot(right, below), np.arctan2(right, -below)
    fan = (r < 272) & (np.abs(a) < 1.66)
    tail = ramp(["#0f4a4a", "#1a7a6a", "#2f9a5f", "#6fb04a", "#1f6a6f"], r / 272)
    tail = tail * (0.72 + 0.4 * np.abs(np.sin(13 * a)) ** 0.5)[..., None]
    for feather in range(-7, 7):
        here = fan & (np.floor(13 * a / np.pi) == feather)
        s.put(here, tail, np.arctan2(below, right))
    s.put(fan & (r > 258), "#d9c04a", a)
    for radius, count, size in _RINGS:
        for k in range(count):
            a = ((k + 0.5) / count - 0.5) * 3.1
            x, y = _ROOT[0] + radius * np.sin(a), _ROOT[1] - radius * np.cos(a)
            if np.hypot(x - _HEAD[0], y - _HEAD[1] + 20) < 60:
                continue
            for share, code in _EYE:
                around = np.arctan2(s.x - x, y - s.y)
                s.put(s.away(x, y, share * size) < 1, code, around)


def _bird(s):
    """Body and neck along one bowed line, then the head."""
    t = np.linspace(0, 1, 12)
    x = 264 + 20 * np.sin(4.2 * t) * t - 30 * smoothstep(0.72, 1, t)
    widths = 104 - 70 * smoothstep(0.1, 0.6, t) + 14 * smoothstep(0.8, 0.95, t)
    blues = ["#122a70", "#1a4fae", "#2f86d0", "#5fc0e6"]
    for side in (-1, 1):
        leg = (np.abs(s.x - 264 - 15 * side) < 4) & (s.y > 400) & (s.y < 440)
        s.put(leg, "#8a4a24", np.pi / 2)
    hx, hy = _HEAD
    for k in range(4):
        a = -0.6 + 0.4 * k
        c, d = np.cos(a), np.sin(a)
        out = (s.x - hx) * d - (s.y - hy) * c
        aside = np.abs((s.x - hx) * c + (s.y - hy) * d)
        s.put((aside < 3.4) & (out > 12) & (out < 46), "#173f7a", a + np.pi / 2)
        s.put(s.away(hx + 50 * d, hy - 50 * c, 8) < 1, "#3fb0d8")
    along = (hx - 18 - s.x) / 44
    beak = (along > 0) & (along < 1)
    beak &= np.abs(s.y - hy - 8 - 12 * along) < 13 * (1 - along)
    s.put(beak, "#ffa826", 0.3)
    s.limb(np.stack([x, 392 - 196 * t], 1), widths, blues)
    s.put(s.away(hx - 2, hy, 13) < 1, "#f7f0dc")
    s.put(s.away(hx - 2, hy, 5) < 1, "#14121a")


def _frame(s):
    """A border of three bands, the middle one red and cream."""
    left, top = np.minimum(s.x, WIDTH - s.x), np.minimum(s.y, HEIGHT - s.y)
    depth, upright = np.minimum(left, top), left < top
    along = np.where(upright, np.pi / 2, 0)
    tooth = (np.where(upright, s.y, s.x) // 18).astype(int) % 2
    s.put(depth < 26, "#2a1f3a", along)
    for low, high in [(0, 9), (18, 26)]:
        s.put((depth >= low) & (depth < high), "#2a1f3a")
    for k, code in enumerate(["#a8321f", "#f1e3bd"]):
        s.put((depth >= 9) & (depth < 18) & (tooth == k), code)


def _owners(centres, facing, shape):
    """The index of the centre that is nearest to each cell, or -1.

    Distance is the maximum norm in axes turned to each centre's direction.
    """
    height, width = shape
    reach = int(1.6 * _STONE)
    nearest = np.full(shape, np.inf, np.float32)
    owner = np.full(shape, -1)
    for k, ((x, y), a) in enumerate(zip(centres, facing, strict=True)):
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        right, bottom = min(int(x) + reach, width), min(int(y) + reach, height)
        window = np.s_[top:bottom, left:right]
        across = np.arange(left, right)[None] + 0.5 - x
        down = np.arange(top, bottom)[:, None] + 0.5 - y
        c, d = np.cos(a), np.sin(a)
        u, v = across * c + down * d, down * c - across * d
        distance = np.maximum(np.abs(u), np.abs(v))
        closer = distance < nearest[window]
        nearest[window][closer] = distance[closer]
        owner[window][closer] = k
    return owner


def _tessellate(s, rng):
    """Places the stones; returns their centres [N, 2] and side lengths [N]."""
    edge = np.zeros(s.part.shape, bool)
    edge[:, 1:] |= s.part[:, 1:] != s.part[:, :-1]
    edge[1:] |= s.part[1:] != s.part[:-1]
    plan = s.plan()
    centres = scatter(WIDTH, HEIGHT, _STONE, rng)
    for _ in range(9):
        owner = _owners(centres, s.angle[plan.cells(centres)], edge.shape)
        mine = (owner >= 0) & ~edge
        rows, columns = np.nonzero(mine)
        sums = [
            np.bincount(owner[mine], weights, len(centres))
            for weights in (None, columns + 0.5, rows + 0.5)
        ]
        area, x, y = (total[sums[0] > 0] for total in sums)
        centres = np.stack([x, y], 1) / area[:, None]
    large = area > 0.28 * _STONE**2
    return centres[large], np.sqrt(area[large])


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)
    _tail(s)
    _bird(s)
    _frame(s)
    plan = s.plan()
    canvas = Canvas(WIDTH, HEIGHT, "#3a342e", scale=scale, rng=rng)
    stone = Brush(bristle=3, streak=0.07, ragged=0.06, soft=0.02, body=2.2)
    centres, sides = _tessellate(s, rng)
    cells = plan.cells(centres)
    tones = jittered(plan.colour[cells], rng, 6.5, 9)
    seconds = jittered(tones, rng, 5, 8)
    gleam = rng.random(len(tones)) < 0.05
    tones[gleam] += 0.45 * (1 - tones[gleam])
    facing = plan.angle[cells] + 0.06 * rng.standard_normal(len(tones))
    sides = 0.96 * np.minimum(sides, 11)
    for place, a, side, tone, second in zip(
        centres, facing, sides, tones, seconds, strict=True
    ):
        canvas.stroke(segment(place, a, side), 0.97 * side, tone, stone, second=second)
    return canvas.finish(relief=1.0, gloss=0.3, weave=0.25)
