"""Sunflowers before a wheat field: short thick dashes, hot yellow and teal."""

import numpy as np

from ..brushes import OIL
from ..canvas import Canvas
from ..forms import curve, noise, ramp, smoothstep
from ..layers import lay
from ..sketch import Plan, Sketch

WIDTH, HEIGHT = 560, 432
_HORIZON = 148
_SUN = (404, 70)
# Centre, radius and tilt of the flower heads, the farthest first.
_HEADS = [
    (300, 268, 26, 0.3), (40, 262, 30, -0.3), (392, 300, 36, 0.2),
    (122, 306, 50, -0.2), (506, 330, 56, 0.25), (262, 368, 60, 0.1),
]  # fmt: skip
# Height over width of a head: they look a little upwards.
_SQUASH = 0.86
# Rings of petals from back to front: number, reach and width of the petals in
# radii of the head, and colours from shadow to light.
_PETALS = [
    (22, 1.55, 0.30, ["#9c4a10", "#c46a14", "#d98a1a"]),
    (20, 1.45, 0.24, ["#e08e12", "#f0a818", "#f7bf2a"]),
    (17, 1.28, 0.19, ["#f7b820", "#ffd23a", "#ffe36a"]),
    (20, 1.34, 0.08, ["#fff0a0", "#ffe36a", "#ff9a2a"]),
]
_SEEDS = ["#b8741e", "#7a3f14", "#3d1f12", "#5a3416", "#8a8a2a"]
_LEAF = ["#0f3a34", "#1f6a48", "#5f9f50", "#b5c860"]
_DASH = OIL.but(
    bristle=1.4, streak=0.14, body=1.4, ridge=1.3, taper=(0.2, 0.25), dryness=0.15,
    fray=0.15, pickup=0.12,
)  # fmt: skip


def _field(rng):
    """Sky with a low sun, a row of distant trees, and wheat."""
    s = Sketch(WIDTH, HEIGHT)
    x, y = s.x, s.y
    right, below = x - _SUN[0], y - _SUN[1]
    r = np.hypot(right, below)
    sky = ramp(["#0f6f7c", "#1f97a0", "#4fbdb4", "#a5dcc0"], y / _HORIZON)
    sky += 0.05 * noise(x.shape, 18, rng)[..., None]
    glow = ramp(["#fff6c2", "#ffe56b", "#ffce4a", "#c9d79a", "#7fcdb6"], r / 110)
    sky += (1 - smoothstep(60, 120, r))[..., None] * (glow - sky)
    breeze = 0.35 * np.sin(x / 40 + y / 24)
    s.put(y <= _HORIZON, sky, np.where(r < 133, np.arctan2(right, -below), breeze))

    depth = np.clip((y - _HORIZON) / (HEIGHT - _HORIZON), 0, 1)
    rows = np.sin((x - 290) / (0.12 + depth) / 17 + 2 * depth)
    shade = 0.18 + 0.45 * depth + 0.16 * rows + 0.06 * noise(x.shape, 9, rng)
    wheat = ramp(["#f6d365", "#f2b632", "#e8951f", "#c86a17", "#8f4a16"], shade)
    stalks = -np.pi / 2 + (x - 290) / 560 + 0.3 * np.sin(x / 25 + y / 13)
    s.put(y > _HORIZON, wheat, stalks)

    top = _HORIZON - 9 - 9 * np.abs(np.sin(x / 47)) - 5 * np.sin(x / 19 + 1)
    trees = ramp(["#5f9f86", "#2b6f7a", "#1b4a68"], (y - top) / 22)
    s.put((y > top) & (y < _HORIZON + 3), trees, -1.2 + 0.4 * np.sin(x / 9))
    return s


def _bowed(start, end, bend):
    """A path whose middle lies `bend` to the left of the straight line."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    side = np.array([end[1] - start[1], start[0] - end[0]])
    middle = (start + end) / 2 + bend * side / (np.hypot(*side) + 1e-9)
    return curve([start, middle, end], 8)


def _stem_and_leaves(canvas, x, y, radius, tilt):
    rng = canvas.rng
    stem = _bowed((x, y + radius * 0.3), (x - 30 * tilt, HEIGHT + 20), 12 * tilt)
    for shift, code in [(0, "#1f4a2e"), (-2, "#3f7a3a"), (2, "#6fa04a")]:
        canvas.stroke(stem + (shift, 0), radius * 0.14, code, _DASH, second="#8fb45a")
    for k, side in enumerate(rng.permutation([-1, 1, -1])):
        base = stem[2 + 2 * k] if y < 340 else stem[1 + k]
        out, down = side * rng.uniform(0.9, 1.4), rng.uniform(-0.7, 0.3)
        tip = base + radius * np.array([out, down])
        # A leaf is a bundle of strokes from its foot to its tip.
        for share in (-1, 1, -0.5, 0.5, 0.1, 0.8):
            bend = radius * (0.30 * share + 0.06 * rng.standard_normal())
            tone = ramp(_LEAF, 0.5 - 0.3 * share * side + 0.15 * rng.standard_normal())
            path = _bowed(base, tip, bend)
            canvas.stroke(path, 0.2 * radius, tone, _DASH, second="#2f7a4a")


def _head(canvas, x, y, radius):
    """Petals ring by ring, then the seeds from the rim inwards."""
    rng = canvas.rng

    def place(turn, reach):
        return np.array([x, y]) + reach * radius * np.array(
            [np.cos(turn), _SQUASH * np.sin(turn)]
        )

    for ring, (count, reach, width, codes) in enumerate(_PETALS):
        turns = rng.permutation(count) / count * 2 * np.pi + 0.4 * ring
        for a in turns + 0.12 * rng.standard_normal(count):
            tip = place(
                a + 0.12 * rng.standard_normal(),
                reach * (1 + 0.12 * rng.standard_normal()),
            )
            # Petals in the light, to the upper right, are paler.
            lit = 0.5 + 0.3 * np.cos(a + 0.8) + 0.2 * rng.standard_normal()
            path = _bowed(place(a, 0.5), tip, radius * 0.07 * rng.standard_normal())
            tone, second = ramp(codes, lit), ramp(codes, lit + 0.4)
            canvas.stroke(path, width * radius, tone, _DASH, second=second)
    for out in np.sort(rng.uniform(0, 1, int(150 + 3 * radius)))[::-1] ** 0.5:
        a = rng.uniform(0, 2 * np.pi)
        tone = ramp(_SEEDS, 1 - out + 0.25 * rng.standard_normal() - 0.2 * np.sin(a))
        along = radius * 0.09 * np.array([-np.sin(a), _SQUASH * np.cos(a)])
        seed = place(a, 0.64 * out)
        canvas.stroke([seed - along, seed + along], radius * 0.1, tone, _DASH)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = _field(rng)
    plan = s.plan()
    canvas = Canvas(WIDTH, HEIGHT, "#8a4a22", scale=scale, rng=rng)
    sky = s.y < _HORIZON
    for mask in (sky, ~sky):
        lay(canvas, plan, _DASH, (13, 34, 16), mask=mask, clip=False)
    lay(canvas, plan, _DASH, (6, 17, 7), vary=(6, 12), mask=sky)
    lay(canvas, plan, _DASH, (7, 13, 4.5), vary=(9, 14), mask=sky)
    for measure, vary in [((7, 20, 7), (7, 9)), ((6, 15, 4), (10, 12))]:
        lay(canvas, plan, _DASH, measure, vary=vary, mask=~sky, order=s.y, clip=False)
    # Green undergrowth for the flowers to stand in.
    shade = 0.5 + 0.3 * noise(s.x.shape, 14, rng)
    greens = ramp(["#12403a", "#1f6a4a", "#6f9f48"], shade)
    growth = Plan(greens, plan.angle + 0.5 * np.sin(s.x / 19))
    near = smoothstep(330, 432, s.y + 18 * np.sin(s.x / 37))
    lay(canvas, growth, _DASH, (7, 26, 6), vary=(6, 12), density=0.8 * near)
    for x, y, radius, tilt in _HEADS:
        _stem_and_leaves(canvas, x, y, radius, tilt)
        _head(canvas, x, y, radius)
    return canvas.finish(relief=1.5, gloss=0.3)
