"""A woman's head in wax crayon: crossing hatches of bright colour on black."""

import numpy as np

from ..brushes import CHALK
from ..canvas import Canvas
from ..forms import bump, curve, mix, noise, ramp, smoothstep
from ..layers import lay
from ..sketch import Plan, Sketch

WIDTH, HEIGHT = 432, 544
_WAX = CHALK.but(
    bristle=0.9, streak=0.12, blend=0.3, dryness=0.25, fray=0.5, ragged=0.6,
    taper=(0.1, 0.2), point=0.5, soft=0.3, pickup=0.05, body=0.5, ridge=0.3, tooth=0.75,
)  # fmt: skip
_INK = "#0d0b14"
# Lines drawn at the end: points, width and colour.
_LINES = [
    ([(136, 322), (152, 350), (186, 386), (222, 402), (258, 386), (292, 350),
      (308, 322)], 5, _INK),
    ([(212, 208), (216, 250), (206, 300), (204, 316), (214, 324), (228, 322),
      (244, 318)], 4, _INK),
    ([(184, 362), (208, 358), (224, 364), (242, 358), (264, 362)], 3, _INK),
]  # fmt: skip


def _ground_and_hair(s):
    x, y = s.x, s.y
    right = x > 232 + 20 * np.sin(y / 90)
    s.put(~right, ramp(["#e8642a", "#d8322f", "#8f1f5a"], y / HEIGHT), 0.8)
    s.put(right, ramp(["#1f7a8c", "#1f5aa0", "#5a3a9c"], y / HEIGHT), -0.9)
    hair = s.away(222, 224, 142, 176) < 1
    hair |= (np.abs(x - 222) < 146 - 18 * np.sin(y / 60)) & (y > 220) & (y < 424)
    sheen = 0.55 + 0.3 * np.sin(np.hypot(x - 222, 0.9 * (y - 250)) / 11)
    locks = np.arctan2(x - 222, 250 - y)
    s.put(hair, ramp(["#1a1f5a", "#3a2f9c", "#2f7ac0"], sheen), locks)
    flower, around = s.away(316, 120), np.arctan2(y - 120, x - 316)
    petals = flower < 38 + 9 * np.cos(6 * around)
    s.put(petals, ramp(["#ffb0c8", "#ff5a8a", "#d81f5a"], flower / 46), around)
    s.put(flower < 12, "#ffe04a", 0.4)
    for at in (112, 332):
        s.put(s.away(at, 372, 12, 17) < 1, "#ffd22e", 0.8)


def _neck_and_dress(s):
    x, y = s.x, s.y
    neck = (np.abs(x - 224) < 42 + 16 * smoothstep(430, 470, y)) & (y > 360) & (y < 490)
    s.put(neck & (x <= 226), "#f0b070", 1.2)
    s.put(neck & (x > 226), "#2f8a7a", 1.2)
    dress = y > 440 + 0.0013 * (x - 224) ** 2 + 34 * bump((x - 224) / 62)
    stripe = ((x + 0.4 * y) // 26).astype(int) % 3
    for k, code in enumerate(["#d82f6a", "#f2c230", "#2fa060"]):
        s.put(dress & (stripe == k), code, np.where(x < 226, 1.1, 2.0))
    beads = np.abs(y - 442 - 36 * bump((x - 224) / 52)) < 8
    beads &= (np.abs(x - 224) < 62) & (np.cos((x - 224) / 2.6) > -0.7)
    s.put(beads, "#fff3d0", 0.1)


def _face(s):
    """A face of two halves, one in warm light and one in green shadow."""
    x, y = s.x, s.y
    face = s.away(222, 262, 92, 142) < 1
    face &= (y < 330) | (np.abs(x - 222) < 80 - 0.62 * (y - 330))
    shadow = smoothstep(-6, 8, x - 226 - 9 * np.sin((y - 150) / 60))
    light = ramp(["#ffe9b0", "#ffd08a", "#f7a060"], (y - 130) / 280)
    dark = ramp(["#7fc08a", "#3fa58a", "#2f7fa0"], (y - 130) / 280)
    tone, lean = mix(light, dark, shadow), (y - 262) / 400
    s.put(face & (shadow <= 0.5), tone, 0.75 + lean)
    s.put(face & (shadow > 0.5), tone, 2.35 - lean)
    for at, code in [(164, "#f2583a"), (282, "#c04a8a")]:
        s.put(s.away(at, 312, 27, 21) < 1, code, 0.2)
    for at, code in [(172, "#7a4ab0"), (276, "#1f3f7a")]:
        s.put(s.away(at, 234, 34, 17) < 1, code, 0.0)
        almond = np.abs(y - 240) < 11.5 * np.clip(1 - ((x - at) / 29) ** 2, 0, 1)
        s.put(almond, "#f7f7e6", 0.3)
        s.put(almond & (s.away(at, 240) < 10), "#1f9a6a", 1.2)
        s.put(almond & (s.away(at, 240) < 4.6), "#0d0d12", 1.2)
    nose = (y > 206) & (y < 322) & (x > 210) & (x < 222 + 0.13 * (y - 206))
    s.put(nose, "#fff6dc", 1.5)
    s.put((s.away(224, 318, 23, 9) < 1) & (y > 316), "#b83a4a", 0.1)
    lips = np.clip(1 - ((x - 224) / 40) ** 2, 0, 1)
    bow = 11 * lips - 6 * bump((x - 224) / 7)
    s.put((y > 362 - bow) & (y <= 362) & (lips > 0), "#c8143c", 0.1)
    s.put((y > 362) & (y < 362 + 14 * lips), "#ff5a5a", -0.1)


def _line(canvas, points, width, code):
    """A contour, gone over twice."""
    path = curve(points, 40)
    for shift in (0, canvas.rng.normal(0, 0.6, 2)):
        canvas.stroke(path + shift, width, code, _WAX)


def _contours(canvas):
    a = np.linspace(-0.62 * np.pi, 0.62 * np.pi, 30)
    oval = np.stack([222 + 92 * np.sin(a), 262 - 142 * np.cos(a)], 1)
    for points, width, code in [(oval, 5, _INK), *_LINES]:
        _line(canvas, points, width, code)
    t = np.linspace(-1, 1, 20)
    for side in (-1, 1):
        x = 224 + 52 * side
        brow = [(-36, 222 - 4 * side), (-14, 204), (14, 203), (38, 220 + 4 * side)]
        _line(canvas, np.array(brow) + (x, 0), 6, "#1a1240")
        lid = 12 * np.cos(0.5 * np.pi * t)
        _line(canvas, np.stack([x + 31 * t, 241 - lid], 1), 4, _INK)
        _line(canvas, np.stack([x + 29 * t, 240 + 0.9 * lid], 1), 2.4, _INK)
        for k in range(7):
            q = 0.06 + 0.13 * k
            out = np.array(
                [12 + 60 * q, 80 + 44 * q, 98 + 44 * q, 96 + 42 * q, 100 + 36 * q]
            )
            down = np.array(
                [60 + 52 * q, 136 + 20 * q, 240 + 20 * q, 330, 416 - 10 * q]
            )
            strand = np.stack([222 + side * out, down], 1)
            _line(canvas, strand, 2.6, ("#7fd0ff", "#0d0b24", "#c89aff")[k % 3])


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)
    _ground_and_hair(s)
    _neck_and_dress(s)
    _face(s)
    plan = s.plan()
    colour = plan.colour + 0.03 * noise(s.x.shape, 20, rng)[..., None]
    canvas = Canvas(WIDTH, HEIGHT, "#16131a", scale=scale, rng=rng, grain=1.3)
    for number in np.unique(s.part):
        mask = s.part == number
        measure = (4, 12, 4) if mask.sum() < 1500 else (7, 44, 5.5)
        # Three hatchings across each other, each lighter than the one before.
        for turn, lighter, share in [
            (0, -0.06, 1),
            (0.55, 0.04, 0.9),
            (-0.9, 0.12, 0.5),
        ]:
            hatch = Plan(np.clip(colour + lighter, 0, 1), plan.angle + turn)
            lay(canvas, hatch, _WAX, measure, vary=(5, 10), mask=mask, density=share)
    _contours(canvas)
    return canvas.finish(relief=0.9, gloss=0.1, weave=0.25)
