"""Dancers in pastel: long curved chalk strokes, pink and green on toned paper."""

import dataclasses

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import curve, grid, jittered, noise, ramp, rgb
from ..layers import Plan, lay

WIDTH, HEIGHT = 544, 432
# Joints of each dancer, the farthest first: head, neck, waist, two arms
# (shoulder, elbow, hand) and two legs (hip, knee, toe); then the tutu's reach,
# its tilt and the colours of its layers.
_DANCERS = [
    dict(
        head=(358, 104), neck=(356, 124), waist=(352, 184), size=0.9,
        arms=[[(342, 134), (310, 104), (342, 58)], [(370, 134), (404, 100), (372, 56)]],
        legs=[[(350, 206), (344, 276), (350, 352)], [(356, 206), (388, 266), (354, 296)]],
        tutu=(82, 0.0), codes=["#3f8f7a", "#8fd0a8", "#d8f0d0", "#fffbe6"],
    ),
    dict(
        head=(486, 176), neck=(474, 192), waist=(446, 246), size=1.0,
        arms=[[(462, 200), (480, 258), (508, 304)], [(478, 206), (506, 244), (512, 296)]],
        legs=[[(440, 268), (456, 336), (438, 402)], [(448, 268), (498, 322), (512, 392)]],
        tutu=(88, 0.5), codes=["#b85a3a", "#f09a5a", "#ffd08a", "#fff4c8"],
    ),
    dict(
        head=(196, 92), neck=(188, 114), waist=(170, 192), size=1.2,
        arms=[[(174, 130), (126, 138), (76, 108)], [(196, 128), (244, 106), (290, 66)]],
        legs=[[(158, 222), (88, 270), (14, 290)], [(170, 218), (182, 310), (190, 404)]],
        tutu=(122, -0.22), codes=["#c8406a", "#f07a9a", "#ffb8c8", "#fff2f0"],
    ),
]  # fmt: skip


# Widths of the limbs from shoulder to hand, from hip to toe, and of the trunk
# from the neck to the hips.
_ARM = [11, 10, 8.5, 8.5, 6.5, 5]
_LEG = [24, 21, 15, 14, 15, 10, 8, 5]
_TRUNK = [9, 25, 31, 28, 21, 19, 28]
_FLESH = ["#7a3f5a", "#b8706a", "#e8a888", "#fbd4b4", "#fff2dc"]
_TIGHTS = ["#8a4a6a", "#c8808a", "#eeb0a8", "#fcd8cc", "#fff6ee"]


class _Figure:
    """The forms of a body, seen as colours and directions.

    Attributes:
        colour, angle: as in `Plan`.
        mask: [H, W] bool, where the figure is.
        lines: contours to be drawn at the end.
    """

    def __init__(self) -> None:
        self.x, self.y = grid(WIDTH, HEIGHT)
        self.colour = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        self.angle = np.zeros((HEIGHT, WIDTH), np.float32)
        self.mask = np.zeros((HEIGHT, WIDTH), bool)
        self.lines: list[np.ndarray] = []

    def add(self, points, widths, codes) -> np.ndarray:
        """Adds a round form along a bowed line; returns its mask.

        The light comes from the upper left.
        """
        path = curve(points, 28)
        half = 0.5 * np.interp(
            np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), widths
        )
        ahead = np.gradient(path, axis=0)
        nearest = np.full(self.x.shape, np.inf, np.float32)
        lit, turn = np.zeros_like(nearest), np.zeros_like(nearest)
        for (px, py), h, (ax, ay) in zip(path, half, ahead, strict=True):
            ox, oy = (self.x - px) / h, (self.y - py) / h
            distance = np.hypot(ox, oy)
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            lit = np.where(closer, -0.75 * ox - 0.45 * oy, lit)
            turn = np.where(closer, np.arctan2(ay, ax), turn)
        form = nearest < 1
        tone = ramp(codes, 0.6 + 0.5 * lit)
        self.colour = np.where(form[..., None], tone, self.colour)
        self.angle = np.where(form, turn, self.angle)
        self.mask |= form
        side = ahead[:, ::-1] * (1, -1) / (np.hypot(*ahead.T)[:, None] + 1e-9)
        for sign in (-1, 1):
            self.lines.append(path + sign * half[:, None] * side)
        return form

    def paint(self, canvas, chalk) -> None:
        """Short strokes along the forms, then broken contours."""
        plan = Plan(self.colour, self.angle)
        firm = dataclasses.replace(chalk, tooth=0.35, fray=0.25, dryness=0.15)
        lay(
            canvas,
            plan,
            firm,
            spacing=3.2,
            length=20,
            width=5,
            lightness=3,
            hue=10,
            wander=0.05,
            stop=0.3,
            mask=self.mask,
        )
        lay(
            canvas,
            plan,
            chalk,
            spacing=3.6,
            length=14,
            width=2.6,
            lightness=6,
            hue=22,
            wander=0.1,
            stop=0.25,
            mask=self.mask,
        )
        rng = canvas.rng
        for line in self.lines:
            first = int(rng.integers(0, 5))
            last = len(line) - int(rng.integers(0, 5))
            canvas.stroke(line[first:last], 1.7, rgb("#3f1f36"), chalk)


def _tutu(canvas, chalk, waist, reach, tilt, codes):
    """Gauze: fans of bowed strokes from the waist, dark to light."""
    rng = canvas.rng
    for layer, code in enumerate(codes):
        count = (70, 90, 80, 46)[layer]
        for _ in range(count):
            a = rng.uniform(-1, 1)
            spread = 1.48 * a
            length = (
                reach * rng.uniform(0.72, 1.05) * (0.62 + 0.42 * abs(np.sin(spread)))
            )
            end = np.array([np.sin(spread), 0.52 * np.cos(spread) + 0.10])
            start = np.array([0.16 * a, 0.05])
            t = np.linspace(rng.uniform(0, 0.35), 1, 10)[:, None]
            path = start * reach + t * length * end
            path[:, 1] += (
                0.22
                * reach
                * np.sin(np.pi * 0.5 * t[:, 0])
                * abs(a)
                * 0.5
                * (t[:, 0] - 1.1)
            )
            path[:, 1] -= 0.10 * reach * np.sin(np.pi * t[:, 0])
            c, s = np.cos(tilt), np.sin(tilt)
            path = path @ np.array([[c, s], [-s, c]]) + waist
            tone = jittered(rgb(code)[None], rng, 5, 14)[0]
            if rng.random() < 0.12:
                tone = rgb(rng.choice(["#7fc8b8", "#9a7ac8", "#ffe89a"]))
            canvas.stroke(path, rng.uniform(2.4, 5.2) * reach / 100, tone, chalk)


def _dancer(canvas, chalk, who):
    size = who["size"]
    head, neck, waist = (np.array(who[k], float) for k in ("head", "neck", "waist"))
    down = (waist - neck) / np.hypot(*(waist - neck))
    across = np.array([-down[1], down[0]])
    widths = {
        k: size * np.array(v)
        for k, v in [("arm", _ARM), ("leg", _LEG), ("trunk", _TRUNK)]
    }

    legs = _Figure()
    for leg in who["legs"]:
        legs.add(leg, widths["leg"], _TIGHTS)
        shin = curve(leg, 28)
        legs.add(shin[-4:], size * np.array([8, 8, 6, 4]), who["codes"])
    legs.paint(canvas, chalk)
    reach, tilt = who["tutu"]
    _tutu(canvas, chalk, waist + 8 * size * down, reach, tilt, who["codes"])

    top = _Figure()
    top.add(who["arms"][0], widths["arm"], _FLESH)
    hips = waist + 14 * size * down
    trunk = top.add(
        [neck, (neck + waist) / 2 + 2 * across, hips], widths["trunk"], _FLESH
    )
    depth = (top.x - neck[0]) * down[0] + (top.y - neck[1]) * down[1]
    aside = (top.x - neck[0]) * across[0] + (top.y - neck[1]) * across[1]
    bodice = trunk & (depth > 22 * size - 0.012 * aside**2 / size)
    tone = ramp([_FLESH[0], *who["codes"]], 0.5 - 0.034 * aside / size)
    top.colour = np.where(bodice[..., None], tone, top.colour)
    top.add(
        [head, (head + neck) / 2, neck + 10 * down], size * np.array([9, 9, 13]), _FLESH
    )
    top.add(who["arms"][1], widths["arm"], _FLESH)
    _head(top, head, size, np.sign(who["arms"][1][2][0] - head[0]))
    top.paint(canvas, chalk)
    for k in range(-2, 3):
        spot = waist + 4 * k * size * across + 3 * size * down
        canvas.stroke(
            np.stack([spot - 5 * across, spot + 5 * across]),
            4 * size,
            rgb(("#7a2f5a", "#3f6f8a")[k % 2]),
            chalk,
        )


def _head(figure, head, size, facing):
    """A face turned aside, the hair drawn up into a bun."""
    x, y = (figure.x - head[0]) / size * facing, (figure.y - head[1]) / size
    skull = np.hypot(x / 10.5, (y + 1) / 13.5) < 1
    lit = 0.5 - 0.045 * (x * facing) - 0.03 * y
    figure.colour = np.where(skull[..., None], ramp(_FLESH, lit), figure.colour)
    figure.angle = np.where(skull, 1.4, figure.angle)
    hair = skull & ((y < -6 + 0.25 * x) | (x < -3.5 - 0.2 * y))
    hair |= np.hypot(x + 8, y + 13) < 7.5
    shine = 0.35 + 0.3 * np.sin(np.hypot(x + 8, y + 13) / 1.6)
    brown = ramp(["#24101c", "#4a2026", "#8a4a30", "#c88a50"], shine)
    figure.colour = np.where(hair[..., None], brown, figure.colour)
    figure.angle = np.where(hair, np.arctan2(y + 13, (x + 8) * facing), figure.angle)
    band = skull & (np.abs(y + 7 - 0.25 * x) < 1.8)
    figure.colour = np.where(band[..., None], rgb("#ff6a8a"), figure.colour)
    figure.mask |= skull | hair


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    stage = 268 + 14 * np.sin(x / 120 + 1)
    folds = 0.5 + 0.3 * np.sin(x / 15 + 1.5 * np.sin(x / 50) + y / 90)
    drape = ramp(
        ["#153f4a", "#1f6f6a", "#4f9f7a", "#a8c890"],
        folds + 0.16 * noise(x.shape, 40, rng),
    )
    glow = np.exp(-(((x - 250) / 130) ** 2) - (((y - 150) / 120) ** 2))[..., None]
    drape = drape + 0.35 * glow * (rgb("#f2d8a0") - drape)
    depth = np.clip((y - stage) / (HEIGHT - stage), 0, 1)
    floor = ramp(
        ["#a88a9a", "#d8a898", "#f0c8a8", "#c89aa8"],
        depth + 0.15 * noise(x.shape, 50, rng),
    )
    for who in _DANCERS:
        fx, fy = max((leg[2] for leg in who["legs"]), key=lambda toe: toe[1])
        cast = np.exp(-(((x - fx - 26) / 66) ** 2) - (((y - fy - 2) / 11) ** 2))
        floor = floor + 0.7 * cast[..., None] * (rgb("#5a4a7a") - floor)
    ground = y > stage
    colour = np.where(ground[..., None], floor, drape)
    angle = np.where(
        ground, -0.32 + 0.15 * np.sin(x / 80), 1.45 + 0.3 * np.sin(x / 60 + y / 70)
    )
    plan = Plan(np.clip(colour, 0, 1), angle)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#8a7468"), scale=scale, rng=rng, grain=1.2)
    chalk = Brush(
        bristle=0.8,
        streak=0.10,
        blend=0.5,
        dryness=0.3,
        fray=0.45,
        ragged=0.5,
        taper=(0.15, 0.3),
        point=0.4,
        soft=0.35,
        pickup=0.08,
        body=0.15,
        ridge=0.0,
        tooth=0.7,
    )
    wide = Brush(
        opacity=0.8,
        bristle=1.4,
        dryness=0.3,
        fray=0.5,
        soft=0.5,
        pickup=0.3,
        body=0.1,
        ridge=0,
        tooth=0.6,
    )
    lay(canvas, plan, wide, spacing=13, length=110, width=22, lightness=4, hue=10)
    lay(
        canvas,
        plan,
        chalk,
        spacing=8,
        length=100,
        width=5,
        lightness=7,
        hue=16,
        stop=0.35,
    )
    lay(
        canvas,
        plan,
        chalk,
        spacing=10,
        length=80,
        width=3,
        lightness=12,
        hue=24,
        stop=0.35,
    )
    for who in _DANCERS:
        _dancer(canvas, chalk, who)
    for _ in range(26):
        x0, y0 = rng.uniform(-20, WIDTH), rng.uniform(300, HEIGHT)
        t = np.linspace(0, 1, 10)
        path = np.stack([x0 + 110 * t, y0 - 34 * t + 8 * np.sin(3 * t)], 1)
        canvas.stroke(
            path, 2.6, ramp(["#ffe8c0", "#f7b8b8", "#b8d8b0"], rng.random()), chalk
        )
    return canvas.finish(relief=0.8, gloss=0.0, weave=0.35)
