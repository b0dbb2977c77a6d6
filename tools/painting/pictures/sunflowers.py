"""Sunflowers before a wheat field: short thick dashes, hot yellow and teal."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, noise, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 560, 432
_HORIZON = 148
_SUN = (404, 70)
# Centre, radius and tilt of the flower heads, the farthest first.
_HEADS = [
    (300, 268, 26, 0.3), (40, 262, 30, -0.3), (392, 300, 36, 0.2),
    (122, 306, 50, -0.2), (506, 330, 56, 0.25), (262, 368, 60, 0.1),
]  # fmt: skip


def _field(x, y, rng):
    """Colours and directions of sky, distant trees and wheat."""
    sx, sy = x - _SUN[0], y - _SUN[1]
    r = np.hypot(sx, sy)
    sky = ramp(["#0f6f7c", "#1f97a0", "#4fbdb4", "#a5dcc0"], y / _HORIZON)
    sky += 0.05 * noise(x.shape, 18, rng)[..., None]
    glow = ramp(["#fff6c2", "#ffe56b", "#ffce4a", "#c9d79a", "#7fcdb6"], r / 110)
    sky += (1 - smoothstep(60, 120, r))[..., None] * (glow - sky)
    sky_angle = np.arctan2(sx, -sy)
    wave = 0.35 * np.sin(x / 40 + y / 24)
    weight = np.exp(-((r / 130) ** 2))
    sky_angle = np.where(weight > 0.35, sky_angle, wave)

    depth = np.clip((y - _HORIZON) / (HEIGHT - _HORIZON), 0, 1)
    codes = ["#f6d365", "#f2b632", "#e8951f", "#c86a17", "#8f4a16"]
    rows = np.sin((x - 290) / (0.12 + depth) / 17 + 2 * depth)
    wheat = ramp(
        codes, 0.18 + 0.45 * depth + 0.16 * rows + 0.06 * noise(x.shape, 9, rng)
    )
    wheat_angle = -np.pi / 2 + (x - 290) / 560 + 0.3 * np.sin(x / 25 + y / 13)

    treeline = _HORIZON - 9 - 9 * np.abs(np.sin(x / 47)) - 5 * np.sin(x / 19 + 1)
    trees = ramp(["#5f9f86", "#2b6f7a", "#1b4a68"], (y - treeline) / 22)
    colour = np.where((y > _HORIZON)[..., None], wheat, sky)
    angle = np.where(y > _HORIZON, wheat_angle, sky_angle)
    wood = (y > treeline) & (y < _HORIZON + 3)
    colour = np.where(wood[..., None], trees, colour)
    angle = np.where(wood, -1.2 + 0.4 * np.sin(x / 9), angle)
    return np.clip(colour, 0, 1), angle


def _curve(start, end, bend, count=8):
    """A bowed path from start to end; `bend` is its sagitta, to the left."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    k = np.linspace(0, 1, count)[:, None]
    side = np.array([end[1] - start[1], start[0] - end[0]])
    side = side / (np.hypot(*side) + 1e-9)
    return start + k * (end - start) + 4 * k * (1 - k) * bend * side


def _flower(canvas, oil, x, y, radius, tilt):
    rng = canvas.rng
    squash = 0.86
    stem = _curve((x, y + radius * 0.3), (x - 30 * tilt, HEIGHT + 20), 12 * tilt)
    for shift, code in [(0, "#1f4a2e"), (-2, "#3f7a3a"), (2, "#6fa04a")]:
        canvas.stroke(
            stem + (shift, 0), radius * 0.14, rgb(code), oil, second=rgb("#8fb45a")
        )
    for k, side in enumerate(rng.permutation([-1, 1, -1])):
        base = stem[2 + 2 * k] if y < 340 else stem[1 + k]
        tip = base + radius * np.array(
            [side * rng.uniform(0.9, 1.4), rng.uniform(-0.7, 0.3)]
        )
        # A leaf is a bundle of strokes from its foot to its tip.
        for share in (-1, 1, -0.5, 0.5, 0.1, 0.8):
            bend = radius * (0.30 * share + 0.06 * rng.standard_normal())
            lit = 0.5 - 0.3 * share * side + 0.15 * rng.standard_normal()
            tone = ramp(["#0f3a34", "#1f6a48", "#5f9f50", "#b5c860"], np.array(lit))
            canvas.stroke(
                _curve(base, tip, bend), 0.2 * radius, tone, oil, second=rgb("#2f7a4a")
            )
    for ring, (reach, width, codes) in enumerate([
        (1.55, 0.30, ["#9c4a10", "#c46a14", "#d98a1a"]),
        (1.45, 0.24, ["#e08e12", "#f0a818", "#f7bf2a"]),
        (1.28, 0.19, ["#f7b820", "#ffd23a", "#ffe36a"]),
        (1.34, 0.08, ["#fff0a0", "#ffe36a", "#ff9a2a"]),
    ]):  # fmt: skip
        count = (22, 20, 17, 20)[ring]
        turns = rng.permutation(count) / count * 2 * np.pi + 0.4 * ring
        for a in turns + 0.12 * rng.standard_normal(count):
            size = reach * (1 + 0.12 * rng.standard_normal())
            a2 = a + 0.12 * rng.standard_normal()
            start = (
                x + 0.5 * radius * np.cos(a),
                y + 0.5 * squash * radius * np.sin(a),
            )
            end = (
                x + size * radius * np.cos(a2),
                y + size * squash * radius * np.sin(a2),
            )
            # Petals in the light, to the upper right, are paler.
            lit = 0.5 + 0.3 * np.cos(a + 0.8) + 0.2 * rng.standard_normal()
            canvas.stroke(
                _curve(start, end, radius * 0.07 * rng.standard_normal()),
                width * radius,
                ramp(codes, np.array(lit)),
                oil,
                second=ramp(codes, np.array(lit + 0.4)),
            )
    seeds = np.sort(rng.uniform(0, 1, int(150 + 3 * radius)))[::-1]
    for o in seeds:
        a = rng.uniform(0, 2 * np.pi)
        r = 0.64 * radius * np.sqrt(o)
        px, py = x + r * np.cos(a), y + squash * r * np.sin(a)
        shade = 1 - np.sqrt(o) + 0.25 * rng.standard_normal() - 0.2 * np.sin(a)
        code = ramp(
            ["#b8741e", "#7a3f14", "#3d1f12", "#5a3416", "#8a8a2a"], np.array(shade)
        )
        d = np.array([-np.sin(a), squash * np.cos(a)]) * radius * 0.09
        canvas.stroke(np.array([(px, py) - d, (px, py) + d]), radius * 0.1, code, oil)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    colour, angle = _field(x, y, rng)
    plan = Plan(colour, angle)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#8a4a22"), scale=scale, rng=rng)
    dash = Brush(
        bristle=1.4,
        streak=0.14,
        body=1.4,
        ridge=1.3,
        taper=(0.2, 0.25),
        dryness=0.15,
        fray=0.15,
        pickup=0.12,
    )
    above, below = y < _HORIZON, y >= _HORIZON
    for mask in (above, below):
        lay(canvas, plan, dash, spacing=13, length=34, width=16, mask=mask, clip=False)
    lay(
        canvas,
        plan,
        dash,
        spacing=6,
        length=17,
        width=7,
        lightness=6,
        hue=12,
        mask=above,
    )
    lay(
        canvas,
        plan,
        dash,
        spacing=7,
        length=13,
        width=4.5,
        lightness=9,
        hue=14,
        mask=above,
    )
    lay(
        canvas,
        plan,
        dash,
        spacing=7,
        length=20,
        width=7,
        lightness=7,
        hue=9,
        mask=below,
        order=y,
        clip=False,
    )
    lay(
        canvas,
        plan,
        dash,
        spacing=6,
        length=15,
        width=4,
        lightness=10,
        hue=12,
        mask=below,
        order=y,
        clip=False,
    )
    # Green undergrowth for the flowers to stand in.
    low = smoothstep(330, 432, y + 18 * np.sin(x / 37))
    growth = Plan(
        ramp(["#12403a", "#1f6a4a", "#6f9f48"], 0.5 + 0.3 * noise(x.shape, 14, rng)),
        angle + 0.5 * np.sin(x / 19),
    )
    lay(
        canvas,
        growth,
        dash,
        spacing=7,
        length=26,
        width=6,
        lightness=6,
        hue=12,
        density=0.8 * low,
    )
    for head in _HEADS:
        _flower(canvas, dash, *head)
    return canvas.finish(relief=1.5, gloss=0.3)
