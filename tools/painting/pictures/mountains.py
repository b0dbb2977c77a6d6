"""Mountains in mist: ink washes and long soft black strokes on warm paper."""

import numpy as np

from ..brushes import DAB, DRY_INK, INK, Brush
from ..canvas import Canvas
from ..forms import curve, ramp, segment
from ..sketch import Sketch

WIDTH, HEIGHT = 448, 576
_PAPER = "#efe3c8"
# Points on each range's ridge, its ink in [0, 1] and how far its washes hang
# down; then the mist before it: where, how high and how dense.
_RANGES = [
    (
        [(-20, 250), (70, 190), (140, 214), (220, 150), (300, 210), (380, 176),
         (470, 236)],
        0.34, 110, (300, 44, 0.45),
    ),
    (
        [(-20, 250), (40, 190), (96, 118), (128, 96), (160, 130), (206, 232),
         (260, 300), (330, 330), (470, 330)],
        0.62, 150, (372, 52, 0.5),
    ),
    (
        [(-20, 430), (120, 424), (210, 396), (290, 330), (340, 282), (388, 300),
         (430, 268), (470, 280)],
        0.8, 140, (446, 46, 0.62),
    ),
]  # fmt: skip
_CLIFF = [
    (-20, 462), (24, 448), (70, 454), (112, 474), (150, 482), (178, 508), (190, 540),
    (220, 580),
]  # fmt: skip
# Foot, height and lean of the pines on the cliff.
_PINES = [((66, 462), 150, 34), ((118, 482), 96, -10), ((22, 456), 84, -6)]
# Strokes of the boat, its roof and the boatman with his pole: path, width, ink.
_BOAT = [
    ([(286, 502), (304, 509), (330, 509), (352, 500)], 5.5, 1.0),
    ([(300, 503), (312, 494), (326, 494), (336, 503)], 3.2, 0.7),
    ([(340, 503), (342, 490)], 4.0, 0.9),
    ([(337, 486), (347, 487)], 4.5, 1.0),
    ([(346, 482), (362, 520)], 1.4, 0.9),
]
# Lines cut into the seal.
_SEAL = [
    [(397, 524), (411, 524)], [(404, 524), (404, 544)], [(397, 534), (411, 534)],
    [(397, 531), (397, 543), (411, 543), (411, 531)],
]  # fmt: skip
_WASH = INK.but(
    opacity=0.55, bristle=2.5, streak=0.2, dryness=0.2, fray=0.3, ragged=0.5,
    taper=(0, 0.2), point=0.8, soft=0.9, fade=1.0,
)  # fmt: skip
_WIDE = _WASH.but(opacity=0.5, bristle=3.0, dryness=0.4, fray=0.4, fade=0.6)
_WATER = Brush(streak=0, taper=(0.3, 0.4), point=0.1, soft=1.0)


def _ink(share):
    """Diluted ink, as a multiplier of what lies below; 1 is undiluted."""
    codes = ["#efe9dc", "#c9c4ba", "#8f8d8a", "#55565a", "#26272c", "#0d0d12"]
    return ramp(codes, share)


def _ridge(peaks, rng):
    """A rough line through the peaks, a point every two units."""
    xs = np.arange(-20, WIDTH + 21, 2.0)
    ys = np.interp(xs, *np.array(peaks, float).T)
    for k, size in enumerate((60, 28, 13, 6)):
        knots = rng.standard_normal(int(len(xs) * 2 / size) + 3)
        ys += 8.5 * np.interp(xs, np.arange(len(knots)) * size - 20, knots) / 1.7**k
    return np.stack([xs, ys], 1)


def _range(canvas, below, peaks, ink, depth):
    """One range: clean paper, washes that hang from the ridge, then creases."""
    rng = canvas.rng
    ridge = _ridge(peaks, rng)
    slope = np.gradient(ridge[:, 1], ridge[:, 0])
    slope = np.clip(np.convolve(slope, np.ones(15) / 15, mode="same"), -1.2, 1.2)
    canvas.mask_off(below(ridge))
    # What lies behind is lifted out with a wet brush, so that mist remains.
    lift = _WATER.but(opacity=0.85, taper=(0, 0.1), soft=0.8, fade=0.6)
    for at in ridge[::7]:
        canvas.stroke([at - (0, 20), at + (0, 1.5 * depth)], 40, _PAPER, lift)
    t = np.linspace(0, 1, 8)
    for reach, width, strength in [(1.0, 46, 0.45), (0.62, 30, 0.55), (0.3, 18, 0.75)]:
        for k in range(0, len(ridge), int(width / 6)):
            drift = 0.22 * slope[k] * depth * reach * t**1.3
            drift += 3 * rng.standard_normal() * t
            fall = depth * reach * rng.uniform(0.6, 1.15) * t - 6
            tone = _ink(ink * strength * rng.uniform(0.6, 1.2))
            path = ridge[k] + np.stack([drift, fall], 1)
            canvas.stroke(path, width * rng.uniform(0.7, 1.2), tone, _WASH)
    canvas.mask_off(None)
    dry = DRY_INK.but(taper=(0.1, 0.4), point=0.2, tooth=0.5, fade=0.3, dryness=0.75)
    k = 0
    while k < len(ridge) - 6:
        run = int(rng.integers(10, 34))
        if rng.random() < 0.85:
            tone = _ink(1.25 * ink)
            canvas.stroke(ridge[k : k + run], rng.uniform(2, 5.5), tone, dry)
        k += int(run * rng.uniform(0.7, 1.3))
    # Creases run down from the ridge, leaning away from the peaks.
    for _ in range(int(130 * ink)):
        k = int(rng.integers(4, len(ridge) - 4))
        reach = depth * rng.uniform(0.12, 0.6)
        lean = 0.55 * slope[k] * reach + 2 * rng.standard_normal()
        drop = rng.uniform(0, 0.3) * depth + reach * t
        path = ridge[k] + np.stack([lean * t + 2 * np.sin(6 * t + k), drop], 1)
        if (path[:, 1] > np.interp(path[:, 0], *ridge.T) - 1).all():
            tone = _ink(ink * rng.uniform(0.5, 1.0))
            canvas.stroke(path, rng.uniform(2.5, 8), tone, dry)


def _bands(canvas, brush, count, left, top, span, rise, widths, tone):
    """Long level strokes: pale sky, water, or mist."""
    rng = canvas.rng
    t = np.linspace(0, 1, 9)
    for _ in range(count):
        x, y = rng.uniform(*left), rng.uniform(*top)
        sway = y - rise * t + 0.2 * (rise + 20) * np.sin(3 * t + x)
        path = np.stack([x + rng.uniform(*span) * t, sway], 1)
        canvas.stroke(path, rng.uniform(*widths), tone(), brush)


def _pine(canvas, foot, tall, lean):
    """A pine: a dry trunk, then limbs with needles in short fans."""
    rng = canvas.rng
    t = np.linspace(0, 1, 9)
    trunk = np.stack([lean * t + 0.07 * tall * np.sin(5 * t), -tall * t], 1) + foot
    bark = DRY_INK.but(taper=(0.05, 0.5), point=0.25, dryness=0.45, ragged=0)
    canvas.stroke(trunk, tall * 0.075, _ink(0.85), bark)
    canvas.stroke(trunk[:6] + (1.5, 0), tall * 0.045, _ink(1), bark)
    for k, level in enumerate(np.linspace(0.38, 1.0, 7)):
        base = np.array([np.interp(level, t, trunk[:, 0]), foot[1] - tall * level])
        for side in (-1, 1):
            reach = tall * (0.44 - 0.30 * level) * rng.uniform(0.7, 1.25)
            if k % 3 == (1 if side > 0 else 2):
                reach *= 0.45
            droop = tall * (0.05 * np.sin(2.6 * t) - 0.02 * t)
            limb = base + np.stack([side * reach * t, droop], 1)
            canvas.stroke(limb, tall * 0.02, _ink(0.95), bark)
            for _ in range(int(10 + 0.55 * reach)):
                hub = limb[0] + (limb[-1] - limb[0]) * rng.uniform(0.25, 1.05)
                hub = hub + (0, rng.uniform(-0.045, 0.01) * tall)
                for a in rng.uniform(-2.7, -0.45, 4):
                    size = tall * rng.uniform(0.03, 0.06)
                    tip = hub + size * np.array([np.cos(a), 0.75 * np.sin(a)])
                    canvas.stroke([hub, tip], 1.5, _ink(rng.uniform(0.7, 1)), INK)


def _cliff(canvas, below):
    """The near cliff: broad split-brush strokes, its edge, then moss dots."""
    rng = canvas.rng
    split = DRY_INK.but(
        bristle=1.0, streak=0.5, dryness=0.8, fray=0.6, ragged=0.6, point=0.6,
        taper=(0.05, 0.3), tooth=0.4,
    )  # fmt: skip
    edge = np.array(_CLIFF, float)
    edge = np.stack([np.interp(np.linspace(0, 7, 400), range(8), c) for c in edge.T], 1)
    canvas.mask_off(below(edge))
    t = np.linspace(0, 1, 8)
    for k in range(90):
        fall = np.stack(
            [5 * np.sin(5 * t + k) - 20 * t**2, rng.uniform(30, 120) * t], 1
        )
        tone = _ink(rng.uniform(0.15, 0.62))
        path = edge[rng.integers(len(edge))] - (0, 3) + fall
        canvas.stroke(path, rng.uniform(8, 26), tone, split)
    canvas.mask_off(None)
    for k in range(0, 400, 57):
        path = edge[k : k + 60 : 10]
        canvas.stroke(path + rng.normal(0, 1, path.shape), 5, _ink(1), split)
    moss = DAB.but(stain=True, soft=0.3)
    for _ in range(150):
        spot = edge[rng.integers(len(edge))] + (rng.normal(0, 5), rng.uniform(-2, 12))
        size = rng.uniform(2, 5)
        path = segment(spot, -0.45, 0.7 * size)
        canvas.stroke(path, size, _ink(rng.uniform(0.7, 1)), moss)


def _small_things(canvas):
    """The boat and its ripples, birds, and the red seal."""
    rng = canvas.rng
    line = DRY_INK.but(dryness=0.4, fray=0.2, streak=0.2, taper=(0.3, 0.5), ragged=0)
    for points, width, ink in _BOAT:
        canvas.stroke(points, width, _ink(ink), line)
    t = np.linspace(-1, 1, 7)
    for k in range(9):
        x, y = rng.normal(318, 26), 518 + 6 * k + rng.uniform(-2, 2)
        path = np.stack([x + (18 + 4 * k) * t, y + 1.4 * np.sin(5 * t + k)], 1)
        canvas.stroke(path, 1.8, _ink(0.32), line)
    for x, y, size in [(196, 62, 9), (222, 50, 8), (240, 70, 7), (212, 84, 6)]:
        for side in (-1, 1):
            wing = [(0, 0), (side * 0.5, -0.52), (side * 1.0, -0.33)]
            canvas.stroke(curve(wing) * size + (x, y), 1.8, _ink(0.85), line)
    stamp = Brush(streak=0.08, dryness=0.2, fray=0.15, ragged=0.05, tooth=0.35)
    canvas.stroke([(404, 520), (404, 548)], 25, "#b3261e", stamp)
    for points in _SEAL:
        canvas.stroke(points, 2, _PAPER, Brush(streak=0, ragged=0.1))


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)

    def below(line):
        return s.y > np.interp(s.x, *line.T)

    canvas = Canvas(WIDTH, HEIGHT, _PAPER, scale=scale, rng=rng, grain=1.1)
    _bands(canvas, _WIDE, 26, (-160, 330), (0, 200), (330, 330), 36, (24, 60),
           lambda: _ink(rng.uniform(0.03, 0.11)))  # fmt: skip
    _bands(canvas, _WIDE, 16, (100, 390), (500, HEIGHT), (240, 240), 0, (8, 22),
           lambda: _ink(rng.uniform(0.08, 0.26)))  # fmt: skip
    sun = DAB.but(stain=True, opacity=0.55, fray=0.05)
    canvas.stroke([(296, 92), (348, 92)], 52, "#e0593a", sun)
    for peaks, ink, depth, (y, high, dense) in _RANGES:
        _range(canvas, below, peaks, ink, depth)
        _bands(canvas, _WATER.but(opacity=dense), 16, (-120, 390),
               (y - 0.6 * high, y + 0.6 * high), (160, 360), 0,
               (0.5 * high, 1.1 * high), lambda: "#efe6d2")  # fmt: skip
    _cliff(canvas, below)
    for foot, tall, lean in _PINES:
        _pine(canvas, foot, tall, lean)
    _small_things(canvas)
    return canvas.finish(relief=0.5, gloss=0.0, weave=0.35)
