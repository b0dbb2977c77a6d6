"""A river on a summer's day: round dots of pure colours, placed side by side."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, noise, ramp, rgb, smoothstep
from ..layers import scatter

WIDTH, HEIGHT = 544, 416
_FAR, _NEAR = 148, 300
# Foot, height and half width of the sails.
_BOATS = [(150, 212, 74, 24), (262, 186, 42, 14), (352, 172, 26, 9), (78, 178, 30, 10)]


def _near_bank(x):
    return _NEAR + 60 - 95 * smoothstep(220, 560, x) + 6 * np.sin(x / 30)


def _scene(x, y, rng):
    """The picture that the dots mix to."""
    sky = ramp(["#7fb0da", "#a6cde0", "#d9e4d8", "#fae3bc"], y / _FAR)
    for cx, cy, rx, ry in [(120, 44, 95, 20), (330, 70, 120, 16), (450, 30, 70, 14)]:
        cloud = np.exp(-(((x - cx) / rx) ** 2) - (((y - cy) / ry) ** 2))
        sky += 0.9 * cloud[..., None] * (rgb("#fdf1e4") - sky)
    colour = sky
    trees = 34 + 14 * np.sin(x / 37) + 9 * np.sin(x / 15 + 2) + 10 * np.sin(x / 90)
    top = _FAR - np.clip(trees, 8, None) * (0.55 + 0.4 * smoothstep(200, 540, x))
    woods = ramp(["#9fc46a", "#5f9a5c", "#3a6f78", "#3b4a86"], (y - top) / (_FAR - top))
    colour = np.where((y > top)[..., None], woods, colour)
    shine = (y - _FAR) / (_NEAR - _FAR)
    water = ramp(["#d6e2c8", "#a3cfd0", "#6fa8cc", "#5a86b8"], shine)
    mirror = np.exp(-(((y - _FAR) / 22) ** 2)) * (0.6 + 0.3 * np.sin(x / 20))
    water += mirror[..., None] * (rgb("#4f7f6a") - water)
    water += 0.05 * np.sin(y / 3.2 + 2 * np.sin(x / 50))[..., None]
    colour = np.where((y > _FAR)[..., None], water, colour)
    for bx, by, tall, half in _BOATS:
        up = (by - y) / tall
        sail = (up > 0) & (up < 1) & (np.abs(x - bx + 3) < half * (1 - up))
        lit = np.where((x > bx)[..., None], rgb("#fff3d8"), rgb("#f0b98a"))
        colour = np.where(sail[..., None], lit, colour)
        hull = (
            (np.abs(x - bx) < half * 1.25 - (y - by)) & (y >= by) & (y < by + tall / 9)
        )
        colour = np.where(hull[..., None], rgb("#7a2f3a"), colour)
        down = (y - by) / tall
        ripple = half * (0.9 - 0.6 * down) + 4 * np.sin(y / 2.4)
        image = (down > 0.11) & (down < 1) & (np.abs(x - bx) < ripple)
        weight = 0.75 * (1 - down)[..., None] * image[..., None]
        colour = colour + weight * (rgb("#fbe9d2") - colour)
    bank = _near_bank(x)
    lawn = ramp(["#e9dc7a", "#b9cf5a", "#7fae4c", "#4c8a4f"], (y - bank) / 110)
    edge = 0.5 * noise(x.shape, 26, rng)
    shadow = 1 - np.hypot((x - 440) / 150, (y - 352) / 30) + 0.3 * edge
    shadow = np.maximum(
        shadow, 1 - np.hypot((x - 60) / 190, (y - 424) / 30) + 0.3 * edge
    )
    weight = 0.8 * smoothstep(-0.1, 0.25, shadow)[..., None]
    lawn += weight * (ramp(["#2f6a6a", "#3a5a8a"], x / WIDTH) - lawn)
    colour = np.where((y > bank)[..., None], lawn, colour)
    return colour


def _tree(colour, x, y, rng):
    """A large tree on the right; its leaves hang over the river."""
    trunk = np.abs(x - 476 - 10 * np.sin(y / 60)) < 9 + 10 * smoothstep(300, 380, y)
    trunk &= (y > 110) & (y < 360)
    bark = np.where((x < 474)[..., None], rgb("#c98a6a"), rgb("#4a3566"))
    colour = np.where(trunk[..., None], bark, colour)
    leaves = np.full_like(x, -1.0)
    blobs = [
        (470, 60, 92, 66),
        (400, 96, 66, 40),
        (530, 120, 60, 60),
        (520, 20, 80, 50),
        (380, 40, 46, 34),
    ]
    for cx, cy, rx, ry in blobs:
        leaves = np.maximum(leaves, 1 - np.hypot((x - cx) / rx, (y - cy) / ry))
    leaves += 0.16 * noise(x.shape, 12, rng)
    light = 0.5 + 0.2 * noise(x.shape, 22, rng) + (y - 80) / 300 + (x - 450) / 500
    crown = ramp(["#f2e58a", "#b5cf58", "#6fa84e", "#3a7f62", "#2f5f72"], light)
    return np.where((leaves > 0.06)[..., None], crown, colour)


def _figures(colour, x, y):
    """Two walkers with parasols, and a dog."""
    for fx, foot, tall, dress, shade in [
        (330, 372, 92, "#a8324a", "#5a1f5a"), (292, 366, 86, "#3f4f9f", "#26255f")
    ]:  # fmt: skip
        up = (foot - y) / tall
        skirt = np.where(up < 0.55, 0.20 - 0.19 * up, 0.085 + 0.03 * np.sin(up * 9))
        body = (up > 0) & (up < 0.82) & (np.abs(x - fx) < skirt * tall)
        tone = np.where((x < fx)[..., None], rgb(dress), rgb(shade))
        colour = np.where(body[..., None], tone, colour)
        head = np.hypot(x - fx, y - foot + 0.89 * tall) < 0.075 * tall
        colour = np.where(head[..., None], rgb("#e9b08a"), colour)
        hat = np.hypot((x - fx) / 1.6, y - foot + 0.95 * tall) < 0.06 * tall
        colour = np.where(hat[..., None], rgb("#5a3a2a"), colour)
    px, py = 350, 284
    shade = (np.hypot((x - px) / 1.25, y - py) < 27) & (
        y < py + 4 * np.cos((x - px) / 5)
    )
    tone = ramp(["#fff0c0", "#f2a23a", "#c4472f"], (x - px + 30) / 64)
    colour = np.where(shade[..., None], tone, colour)
    stick = (np.abs(x - px + (y - py) * 0.25) < 1.4) & (y > py) & (y < py + 34)
    colour = np.where(stick[..., None], rgb("#5a3a2a"), colour)
    dog = (np.hypot((x - 238) / 1.9, y - 376) < 7.5) | (np.hypot(x - 225, y - 369) < 5)
    dog |= (np.abs(np.abs(x - 238) - 9) < 2) & (y > 376) & (y < 390)
    return np.where(dog[..., None], rgb("#3a2a2f"), colour)


def _split(colours, rng):
    """Divides each colour into the purer ones of which dots are made."""
    count = len(colours)
    grey = colours.mean(1, keepdims=True)
    pure = grey + 1.28 * (colours - grey)
    opposite = grey - 0.55 * (colours - grey)
    warm, cool = rgb("#ff9a3c"), rgb("#2f5fc4")
    pick = rng.random(count)[:, None]
    dots = np.where(pick < 0.66, pure, colours)
    dots = np.where(
        pick > 0.80, 0.65 * pure + 0.35 * np.where(grey > 0.5, warm, cool), dots
    )
    dots = np.where(pick > 0.90, 0.5 * pure + 0.5 * opposite + 0.04, dots)
    dots = np.where(pick > 0.96, 0.7 * pure + 0.3, dots)
    return np.clip(dots + 0.05 * rng.standard_normal((count, 1)), 0, 1)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    colour = _tree(_scene(x, y, rng), x, y, rng)
    colour = np.clip(_figures(colour, x, y), 0, 1)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#efe3cc"), scale=scale, rng=rng)
    dot = Brush(
        taper=(0.5, 0.5),
        point=0.05,
        ragged=0.0,
        dryness=0.0,
        fray=0.0,
        pickup=0.0,
        streak=0.06,
        body=1.0,
        ridge=0.6,
    )
    for spacing, size in [(7.0, 9.0), (4.6, 5.6), (4.0, 4.2)]:
        points = scatter(WIDTH, HEIGHT, spacing, rng, margin=spacing)
        row = np.clip(points[:, 1].astype(int), 0, HEIGHT - 1)
        column = np.clip(points[:, 0].astype(int), 0, WIDTH - 1)
        dots = _split(colour[row, column], rng)
        sizes = size * np.clip(1 + 0.16 * rng.standard_normal(len(points)), 0.6, 1.5)
        turns = rng.uniform(0, np.pi, len(points))
        for point, tone, d, a in zip(points, dots, sizes, turns, strict=True):
            arm = 0.5 * d * np.array([np.cos(a), np.sin(a)])
            canvas.stroke(np.stack([point - arm, point + arm]), d, tone, dot)
    return canvas.finish(relief=1.1, gloss=0.15)
