"""Birches in autumn: broad slabs of paint set with a palette knife."""

import numpy as np

from ..brushes import KNIFE
from ..canvas import Canvas
from ..forms import bump, jittered, mix, noise, ramp, segment, smoothstep
from ..layers import lay
from ..sketch import Sketch

WIDTH, HEIGHT = 544, 416
_GROUND = 306
# Where each trunk stands, its foot, its thickness and its lean, farthest first;
# leaves are painted between the first six and the others.
_TRUNKS = [
    (58, 300, 7, 3), (182, 304, 8, -4), (268, 300, 6, 3), (338, 306, 9, 6),
    (414, 302, 7, -3), (500, 310, 9, 2), (226, 336, 17, 8), (452, 344, 19, -10),
    (106, 372, 27, -9), (318, 396, 31, 10),
]  # fmt: skip
_BLAZE = ["#fff0b8", "#fdd24a", "#f39a1e", "#d9521b", "#9c2420", "#4a1a3a"]
_LAST_LEAVES = ["#ffe27a", "#ffc42e", "#f57a1a", "#d93a1f", "#fff3c8"]


def _wood(rng):
    """The blaze of leaves behind the trunks, and the ground before them."""
    s = Sketch(WIDTH, HEIGHT)
    x, y, shape = s.x, s.y, s.x.shape
    patches = 0.55 * noise(shape, 46, rng) + 0.4 * noise(shape, 20, rng)
    glow = bump(s.away(250, 190, 120, 110))
    shade = 0.42 + 0.17 * patches - 0.36 * glow + 0.16 * np.abs(x - 250) / 300
    gaps = smoothstep(0.9, 1.7, noise(shape, 34, rng) - (y - 60) / 120)
    haze = smoothstep(230, 306, y) * (0.6 + 0.4 * noise(shape, 30, rng))
    leaves = mix(ramp(_BLAZE, shade), "#9fd0d8", gaps)
    leaves = mix(leaves, "#5a4a7a", np.clip(haze, 0, 0.9))
    s.put(y <= _GROUND, leaves, -0.9 + 0.6 * noise(shape, 60, rng))

    depth = (y - _GROUND) / (HEIGHT - _GROUND)
    litter = 0.25 + 0.5 * depth + 0.2 * noise(shape, 24, rng)
    floor = ramp(["#7a4a6a", "#b8482a", "#e08a24", "#8a2f2a"], litter)
    path = 0.85 * bump((x - 250 + 60 * depth**2) / (22 + 110 * np.abs(depth)))
    floor = mix(floor, ramp(["#fbe3a0", "#e9c9a8", "#b8a0c8"], depth), path)
    s.put(y > _GROUND, floor, 0.04 * noise(shape, 40, rng))
    return s


def _trunk(canvas, x, foot, thick, lean):
    """Slab upon slab of white, shadow blue on the right, then the black scars."""
    rng = canvas.rng

    def middle(y):
        return x + lean * (1 - y / foot) * 2 + 0.12 * thick * np.sin(y / 37 + x)

    def half(y):
        return 0.5 * thick * (0.72 + 0.28 * y / foot)

    near = smoothstep(5, 26, thick)
    light = ramp(["#e9d3c4", "#fdf7ea"], near)
    shadow = ramp(["#a58aa8", "#6f86ad"], near)
    y = float(foot)
    while y > -20:
        size = thick * rng.uniform(0.9, 1.7)
        mid, h = middle(y - size / 2), half(y)
        for place, share, tone in [(0.55, 0.95, shadow), (-0.3, 1.25, light)]:
            tone = jittered(tone[None], rng, 3.5, 14)
            second = jittered(tone, rng, 6, 20)
            drift = place * h + 0.15 * h * rng.standard_normal()
            start = (mid + (place - 0.2) * h, y + rng.uniform(0, 0.3) * size)
            end = (middle(y - size) + drift, y - size)
            canvas.stroke([start, end], share * h, tone[0], KNIFE, second=second[0])
        y -= size * rng.uniform(0.55, 0.8)
    for y in np.arange(foot, -20, -thick * 0.55):
        if rng.random() > 0.72:
            continue
        y = y + rng.uniform(-0.3, 0.3) * thick
        h = half(y)
        side = rng.choice([-1, 1], p=[0.55, 0.45])
        edge = middle(y) + side * h
        inner = edge - side * h * rng.uniform(0.4, 1.5)
        scar = [(edge + side, y), (inner, y + rng.uniform(-0.15, 0.25) * h)]
        tone = rng.choice(["#241d2b", "#3a2a33", "#15151c"])
        canvas.stroke(scar, max(1.6, thick * rng.uniform(0.08, 0.24)), tone, KNIFE)


def _shadow(canvas, x, foot, thick):
    """The trunk's shadow on the ground, to the right."""
    rng = canvas.rng
    for k in range(5):
        start = np.array([x + 3 * k, foot + 2 * k])
        reach = thick * np.array([rng.uniform(2.2, 4.5), rng.uniform(0.1, 0.4)])
        path = [start, start + reach]
        canvas.stroke(path, 0.35 * thick, "#5a3a6a", KNIFE, second="#8a3a3a")


def _dabs(canvas, count, area, codes, size, turn):
    """Small slabs in the area (left, top, right, bottom), more of them above."""
    rng = canvas.rng
    left, top, right, bottom = area
    spots = rng.random((count, 2)) ** (1, 1.4) * (right - left, bottom - top)
    tones = jittered(ramp(codes, rng.random(count)), rng, 4, 8)
    turns = rng.uniform(*turn, count)
    for spot, tone, a in zip(spots + (left, top), tones, turns, strict=True):
        canvas.stroke(segment(spot, a, 1.5 * size), size, tone, KNIFE)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = _wood(rng)
    plan = s.plan()
    canvas = Canvas(WIDTH, HEIGHT, "#5a2a24", scale=scale, rng=rng)
    air, ground = s.y < _GROUND, s.y > _GROUND - 6
    coarse, broad = {"wander": 0.45, "clip": False}, {"wander": 0.06, "clip": False}
    lay(canvas, plan, KNIFE, (20, 62, 38), vary=(5, 10))
    lay(canvas, plan, KNIFE, (13, 38, 21), vary=(7, 12), mask=air, **coarse)
    lay(canvas, plan, KNIFE, (14, 60, 14), vary=(6, 12), mask=ground, **broad)
    for trunk in _TRUNKS[:6]:
        _trunk(canvas, *trunk)
    high = s.y < _GROUND - 10
    lay(canvas, plan, KNIFE, (19, 19, 12), vary=(9, 14), mask=high, **coarse)
    for x, foot, thick, lean in _TRUNKS[6:]:
        _trunk(canvas, x, foot, thick, lean)
        _shadow(canvas, x, foot, thick)
    # The last leaves, set with the tip of the knife.
    for size, count in [(9, 90), (6, 130), (4, 120)]:
        area = (0, 0, WIDTH, 250)
        _dabs(canvas, count, area, _LAST_LEAVES, size, (-1.4, 0.6))
    area = (0, _GROUND + 12, WIDTH, HEIGHT)
    _dabs(canvas, 130, area, ["#ffd54a", "#f08a1e", "#c8321f"], 4.5, (-0.3, 0.3))
    return canvas.finish(relief=1.3, gloss=0.35)
