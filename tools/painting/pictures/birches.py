"""Birches in autumn: broad slabs of paint set with a palette knife."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, jittered, noise, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 544, 416
_GROUND = 306
# Where each trunk stands, its foot, its thickness and its lean, farthest first.
_TRUNKS = [
    (58, 300, 7, 3), (182, 304, 8, -4), (268, 300, 6, 3), (338, 306, 9, 6),
    (414, 302, 7, -3), (500, 310, 9, 2), (226, 336, 17, 8), (452, 344, 19, -10),
    (106, 372, 27, -9), (318, 396, 31, 10),
]  # fmt: skip


def _wood(x, y, rng):
    """The blaze of leaves behind the trunks, and the ground before them."""
    patches = 0.55 * noise(x.shape, 46, rng) + 0.4 * noise(x.shape, 20, rng)
    glow = np.exp(-(((x - 250) / 120) ** 2) - (((y - 190) / 110) ** 2))
    share = 0.42 + 0.17 * patches - 0.36 * glow + 0.16 * np.abs(x - 250) / 300
    leaves = ramp(
        ["#fff0b8", "#fdd24a", "#f39a1e", "#d9521b", "#9c2420", "#4a1a3a"], share
    )
    sky = smoothstep(0.9, 1.7, noise(x.shape, 34, rng) - (y - 60) / 120)[..., None]
    leaves += sky * (rgb("#9fd0d8") - leaves)
    haze = smoothstep(230, 306, y) * (0.6 + 0.4 * noise(x.shape, 30, rng))
    leaves += np.clip(haze, 0, 0.9)[..., None] * (rgb("#5a4a7a") - leaves)
    depth = (y - _GROUND) / (HEIGHT - _GROUND)
    path = np.exp(-(((x - 250 + 60 * depth**2) / (22 + 110 * depth)) ** 2))
    floor = ramp(
        ["#7a4a6a", "#b8482a", "#e08a24", "#8a2f2a"],
        0.25 + 0.5 * depth + 0.2 * noise(x.shape, 24, rng),
    )
    floor += (
        0.85
        * path[..., None]
        * (ramp(["#fbe3a0", "#e9c9a8", "#b8a0c8"], depth) - floor)
    )
    colour = np.where((y > _GROUND)[..., None], floor, leaves)
    turn = np.where(
        y > _GROUND,
        0.04 * noise(x.shape, 40, rng),
        -0.9 + 0.6 * noise(x.shape, 60, rng),
    )
    return np.clip(colour, 0, 1), turn


def _trunk(canvas, knife, x, foot, thick, lean):
    """Slab upon slab of white, shadow blue on the right, then the black scars."""
    rng = canvas.rng

    def middle(y):
        return x + lean * (1 - y / foot) * 2 + 0.12 * thick * np.sin(y / 37 + x)

    def half(y):
        return 0.5 * thick * (0.72 + 0.28 * y / foot)

    near = smoothstep(5, 26, np.array(float(thick)))
    light = ramp(["#e9d3c4", "#fdf7ea"], near)
    shadow = ramp(["#a58aa8", "#6f86ad"], near)
    y = float(foot)
    while y > -20:
        size = thick * rng.uniform(0.9, 1.7)
        mid, h = middle(y - size / 2), half(y)
        for place, share, tone in [(0.55, 0.95, shadow), (-0.3, 1.25, light)]:
            tone = jittered(tone[None], rng, 3.5, 14)[0]
            start = (mid + place * h - 0.2 * h, y + rng.uniform(0, 0.3) * size)
            end = (
                middle(y - size) + place * h + 0.15 * h * rng.standard_normal(),
                y - size,
            )
            canvas.stroke(
                np.array([start, end]),
                share * h,
                tone,
                knife,
                second=jittered(tone[None], rng, 6, 20)[0],
            )
        y -= size * rng.uniform(0.55, 0.8)
    for y in np.arange(foot, -20, -thick * 0.55):
        if rng.random() < 0.72:
            y = y + rng.uniform(-0.3, 0.3) * thick
            h = half(y)
            side = rng.choice([-1, 1], p=[0.55, 0.45])
            edge = middle(y) + side * h
            reach = h * rng.uniform(0.4, 1.5)
            scar = np.array(
                [
                    (edge + side, y),
                    (edge - side * reach, y + rng.uniform(-0.15, 0.25) * h),
                ]
            )
            tone = rgb(rng.choice(["#241d2b", "#3a2a33", "#15151c"]))
            canvas.stroke(scar, max(1.6, thick * rng.uniform(0.08, 0.24)), tone, knife)


def _slabs(canvas, points, tones, width, length, angles, knife):
    for p, tone, a in zip(points, tones, angles, strict=True):
        arm = 0.5 * length * np.array([np.cos(a), np.sin(a)])
        canvas.stroke(np.stack([p - arm, p + arm]), width, tone, knife)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    plan = Plan(*_wood(x, y, rng))
    canvas = Canvas(WIDTH, HEIGHT, rgb("#5a2a24"), scale=scale, rng=rng)
    knife = Brush(
        bristle=2.6,
        streak=0.05,
        blend=0.55,
        dryness=0.25,
        fray=0.05,
        ragged=0.18,
        taper=(0, 0),
        point=1,
        soft=0.02,
        pickup=0.25,
        body=1.6,
        ridge=2.6,
    )
    lay(canvas, plan, knife, spacing=20, length=62, width=38, lightness=5, hue=10)
    lay(
        canvas,
        plan,
        knife,
        spacing=13,
        length=38,
        width=21,
        lightness=7,
        hue=12,
        wander=0.45,
        mask=y < _GROUND,
        clip=False,
    )
    lay(
        canvas,
        plan,
        knife,
        spacing=14,
        length=60,
        width=14,
        lightness=6,
        hue=12,
        wander=0.06,
        mask=y > _GROUND - 6,
        clip=False,
    )
    for trunk in _TRUNKS[:6]:
        _trunk(canvas, knife, *trunk)
    lay(
        canvas,
        plan,
        knife,
        spacing=14,
        length=19,
        width=12,
        lightness=9,
        hue=14,
        wander=0.7,
        mask=y < _GROUND - 10,
        clip=False,
        density=np.full_like(x, 0.55),
    )
    for trunk in _TRUNKS[6:]:
        _trunk(canvas, knife, *trunk)
        tx, foot, thick, _ = trunk
        for k in range(5):
            start = np.array([tx + k * 3, foot + 2 * k])
            end = start + (thick * rng.uniform(2.2, 4.5), thick * rng.uniform(0.1, 0.4))
            canvas.stroke(
                np.stack([start, end]),
                thick * 0.35,
                rgb("#5a3a6a"),
                knife,
                second=rgb("#8a3a3a"),
            )
    # The last leaves, set with the tip of the knife.
    for size, count in [(9, 90), (6, 130), (4, 120)]:
        spots = rng.uniform((0, 0), (WIDTH, 1), (count, 2)) ** (1, 1.4) * (1, 250)
        tones = ramp(
            ["#ffe27a", "#ffc42e", "#f57a1a", "#d93a1f", "#fff3c8"], rng.random(count)
        )
        _slabs(
            canvas,
            spots,
            jittered(tones, rng, 4, 8),
            size,
            1.4 * size,
            rng.uniform(-1.4, 0.6, count),
            knife,
        )
    count = 130
    spots = rng.uniform((0, _GROUND + 12), (WIDTH, HEIGHT), (count, 2))
    tones = ramp(["#ffd54a", "#f08a1e", "#c8321f"], rng.random(count))
    _slabs(canvas, spots, tones, 4.5, 11, rng.uniform(-0.3, 0.3, count), knife)
    return canvas.finish(relief=1.3, gloss=0.35)
