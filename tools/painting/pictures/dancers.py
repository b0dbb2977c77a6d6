"""Dancers in pastel: long curved chalk strokes, pink and green on toned paper."""

import dataclasses

import numpy as np

from ..brushes import CHALK
from ..canvas import Canvas
from ..forms import bump, curve, jittered, mix, noise, ramp, rgb, segment
from ..layers import lay
from ..sketch import Sketch

WIDTH, HEIGHT = 544, 432


@dataclasses.dataclass(frozen=True)
class _Dancer:
    """A pose: points (x, y); limbs are (shoulder, elbow, hand), (hip, knee, toe).

    `gauze` has the tutu's colours from its shadow to its light, `reach` its
    radius and `tilt` its slope.
    """

    head: tuple
    neck: tuple
    waist: tuple
    arms: list
    legs: list
    size: float
    reach: float
    tilt: float
    gauze: list


# The farthest first.
_DANCERS = [
    _Dancer(
        head=(358, 104), neck=(356, 124), waist=(352, 184), size=0.9, reach=82, tilt=0,
        arms=[[(342, 134), (310, 104), (342, 58)], [(370, 134), (404, 100), (372, 56)]],
        legs=[[(350, 206), (344, 276), (350, 352)],
              [(356, 206), (388, 266), (354, 296)]],
        gauze=["#3f8f7a", "#8fd0a8", "#d8f0d0", "#fffbe6"],
    ),
    _Dancer(
        head=(486, 176), neck=(474, 192), waist=(446, 246), size=1, reach=88, tilt=0.5,
        arms=[[(462, 200), (480, 258), (508, 304)],
              [(478, 206), (506, 244), (512, 296)]],
        legs=[[(440, 268), (456, 336), (438, 402)],
              [(448, 268), (498, 322), (512, 392)]],
        gauze=["#b85a3a", "#f09a5a", "#ffd08a", "#fff4c8"],
    ),
    _Dancer(
        head=(196, 92), neck=(188, 114), waist=(170, 192), size=1.2, reach=122,
        tilt=-0.22,
        arms=[[(174, 130), (126, 138), (76, 108)], [(196, 128), (244, 106), (290, 66)]],
        legs=[[(158, 222), (88, 270), (14, 290)], [(170, 218), (182, 310), (190, 404)]],
        gauze=["#c8406a", "#f07a9a", "#ffb8c8", "#fff2f0"],
    ),
]  # fmt: skip
# Widths of the limbs from shoulder to hand, from hip to toe, and of the trunk
# from the neck to the hips.
_ARM = np.array([11, 10, 8.5, 8.5, 6.5, 5])
_LEG = np.array([24, 21, 15, 14, 15, 10, 8, 5])
_TRUNK = np.array([9, 25, 31, 28, 21, 19, 28])
_FLESH = ["#7a3f5a", "#b8706a", "#e8a888", "#fbd4b4", "#fff2dc"]
_TIGHTS = ["#8a4a6a", "#c8808a", "#eeb0a8", "#fcd8cc", "#fff6ee"]
_HAIR = ["#24101c", "#4a2026", "#8a4a30", "#c88a50"]


def _render(canvas, s, contours):
    """Short strokes along the forms of a figure, then broken contours."""
    plan, mask = s.plan(), s.part > 0
    firm = CHALK.but(tooth=0.35, fray=0.25, dryness=0.15)
    lay(
        canvas, plan, firm, (3.2, 20, 5), vary=(3, 10), wander=0.05, stop=0.3, mask=mask
    )
    lay(canvas, plan, CHALK, (3.6, 14, 2.6), vary=(6, 22), stop=0.25, mask=mask)
    for points, widths in contours:
        path = curve(points, 28)
        ahead = np.gradient(path, axis=0)
        side = ahead[:, ::-1] * (0.5, -0.5) / (np.hypot(*ahead.T)[:, None] + 1e-9)
        places = np.linspace(0, len(widths) - 1, len(path))
        side *= np.interp(places, np.arange(len(widths)), widths)[:, None]
        for line in (path - side, path + side):
            first, last = canvas.rng.integers(0, 5, 2)
            canvas.stroke(line[first : len(line) - last], 1.7, "#3f1f36", CHALK)


def _tutu(canvas, waist, dancer):
    """Gauze: fans of bowed strokes from the waist, dark to light."""
    rng = canvas.rng
    c, d = np.cos(dancer.tilt), np.sin(dancer.tilt)
    for count, code in zip((70, 90, 80, 46), dancer.gauze, strict=True):
        for _ in range(count):
            place = rng.uniform(-1, 1)
            a = 1.48 * place
            end = np.array([np.sin(a), 0.52 * np.cos(a) + 0.10])
            end *= rng.uniform(0.72, 1.05) * (0.62 + 0.42 * abs(np.sin(a)))
            t = np.linspace(rng.uniform(0, 0.35), 1, 10)
            path = np.array([0.16 * place, 0.05]) + t[:, None] * end
            # Gauze stands off at the waist and drops at the hem.
            path[:, 1] -= 0.10 * np.sin(np.pi * t)
            path[:, 1] += 0.11 * abs(place) * np.sin(0.5 * np.pi * t) * (t - 1.1)
            path = dancer.reach * path @ np.array([[c, d], [-d, c]]) + waist
            tone = jittered(rgb(code)[None], rng, 5, 14)[0]
            if rng.random() < 0.12:
                tone = rng.choice(["#7fc8b8", "#9a7ac8", "#ffe89a"])
            canvas.stroke(path, rng.uniform(2.4, 5.2) * dancer.reach / 100, tone, CHALK)


def _head(s, head, size, facing):
    """A face turned aside, the hair drawn up into a bun."""
    x, y = (s.x - head[0]) / size * facing, (s.y - head[1]) / size
    skull = np.hypot(x / 10.5, (y + 1) / 13.5) < 1
    s.put(skull, ramp(_FLESH, 0.6 - 0.045 * x * facing - 0.03 * y), 1.4)
    bun = np.hypot(x + 8, y + 13)
    hair = (bun < 7.5) | skull & ((y < -6 + 0.25 * x) | (x < -3.5 - 0.2 * y))
    shine = 0.35 + 0.3 * np.sin(bun / 1.6)
    s.put(hair, ramp(_HAIR, shine), np.arctan2(y + 13, (x + 8) * facing))
    s.put(skull & (np.abs(y + 7 - 0.25 * x) < 1.8), "#ff6a8a")


def _figure(canvas, dancer):
    size = dancer.size
    head, neck, waist = map(np.array, (dancer.head, dancer.neck, dancer.waist))
    down = (waist - neck) / np.hypot(*(waist - neck))
    across = np.array([-down[1], down[0]])

    s = Sketch(WIDTH, HEIGHT)
    for leg in dancer.legs:
        s.limb(leg, size * _LEG, _TIGHTS)
        s.limb(curve(leg, 28)[-4:], size * np.array([8, 8, 6, 4]), dancer.gauze)
    _render(canvas, s, [(leg, size * _LEG) for leg in dancer.legs])
    _tutu(canvas, waist + 8 * size * down, dancer)

    s = Sketch(WIDTH, HEIGHT)
    s.limb(dancer.arms[0], size * _ARM, _FLESH)
    spine = [neck, (neck + waist) / 2 + 2 * across, waist + 14 * size * down]
    trunk = s.limb(spine, size * _TRUNK, _FLESH)
    depth = (s.x - neck[0]) * down[0] + (s.y - neck[1]) * down[1]
    aside = ((s.x - neck[0]) * across[0] + (s.y - neck[1]) * across[1]) / size
    bodice = trunk & (depth > size * (22 - 0.012 * aside**2))
    s.put(bodice, ramp([_FLESH[0], *dancer.gauze], 0.5 - 0.034 * aside))
    throat = [head, (head + neck) / 2, neck + 10 * down]
    s.limb(throat, size * np.array([9, 9, 13]), _FLESH)
    s.limb(dancer.arms[1], size * _ARM, _FLESH)
    _head(s, head, size, np.sign(dancer.arms[1][2][0] - head[0]))
    contours = [(arm, size * _ARM) for arm in dancer.arms]
    _render(canvas, s, [*contours, (spine, size * _TRUNK)])
    for k in range(-2, 3):
        spot = waist + size * (4 * k * across + 3 * down)
        path = [spot - 5 * across, spot + 5 * across]
        canvas.stroke(path, 4 * size, ("#7a2f5a", "#3f6f8a")[k % 2], CHALK)


def _stage(rng):
    """A green curtain in folds, and a floor with the dancers' shadows."""
    s = Sketch(WIDTH, HEIGHT)
    x, y = s.x, s.y
    edge = 268 + 14 * np.sin(x / 120 + 1)
    folds = 0.5 + 0.3 * np.sin(x / 15 + 1.5 * np.sin(x / 50) + y / 90)
    folds += 0.16 * noise(x.shape, 40, rng)
    drape = ramp(["#153f4a", "#1f6f6a", "#4f9f7a", "#a8c890"], folds)
    drape = mix(drape, "#f2d8a0", 0.35 * bump(s.away(250, 150, 130, 120)))
    s.put(y <= edge, drape, 1.45 + 0.3 * np.sin(x / 60 + y / 70))
    depth = np.clip((y - edge) / (HEIGHT - edge), 0, 1)
    depth += 0.15 * noise(x.shape, 50, rng)
    floor = ramp(["#a88a9a", "#d8a898", "#f0c8a8", "#c89aa8"], depth)
    for dancer in _DANCERS:
        toe = max((leg[2] for leg in dancer.legs), key=lambda point: point[1])
        cast = bump(s.away(toe[0] + 26, toe[1] + 2, 66, 11))
        floor = mix(floor, "#5a4a7a", 0.7 * cast)
    s.put(y > edge, floor, -0.32 + 0.15 * np.sin(x / 80))
    return s.plan()


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    plan = _stage(rng)
    canvas = Canvas(WIDTH, HEIGHT, "#8a7468", scale=scale, rng=rng, grain=1.2)
    flat_of_the_stick = CHALK.but(opacity=0.8, bristle=1.4, soft=0.5, pickup=0.3)
    lay(canvas, plan, flat_of_the_stick, (13, 110, 22), vary=(4, 10))
    lay(canvas, plan, CHALK, (8, 100, 5), vary=(7, 16), stop=0.35)
    lay(canvas, plan, CHALK, (10, 80, 3), vary=(12, 24), stop=0.35)
    for dancer in _DANCERS:
        _figure(canvas, dancer)
    for _ in range(26):
        middle = rng.uniform((30, 290), (WIDTH + 50, HEIGHT - 10))
        path = segment(middle, -0.3, 115, 10)
        path[:, 1] += 8 * np.sin(np.linspace(0, 3, 10))
        code = rng.choice(["#ffe8c0", "#f7b8b8", "#b8d8b0"])
        canvas.stroke(path, 2.6, code, CHALK)
    return canvas.finish(relief=0.8, gloss=0.0, weave=0.35)
