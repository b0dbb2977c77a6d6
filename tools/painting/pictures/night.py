"""Night over a lake: long thick strokes that swirl, blue and yellow."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, noise, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 576, 448
_SHORE = 296
# Centre, radius and turning sense of the sky's whirls.
_WHIRLS = [(330, 128, 88, 1), (168, 196, 50, -1), (508, 170, 54, -1), (20, 120, 44, 1)]
# Centre and radius of the stars; the first is the moon.
_STARS = [
    (98, 74, 27), (212, 50, 13), (452, 54, 14), (300, 30, 9), (246, 200, 10),
    (404, 214, 9), (556, 76, 10), (36, 214, 9), (556, 232, 8),
]  # fmt: skip
# Centre and half axes of the tree's masses of leaves.
_CROWN = [
    (486, 262, 46, 34),
    (540, 236, 48, 36),
    (448, 306, 32, 20),
    (562, 290, 40, 30),
    (506, 302, 44, 24),
    (510, 220, 30, 22),
]
# Lit windows on the far shore.
_LIGHTS = [128, 158, 182, 214, 240, 266, 300, 338]


def _far_hills(x):
    return 268 - 26 * np.exp(-(((x - 430) / 110) ** 2)) - 14 * np.sin(x / 58 + 0.6)


def _bank(x):
    return 416 - 44 * smoothstep(330, 590, x) - 20 * np.exp(-(((x - 30) / 90) ** 2))


def _sky(x, y, rng):
    u = np.full_like(x, 1.0)
    v = 0.34 * np.sin(x / 66) + 0.15 * np.sin(x / 23 + y / 40)
    light = 0.22 + 0.34 * smoothstep(90, 290, y)
    light = light + 0.08 * noise(x.shape, 26, rng)
    for cx, cy, radius, sense in _WHIRLS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = np.exp(-((r / radius) ** 2)) * 4.5
        u += pull * (-sense * dy / (r + 4)) + 0.15 * pull * dx / (r + 4)
        v += pull * (sense * dx / (r + 4)) + 0.15 * pull * dy / (r + 4)
        spiral = np.sin(r / radius * 8 - sense * np.arctan2(dy, dx))
        light = light + 0.42 * spiral * np.exp(-((r / radius / 1.1) ** 2))
    for cx, cy, radius in _STARS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = 7 * np.exp(-((r / radius / 1.9) ** 4))
        u += pull * -dy / (r + 1)
        v += pull * dx / (r + 1)
    blues = ["#0a1a3c", "#0f2f6a", "#16509a", "#2a80b8", "#7ab8cc", "#ece8b8"]
    colour = ramp(blues, light)
    for cx, cy, radius in _STARS:
        r = np.hypot(x - cx, y - cy) / radius
        glow = ramp(["#fffbe0", "#ffdf5a", "#f5ae24", "#c8c069", "#6fb0b8"], r / 2.3)
        weight = (1 - smoothstep(1.3, 2.5, r + 0.12 * np.sin(r * 9)))[..., None]
        colour = colour + weight * (glow - colour)
    return colour, np.arctan2(v, u)


def _lake(x, y, sky):
    mirrored = np.clip(2 * _SHORE - y.astype(int) * 1.0 - 20, 0, HEIGHT - 1).astype(int)
    deep = ramp(["#0c1c4e", "#143a7c", "#0a1638"], (y - _SHORE) / 130)
    colour = 0.45 * sky[mirrored, x.astype(int)] + 0.6 * deep
    sway = 2.5 * np.sin(y / 3.1) + 3 * np.sin(y / 7.3)
    streaks = [(lx, 4.5, 85) for lx in _LIGHTS] + [(98, 17, 130), (452, 8, 90)]
    for lx, half, reach in streaks:
        weight = np.exp(-(((x - lx + sway) / half) ** 2)) * (1 - (y - _SHORE) / reach)
        weight = np.clip(weight * (1.15 + 0.5 * np.sin(y / 2.4)), 0, 1)[..., None]
        colour = colour + weight * (rgb("#f7c64a") - colour)
    return np.clip(colour, 0, 1)


def _house(canvas, oil, x, y, size):
    """A dark house with a lit window, foot at (x, y)."""
    for points, width, code, second in [
        ([(-9, -6), (9, -6)], 13, "#3a4a80", "#6a78b0"),
        ([(-11, -12), (0, -21), (11, -12)], 5, "#2b1f3d", "#8a4a52"),
        ([(-1, -2), (-1, -10)], 5.5, "#ffcf4a", "#fff2b0"),
    ]:
        path = np.array(points) * size + (x, y)
        canvas.stroke(path, width * size, rgb(code), oil, second=rgb(second))


def _tree(canvas, oil, x, y):
    """A wind-bent tree on the right bank: trunk, then leaves in eddies."""
    bark, moss = rgb("#1c1420"), rgb("#5a4238")
    for points, width in [
        ([(556, 440), (546, 392), (524, 352), (512, 300)], 19),
        ([(532, 366), (506, 332), (476, 300)], 9),
        ([(544, 384), (556, 340), (560, 300)], 9),
        ([(504, 332), (468, 322), (440, 318)], 6),
    ]:
        canvas.stroke(np.array(points), width, bark, oil, second=moss)
    crown = np.full_like(x, -1.0)
    lit, u, v = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for cx, cy, rx, ry in _CROWN:
        dx, dy = (x - cx) / rx, (y - cy) / ry
        near = 1 - np.hypot(dx, dy)
        pull = np.exp(4 * near)
        u, v = u - dy * pull, v + dx * pull
        lit = np.where(near > crown, 0.5 - 0.38 * (dx * 0.7 + dy), lit)
        crown = np.maximum(crown, near)
    crown += 0.08 * noise(x.shape, 9, canvas.rng)
    greens = ["#06121c", "#0c2a30", "#17484a", "#2f7458", "#7fae62", "#d8d27a"]
    lit = lit + 0.12 * noise(x.shape, 10, canvas.rng)
    plan = Plan(ramp(greens, lit), np.arctan2(v, u))
    leaves = crown > 0
    lay(canvas, plan, oil, spacing=6, length=30, width=10, mask=leaves)
    lay(
        canvas,
        plan,
        oil,
        spacing=5,
        length=18,
        width=5,
        lightness=7,
        hue=12,
        mask=leaves,
    )


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    sky, angle = _sky(x, y, rng)
    hills, lake, bank = y > _far_hills(x), y > _SHORE, y > _bank(x)
    colour = sky.copy()
    slope = np.gradient(_far_hills(x), axis=1)
    ridge = np.clip((y - _far_hills(x)) / 34, 0, 1)
    colour[hills] = ramp(["#4d84ab", "#27507f", "#152a57", "#0e1c3f"], ridge)[hills]
    angle = np.where(hills, np.arctan(slope) + 0.5 * (ridge - 0.4), angle)
    colour[lake] = _lake(x, y, sky)[lake]
    angle = np.where(lake, 0.06 * np.sin(x / 30 + y / 5), angle)
    grass = ramp(["#3f7f63", "#1f5049", "#0e2a33", "#081a28"], (y - _bank(x)) / 40)
    colour[bank] = grass[bank]
    angle = np.where(bank, -1.1 + 0.5 * np.sin(x / 40), angle)
    plan = Plan(colour, angle)

    canvas = Canvas(WIDTH, HEIGHT, rgb("#3a2f2a"), scale=scale, rng=rng)
    oil = Brush(bristle=1.2, streak=0.12, body=1.1, ridge=0.9)
    air = ~hills
    lay(canvas, plan, oil, spacing=13, length=90, width=19, mask=air, clip=False)
    lay(
        canvas,
        plan,
        oil,
        spacing=7,
        length=52,
        width=8,
        lightness=6,
        stop=0.3,
        mask=air,
    )
    lay(
        canvas,
        plan,
        oil,
        spacing=8,
        length=36,
        width=5,
        lightness=9,
        stop=0.25,
        mask=air,
    )
    land = hills & ~lake
    lay(canvas, plan, oil, spacing=6, length=40, width=9, lightness=6, mask=land)
    lay(canvas, plan, oil, spacing=7, length=22, width=4.5, lightness=8, mask=land)
    for lx in _LIGHTS:
        base = _SHORE + rng.uniform(-6, 0)
        _house(canvas, oil, lx, base, rng.uniform(0.9, 1.4))
    lay(canvas, plan, oil, spacing=9, length=60, width=10, mask=lake & ~bank)
    lay(
        canvas,
        plan,
        oil,
        spacing=5,
        length=22,
        width=4.5,
        lightness=6,
        stop=0.22,
        mask=lake & ~bank,
        order=y,
    )
    lay(canvas, plan, oil, spacing=8, length=36, width=11, mask=bank, clip=False)
    lay(
        canvas,
        plan,
        oil,
        spacing=6,
        length=24,
        width=4.5,
        lightness=10,
        hue=14,
        mask=bank,
        clip=False,
        order=y,
    )
    _tree(canvas, oil, x, y)
    return canvas.finish(relief=1.6, gloss=0.35)
