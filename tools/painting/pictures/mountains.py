"""Mountains in mist: ink washes and long soft black strokes on warm paper."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, ramp, rgb

WIDTH, HEIGHT = 448, 576
_PAPER = "#efe3c8"
_INK = ("#efe9dc", "#c9c4ba", "#8f8d8a", "#55565a", "#26272c", "#0d0d12")


def _tone(share):
    """Diluted ink as a multiplier of what lies below; 1 is undiluted."""
    return ramp(list(_INK), np.asarray(float(share)))


def _ridge(peaks, roughness, rng):
    """Heights over x of a mountain line through the given (x, y) points."""
    xs = np.arange(-20, WIDTH + 21, 2.0)
    px, py = np.array(peaks, float).T
    line = np.interp(xs, px, py)
    rough = np.zeros_like(xs)
    for k, size in enumerate((60, 28, 13, 6)):
        knots = rng.standard_normal(int(len(xs) * 2 / size) + 3)
        rough += np.interp(xs, np.arange(len(knots)) * size - 20, knots) / 1.7**k
    return np.stack([xs, line + roughness * rough], 1)


def _mountain(canvas, peaks, *, ink, depth, roughness):
    """One range: clean paper, washes that hang from the ridge, then creases."""
    rng = canvas.rng
    ridge = _ridge(peaks, roughness, rng)
    slope = np.gradient(ridge[:, 1], ridge[:, 0])
    slope = np.convolve(slope, np.ones(15) / 15, mode="same")
    x, y = grid(WIDTH, HEIGHT)
    canvas.mask_off(y > np.interp(x, *ridge.T))
    # What lies behind is lifted out with a wet brush, so that mist remains.
    water = Brush(
        opacity=0.85,
        taper=(0, 0.1),
        point=1,
        ragged=0,
        dryness=0,
        fray=0,
        soft=0.8,
        pickup=0,
        streak=0,
        body=0,
        ridge=0,
        fade=0.6,
    )
    for k in range(0, len(ridge), 7):
        at = ridge[k]
        canvas.stroke(
            np.stack([at - (0, 20), at + (0, 1.5 * depth)]), 40, rgb(_PAPER), water
        )
    wash = Brush(
        stain=True,
        opacity=0.55,
        taper=(0, 0.2),
        point=0.8,
        ragged=0.5,
        dryness=0.2,
        fray=0.3,
        soft=0.9,
        pickup=0,
        streak=0.2,
        bristle=2.5,
        body=0,
        ridge=0,
        fade=1.0,
    )
    for reach, width, strength in [(1.0, 46, 0.45), (0.62, 30, 0.55), (0.3, 18, 0.75)]:
        for k in range(0, len(ridge), max(2, int(width / 6))):
            at = ridge[k] - (0, 6)
            t = np.linspace(0, 1, 8)
            drift = np.clip(slope[k], -1.3, 1.3) * 0.22 * depth * reach * t**1.3
            sway = 3 * rng.standard_normal() * t
            length = depth * reach * rng.uniform(0.6, 1.15)
            path = np.stack([at[0] + drift + sway, at[1] + length * t], 1)
            tone = _tone(ink * strength * rng.uniform(0.6, 1.2))
            canvas.stroke(path, width * rng.uniform(0.7, 1.2), tone, wash)
    canvas.mask_off(None)
    dry = Brush(
        stain=True,
        opacity=0.9,
        taper=(0.1, 0.4),
        point=0.2,
        ragged=0.3,
        dryness=0.75,
        fray=0.5,
        soft=0.3,
        pickup=0,
        streak=0.3,
        bristle=0.7,
        body=0,
        ridge=0,
        tooth=0.5,
        fade=0.3,
    )
    at = 0
    while at < len(ridge) - 6:
        run = int(rng.integers(10, 34))
        part = ridge[at : at + run]
        if len(part) > 3 and rng.random() < 0.85:
            tone = _tone(min(1, ink * 1.25))
            canvas.stroke(part, rng.uniform(2, 5.5), tone, dry)
        at += int(run * rng.uniform(0.7, 1.3))
    # Creases run down from the ridge, leaning away from the peaks.
    for _ in range(int(130 * ink)):
        k = int(rng.integers(4, len(ridge) - 4))
        t = np.linspace(0, 1, 8)
        reach = depth * rng.uniform(0.12, 0.6)
        lean = np.clip(slope[k], -1.2, 1.2) * 0.55 * reach + 2 * rng.standard_normal()
        px = ridge[k, 0] + lean * t + 2 * np.sin(6 * t + k)
        path = np.stack([px, ridge[k, 1] + rng.uniform(0, 0.3) * depth + reach * t], 1)
        inside = path[:, 1] > np.interp(path[:, 0], *ridge.T) - 1
        if inside.all():
            tone = _tone(ink * rng.uniform(0.5, 1.0))
            canvas.stroke(path, rng.uniform(2.5, 8), tone, dry)


def _sky(canvas):
    """Pale slanting washes with a wide, half dry brush."""
    rng = canvas.rng
    wide = Brush(
        stain=True,
        opacity=0.5,
        taper=(0.05, 0.2),
        point=0.7,
        ragged=0.5,
        dryness=0.4,
        fray=0.4,
        soft=0.9,
        pickup=0,
        streak=0.25,
        bristle=3.0,
        body=0,
        ridge=0,
        fade=0.6,
    )
    for _ in range(26):
        x0, y0 = rng.uniform(-160, WIDTH - 120), rng.uniform(0, 200)
        t = np.linspace(0, 1, 9)
        path = np.stack([x0 + 330 * t, y0 - 36 * t + 10 * np.sin(3 * t + x0)], 1)
        canvas.stroke(path, rng.uniform(24, 60), _tone(rng.uniform(0.03, 0.11)), wide)
    for _ in range(16):
        x0, y0 = rng.uniform(100, WIDTH - 60), rng.uniform(500, HEIGHT)
        t = np.linspace(0, 1, 9)
        path = np.stack([x0 + 240 * t, y0 + 4 * np.sin(3 * t + x0)], 1)
        canvas.stroke(path, rng.uniform(8, 22), _tone(rng.uniform(0.08, 0.26)), wide)


def _mist(canvas, y, thick, strength):
    """Lifts the ink out again with a clean wet brush."""
    rng = canvas.rng
    water = Brush(
        opacity=strength,
        taper=(0.3, 0.4),
        point=0.1,
        ragged=0,
        dryness=0,
        fray=0,
        soft=1.0,
        pickup=0,
        streak=0,
        body=0,
        ridge=0,
    )
    for _ in range(16):
        x0, span = rng.uniform(-120, WIDTH - 60), rng.uniform(160, 360)
        yy = y + thick * 0.35 * rng.standard_normal()
        t = np.linspace(0, 1, 9)
        path = np.stack([x0 + span * t, yy + 6 * np.sin(4 * t + x0)], 1)
        canvas.stroke(path, thick * rng.uniform(0.5, 1.1), rgb("#efe6d2"), water)


def _pine(canvas, foot, tall, lean):
    """A pine: a dry trunk in three strokes, needles in short fans."""
    rng = canvas.rng
    dry = Brush(
        stain=True,
        taper=(0.05, 0.5),
        point=0.25,
        dryness=0.45,
        fray=0.4,
        soft=0.2,
        pickup=0,
        streak=0.4,
        bristle=0.7,
        body=0,
        ridge=0,
    )
    wet = Brush(
        stain=True,
        opacity=0.85,
        taper=(0.2, 0.6),
        point=0.1,
        dryness=0.1,
        fray=0.1,
        soft=0.3,
        pickup=0,
        streak=0.1,
        body=0,
        ridge=0,
    )
    t = np.linspace(0, 1, 9)
    fx, fy = foot
    trunk = np.stack([fx + lean * t + 0.07 * tall * np.sin(5 * t), fy - tall * t], 1)
    canvas.stroke(trunk, tall * 0.075, _tone(0.85), dry)
    canvas.stroke(trunk[:6] + (1.5, 0), tall * 0.045, _tone(1), dry)
    for k, level in enumerate(np.linspace(0.38, 1.0, 7)):
        base = np.array([np.interp(level, t, trunk[:, 0]), fy - tall * level])
        for side in (-1, 1):
            reach = tall * (0.44 - 0.30 * level) * rng.uniform(0.7, 1.25)
            if k % 3 == (1 if side > 0 else 2):
                reach *= 0.45
            droop = tall * 0.05
            u = np.linspace(0, 1, 6)
            limb = np.stack(
                [
                    base[0] + side * reach * u,
                    base[1] + droop * np.sin(2.6 * u) - 0.02 * tall * u,
                ],
                1,
            )
            canvas.stroke(limb, tall * 0.02, _tone(0.95), dry)
            for _ in range(int(10 + reach * 0.55)):
                q = rng.uniform(0.25, 1.05)
                hub = (
                    limb[0]
                    + (limb[-1] - limb[0]) * q
                    + (0, rng.uniform(-0.045, 0.01) * tall)
                )
                for a in rng.uniform(-2.7, -0.45, 4):
                    needle = tall * rng.uniform(0.03, 0.06)
                    tip = hub + needle * np.array([np.cos(a), 0.75 * np.sin(a)])
                    canvas.stroke(
                        np.stack([hub, tip]), 1.5, _tone(rng.uniform(0.7, 1)), wet
                    )


def _rock(canvas, outline, rng):
    """The near cliff: broad split-brush strokes, then moss dots."""
    split = Brush(
        stain=True,
        opacity=0.9,
        taper=(0.05, 0.3),
        point=0.6,
        ragged=0.6,
        dryness=0.8,
        fray=0.6,
        soft=0.15,
        pickup=0,
        streak=0.5,
        bristle=1.0,
        body=0,
        ridge=0,
        tooth=0.4,
    )
    outline = np.array(outline, float)
    x, y = grid(WIDTH, HEIGHT)
    canvas.mask_off(y > np.interp(x, *outline.T))
    for k in range(90):
        at = rng.uniform(0, len(outline) - 1.001)
        i = int(at)
        edge = outline[i] + (at - i) * (outline[i + 1] - outline[i])
        t = np.linspace(0, 1, 8)
        reach = rng.uniform(30, 120)
        px = edge[0] - 20 * t**2 + 5 * np.sin(5 * t + k)
        path = np.stack([px, edge[1] - 3 + reach * t], 1)
        canvas.stroke(path, rng.uniform(8, 26), _tone(rng.uniform(0.15, 0.62)), split)
    canvas.mask_off(None)
    for i in range(len(outline) - 1):
        path = outline[i] + np.linspace(0, 1, 6)[:, None] * (
            outline[i + 1] - outline[i]
        )
        canvas.stroke(path + rng.normal(0, 1, path.shape), 5, _tone(1), split)
    dab = Brush(
        stain=True,
        taper=(0.5, 0.5),
        point=0.1,
        dryness=0,
        fray=0,
        ragged=0,
        pickup=0,
        soft=0.3,
        streak=0,
        body=0,
        ridge=0,
    )
    for _ in range(150):
        at = rng.uniform(0, len(outline) - 1.001)
        i = int(at)
        p = outline[i] + (at - i) * (outline[i + 1] - outline[i])
        p = p + (rng.normal(0, 5), abs(rng.normal(0, 9)) - 2)
        d = rng.uniform(2, 5)
        canvas.stroke(
            np.stack([p, p + (d * 0.6, -d * 0.3)]), d, _tone(rng.uniform(0.7, 1)), dab
        )


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    canvas = Canvas(WIDTH, HEIGHT, rgb(_PAPER), scale=scale, rng=rng, grain=1.1)
    _sky(canvas)
    sun = Brush(
        stain=True,
        opacity=0.55,
        taper=(0.5, 0.5),
        point=0.05,
        dryness=0,
        fray=0.05,
        soft=0.06,
        ragged=0,
        pickup=0,
        streak=0.05,
        body=0,
        ridge=0,
    )
    canvas.stroke(np.array([(296, 92), (348, 92)]), 52, rgb("#e0593a"), sun)
    _mountain(
        canvas,
        [
            (-20, 250),
            (70, 190),
            (140, 214),
            (220, 150),
            (300, 210),
            (380, 176),
            (470, 236),
        ],
        ink=0.34,
        depth=110,
        roughness=7,
    )
    _mist(canvas, 300, 44, 0.45)
    _mountain(
        canvas,
        [
            (-20, 250),
            (40, 190),
            (96, 118),
            (128, 96),
            (160, 130),
            (206, 232),
            (260, 300),
            (330, 330),
            (470, 330),
        ],
        ink=0.62,
        depth=150,
        roughness=9,
    )
    _mist(canvas, 372, 52, 0.5)
    _mountain(
        canvas,
        [
            (-20, 430),
            (120, 424),
            (210, 396),
            (290, 330),
            (340, 282),
            (388, 300),
            (430, 268),
            (470, 280),
        ],
        ink=0.8,
        depth=140,
        roughness=9,
    )
    _mist(canvas, 446, 46, 0.62)
    _rock(
        canvas,
        [
            (-20, 462),
            (24, 448),
            (70, 454),
            (112, 474),
            (150, 482),
            (178, 508),
            (190, 540),
            (220, 580),
        ],
        rng,
    )
    _pine(canvas, (66, 462), 150, 34)
    _pine(canvas, (118, 482), 96, -10)
    _pine(canvas, (22, 456), 84, -6)
    line = Brush(
        stain=True,
        taper=(0.3, 0.5),
        point=0.1,
        dryness=0.4,
        fray=0.2,
        soft=0.2,
        pickup=0,
        streak=0.2,
        bristle=0.6,
        body=0,
        ridge=0,
    )
    boat = [
        ([(286, 502), (304, 509), (330, 509), (352, 500)], 5.5, 1.0),
        ([(300, 503), (312, 494), (326, 494), (336, 503)], 3.2, 0.7),
        ([(340, 503), (342, 490)], 4.0, 0.9),
        ([(337, 486), (347, 487)], 4.5, 1.0),
        ([(346, 482), (362, 520)], 1.4, 0.9),
    ]
    for points, width, ink in boat:
        canvas.stroke(np.array(points, float), width, _tone(ink), line)
    for k in range(9):
        yy = 518 + 6 * k + rng.uniform(-2, 2)
        x0 = 318 + 26 * rng.standard_normal()
        t = np.linspace(-1, 1, 7)
        path = np.stack([x0 + (18 + 4 * k) * t, yy + 1.4 * np.sin(5 * t + k)], 1)
        canvas.stroke(path, 1.8, _tone(0.32), line)
    for bx, by, size in [(196, 62, 9), (222, 50, 8), (240, 70, 7), (212, 84, 6)]:
        for side in (-1, 1):
            t = np.linspace(0, 1, 6)
            wing = np.stack(
                [bx + side * size * t, by - size * 0.55 * np.sin(2.5 * t)], 1
            )
            canvas.stroke(wing, 1.8, _tone(0.85), line)
    seal = Brush(
        taper=(0, 0),
        point=1,
        dryness=0.2,
        fray=0.15,
        ragged=0.05,
        soft=0.03,
        pickup=0,
        streak=0.08,
        body=0,
        ridge=0,
        tooth=0.35,
    )
    canvas.stroke(np.array([(404, 520), (404, 548)]), 25, rgb("#b3261e"), seal)
    carve = Brush(
        taper=(0, 0),
        point=1,
        dryness=0.1,
        fray=0,
        ragged=0.1,
        pickup=0,
        streak=0,
        body=0,
        ridge=0,
    )
    for points in (
        [(397, 524), (411, 524)],
        [(404, 524), (404, 544)],
        [(397, 531), (397, 543), (411, 543), (411, 531)],
        [(397, 534), (411, 534)],
    ):
        canvas.stroke(np.array(points, float), 2, rgb("#efe3c8"), carve)
    return canvas.finish(relief=0.5, gloss=0.0, weave=0.35)
