"""A river on a summer's day: round dots of pure colours, placed side by side."""

import numpy as np

from ..brushes import DAB
from ..canvas import Canvas
from ..forms import bump, mix, noise, ramp, rgb, segment, smoothstep
from ..layers import scatter
from ..sketch import Sketch

WIDTH, HEIGHT = 544, 416
_FAR_BANK = 148
# Centre and half axes of the clouds and of the big tree's leaves.
_CLOUDS = [(120, 44, 95, 20), (330, 70, 120, 16), (450, 30, 70, 14)]
_LEAVES = [
    (470, 60, 92, 66), (400, 96, 66, 40), (530, 120, 60, 60), (520, 20, 80, 50),
    (380, 40, 46, 34),
]  # fmt: skip
# Foot, height and half width of the sails.
_BOATS = [(150, 212, 74, 24), (262, 186, 42, 14), (352, 172, 26, 9), (78, 178, 30, 10)]
# Foot, height and the lit and shaded colour of the walkers' dresses.
_WALKERS = [
    (330, 372, 92, "#a8324a", "#5a1f5a"),
    (292, 366, 86, "#3f4f9f", "#26255f"),
]


def _sky_and_woods(s):
    x, y = s.x, s.y
    sky = ramp(["#7fb0da", "#a6cde0", "#d9e4d8", "#fae3bc"], y / _FAR_BANK)
    for cloud in _CLOUDS:
        sky = mix(sky, "#fdf1e4", 0.9 * bump(s.away(*cloud)))
    s.put(y <= _FAR_BANK, sky)
    trees = 34 + 14 * np.sin(x / 37) + 9 * np.sin(x / 15 + 2) + 10 * np.sin(x / 90)
    trees = np.clip(trees, 8, None) * (0.55 + 0.4 * smoothstep(200, 540, x))
    height = (_FAR_BANK - y) / trees
    woods = ramp(["#3b4a86", "#3a6f78", "#5f9a5c", "#9fc46a"], height)
    s.put((height > 0) & (height < 1), woods)


def _water_and_boats(s):
    x, y = s.x, s.y
    depth = (y - _FAR_BANK) / 152
    water = ramp(["#d6e2c8", "#a3cfd0", "#6fa8cc", "#5a86b8"], depth)
    mirror = bump((y - _FAR_BANK) / 22) * (0.6 + 0.3 * np.sin(x / 20))
    water = mix(water, "#4f7f6a", mirror)
    water += 0.05 * np.sin(y / 3.2 + 2 * np.sin(x / 50))[..., None]
    s.put(y > _FAR_BANK, water)
    for bx, by, tall, half in _BOATS:
        aside, down = np.abs(x - bx), (y - by) / tall
        ripple = half * (0.9 - 0.6 * down) + 4 * np.sin(y / 2.4)
        image = (down > 0.11) & (down < 1) & (aside < ripple)
        s.put(image, mix(s.colour, "#fbe9d2", 0.75 * (1 - down)))
        sail = (down < 0) & (down > -1) & (np.abs(x - bx + 3) < half * (1 + down))
        s.put(sail & (x > bx), "#fff3d8")
        s.put(sail & (x <= bx), "#f0b98a")
        hull = (aside < 1.25 * half - (y - by)) & (down >= 0) & (down < 0.11)
        s.put(hull, "#7a2f3a")


def _lawn_and_tree(s, rng):
    x, y = s.x, s.y
    bank = 360 - 95 * smoothstep(220, 560, x) + 6 * np.sin(x / 30)
    lawn = ramp(["#e9dc7a", "#b9cf5a", "#7fae4c", "#4c8a4f"], (y - bank) / 110)
    shadow = np.minimum(s.away(440, 352, 150, 30), s.away(60, 424, 190, 30))
    shadow -= 0.15 * noise(x.shape, 26, rng)
    blues = ramp(["#2f6a6a", "#3a5a8a"], x / WIDTH)
    s.put(y > bank, mix(lawn, blues, 0.8 * smoothstep(1.1, 0.75, shadow)))
    trunk = np.abs(x - 476 - 10 * np.sin(y / 60)) < 9 + 10 * smoothstep(300, 380, y)
    trunk &= (y > 110) & (y < 360)
    s.put(trunk & (x < 474), "#c98a6a")
    s.put(trunk & (x >= 474), "#4a3566")
    crown = np.minimum.reduce([s.away(*mass) for mass in _LEAVES])
    crown += 0.16 * noise(x.shape, 12, rng)
    shade = 0.5 + 0.2 * noise(x.shape, 22, rng) + (y - 80) / 300 + (x - 450) / 500
    greens = ["#f2e58a", "#b5cf58", "#6fa84e", "#3a7f62", "#2f5f72"]
    s.put(crown < 0.94, ramp(greens, shade))


def _walkers(s):
    """Two walkers, a parasol and a dog."""
    x, y = s.x, s.y
    for at, foot, tall, lit, shaded in _WALKERS:
        up = (foot - y) / tall
        half = np.where(up < 0.55, 0.20 - 0.19 * up, 0.085 + 0.03 * np.sin(up * 9))
        body = (up > 0) & (up < 0.82) & (np.abs(x - at) < half * tall)
        s.put(body & (x < at), lit)
        s.put(body & (x >= at), shaded)
        s.put(s.away(at, foot - 0.89 * tall, 0.075 * tall) < 1, "#e9b08a")
        s.put(s.away(at, foot - 0.95 * tall, 0.096 * tall, 0.06 * tall) < 1, "#5a3a2a")
    parasol = (s.away(350, 284, 34, 27) < 1) & (y < 284 + 4 * np.cos((x - 350) / 5))
    s.put(parasol, ramp(["#fff0c0", "#f2a23a", "#c4472f"], (x - 320) / 64))
    stick = (np.abs(x - 350 + 0.25 * (y - 284)) < 1.4) & (y > 284) & (y < 318)
    s.put(stick, "#5a3a2a")
    dog = (s.away(238, 376, 14, 7.5) < 1) | (s.away(225, 369, 5) < 1)
    dog |= (np.abs(np.abs(x - 238) - 9) < 2) & (y > 376) & (y < 390)
    s.put(dog, "#3a2a2f")


def _divided(colours, rng):
    """Breaks [N, 3] colours up into the purer ones that mix to them by eye."""
    count = len(colours)
    grey = colours.mean(1, keepdims=True)
    pure = grey + 1.28 * (colours - grey)
    opposite = grey - 0.55 * (colours - grey)
    sunlight = np.where(grey > 0.5, rgb("#ff9a3c"), rgb("#2f5fc4"))
    pick = rng.random(count)[:, None]
    dots = np.select(
        [pick < 0.66, pick < 0.80, pick < 0.90, pick < 0.96],
        [pure, colours, 0.65 * pure + 0.35 * sunlight, 0.5 * (pure + opposite) + 0.04],
        0.7 * pure + 0.3,
    )
    return np.clip(dots + 0.05 * rng.standard_normal((count, 1)), 0, 1)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)
    _sky_and_woods(s)
    _water_and_boats(s)
    _lawn_and_tree(s, rng)
    _walkers(s)
    plan = s.plan()
    canvas = Canvas(WIDTH, HEIGHT, "#efe3cc", scale=scale, rng=rng)
    dot = DAB.but(body=1.0, ridge=0.6)
    for spacing, size in [(7.0, 9.0), (4.6, 5.6), (4.0, 4.2)]:
        points = scatter(WIDTH, HEIGHT, spacing, rng, margin=spacing)
        tones = _divided(plan.colour[plan.cells(points)], rng)
        sizes = size * np.clip(1 + 0.16 * rng.standard_normal(len(points)), 0.6, 1.5)
        turns = rng.uniform(0, np.pi, len(points))
        for point, tone, width, a in zip(points, tones, sizes, turns, strict=True):
            canvas.stroke(segment(point, a, width), width, tone, dot)
    return canvas.finish(relief=1.1, gloss=0.15)
