"""Night over a lake: long thick strokes that swirl, blue and yellow."""

import numpy as np

from ..brushes import OIL
from ..canvas import Canvas
from ..forms import bump, mix, noise, ramp, smoothstep
from ..layers import lay
from ..sketch import Plan, Sketch

WIDTH, HEIGHT = 576, 448
_SHORE = 296
# Centre, radius and turning sense of the sky's whirls.
_WHIRLS = [(330, 128, 88, 1), (168, 196, 50, -1), (508, 170, 54, -1), (20, 120, 44, 1)]
# Centre and radius of the stars; the first is the moon.
_STARS = [
    (98, 74, 27), (212, 50, 13), (452, 54, 14), (300, 30, 9), (246, 200, 10),
    (404, 214, 9), (556, 76, 10), (36, 214, 9), (556, 232, 8),
]  # fmt: skip
# Houses with lit windows, on the far shore.
_HOUSES = [128, 158, 182, 214, 240, 266, 300, 338]
# Centre and half axes of the tree's masses of leaves.
_CROWN = [
    (486, 262, 46, 34), (540, 236, 48, 36), (448, 306, 32, 20), (562, 290, 40, 30),
    (506, 302, 44, 24), (510, 220, 30, 22),
]  # fmt: skip


def _sky(x, y, rng):
    """Colours, and directions from a wind with whirls and turning stars."""
    u = np.full_like(x, 1.0)
    v = 0.34 * np.sin(x / 66) + 0.15 * np.sin(x / 23 + y / 40)
    light = 0.22 + 0.34 * smoothstep(90, 290, y) + 0.08 * noise(x.shape, 26, rng)
    for cx, cy, radius, sense in _WHIRLS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = 4.5 * bump(r / radius) / (r + 4)
        u += pull * (0.15 * dx - sense * dy)
        v += pull * (0.15 * dy + sense * dx)
        spiral = np.sin(r / radius * 8 - sense * np.arctan2(dy, dx))
        light += 0.42 * spiral * bump(r / radius / 1.1)
    for cx, cy, radius in _STARS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = 7 * bump((r / radius / 1.9) ** 2) / (r + 1)
        u -= pull * dy
        v += pull * dx
    blues = ["#0a1a3c", "#0f2f6a", "#16509a", "#2a80b8", "#7ab8cc", "#ece8b8"]
    colour = ramp(blues, light)
    for cx, cy, radius in _STARS:
        r = np.hypot(x - cx, y - cy) / radius
        glow = ramp(["#fffbe0", "#ffdf5a", "#f5ae24", "#c8c069", "#6fb0b8"], r / 2.3)
        colour = mix(colour, glow, 1 - smoothstep(1.3, 2.5, r + 0.12 * np.sin(r * 9)))
    return colour, np.arctan2(v, u)


def _lake(x, y, sky):
    """Deep water with the sky's colours and broken columns of light."""
    mirrored = np.clip(2 * _SHORE - 20 - y.astype(int), 0, HEIGHT - 1)
    deep = ramp(["#0c1c4e", "#143a7c", "#0a1638"], (y - _SHORE) / 130)
    colour = 0.45 * sky[mirrored, x.astype(int)] + 0.6 * deep
    sway = 2.5 * np.sin(y / 3.1) + 3 * np.sin(y / 7.3)
    columns = [(at, 4.5, 85) for at in _HOUSES] + [(98, 17, 130), (452, 8, 90)]
    for at, half, reach in columns:
        weight = bump((x - at + sway) / half) * (1 - (y - _SHORE) / reach)
        weight = np.clip(weight * (1.15 + 0.5 * np.sin(y / 2.4)), 0, 1)
        colour = mix(colour, "#f7c64a", weight)
    return colour


def _house(canvas, x, y, size):
    """Wall, roof and a lit window; the foot is at (x, y)."""
    for points, width, code, second in [
        ([(-9, -6), (9, -6)], 13, "#3a4a80", "#6a78b0"),
        ([(-11, -12), (0, -21), (11, -12)], 5, "#2b1f3d", "#8a4a52"),
        ([(-1, -2), (-1, -10)], 5.5, "#ffcf4a", "#fff2b0"),
    ]:
        path = np.array(points) * size + (x, y)
        canvas.stroke(path, width * size, code, OIL, second=second)


def _tree(canvas, x, y):
    """A wind-bent tree on the right bank: limbs, then leaves in eddies."""
    for points, width in [
        ([(556, 440), (546, 392), (524, 352), (512, 300)], 19),
        ([(532, 366), (506, 332), (476, 300)], 9),
        ([(544, 384), (556, 340), (560, 300)], 9),
        ([(504, 332), (468, 322), (440, 318)], 6),
    ]:
        canvas.stroke(points, width, "#1c1420", OIL, second="#5a4238")
    crown = np.full_like(x, -1.0)
    lit, u, v = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for cx, cy, across, down in _CROWN:
        dx, dy = (x - cx) / across, (y - cy) / down
        near = 1 - np.hypot(dx, dy)
        pull = np.exp(4 * near)
        u, v = u - dy * pull, v + dx * pull
        lit = np.where(near > crown, 0.5 - 0.38 * (0.7 * dx + dy), lit)
        crown = np.maximum(crown, near)
    leaves = crown + 0.08 * noise(x.shape, 9, canvas.rng) > 0
    greens = ["#06121c", "#0c2a30", "#17484a", "#2f7458", "#7fae62", "#d8d27a"]
    lit += 0.12 * noise(x.shape, 10, canvas.rng)
    plan = Plan(ramp(greens, lit), np.arctan2(v, u))
    lay(canvas, plan, OIL, (6, 30, 10), mask=leaves)
    lay(canvas, plan, OIL, (5, 18, 5), vary=(7, 12), mask=leaves)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)
    x, y = s.x, s.y
    hill_line = 268 - 26 * bump((x - 430) / 110) - 14 * np.sin(x / 58 + 0.6)
    bank_line = 416 - 44 * smoothstep(330, 590, x) - 20 * bump((x - 30) / 90)
    hills, lake, bank = y > hill_line, y > _SHORE, y > bank_line
    sky, wind = _sky(x, y, rng)
    s.put(~hills, sky, wind)
    height = (y - hill_line) / 34
    slope = np.arctan(np.gradient(hill_line, axis=1))
    tone = ramp(["#4d84ab", "#27507f", "#152a57", "#0e1c3f"], height)
    s.put(hills, tone, slope + 0.5 * (np.clip(height, 0, 1) - 0.4))
    s.put(lake, _lake(x, y, sky), 0.06 * np.sin(x / 30 + y / 5))
    grass = ramp(["#3f7f63", "#1f5049", "#0e2a33", "#081a28"], (y - bank_line) / 40)
    s.put(bank, grass, -1.1 + 0.5 * np.sin(x / 40))
    plan = s.plan()

    canvas = Canvas(WIDTH, HEIGHT, "#3a2f2a", scale=scale, rng=rng)
    lay(canvas, plan, OIL, (13, 90, 19), mask=~hills, clip=False)
    lay(canvas, plan, OIL, (7, 52, 8), vary=(6, 8), stop=0.3, mask=~hills)
    lay(canvas, plan, OIL, (8, 36, 5), vary=(9, 8), stop=0.25, mask=~hills)
    land, water = hills & ~lake, lake & ~bank
    lay(canvas, plan, OIL, (6, 40, 9), vary=(6, 8), mask=land)
    lay(canvas, plan, OIL, (7, 22, 4.5), vary=(8, 8), mask=land)
    for at in _HOUSES:
        _house(canvas, at, _SHORE + rng.uniform(-6, 0), rng.uniform(0.9, 1.4))
    lay(canvas, plan, OIL, (9, 60, 10), mask=water)
    lay(canvas, plan, OIL, (5, 22, 4.5), vary=(6, 8), stop=0.22, mask=water, order=y)
    lay(canvas, plan, OIL, (8, 36, 11), mask=bank, clip=False)
    lay(canvas, plan, OIL, (6, 24, 4.5), vary=(10, 14), mask=bank, clip=False, order=y)
    _tree(canvas, x, y)
    return canvas.finish(relief=1.6, gloss=0.35)
