"""A woman's head in wax crayon: crossing hatches of bright colour on black."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, noise, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 432, 544


def _plan(x, y, rng):
    """Colours, hatching directions and part numbers."""
    part = np.zeros(x.shape, int)
    right = x > 232 + 20 * np.sin(y / 90)
    colour = np.where(
        right[..., None],
        ramp(["#1f7a8c", "#1f5aa0", "#5a3a9c"], y / HEIGHT),
        ramp(["#e8642a", "#d8322f", "#8f1f5a"], y / HEIGHT),
    )
    angle = np.where(right, -0.9, 0.8)
    part = np.where(right, 1, 0)

    def put(mask, tone, turn, number):
        nonlocal colour, angle, part
        colour = np.where(mask[..., None], tone, colour)
        angle = np.where(mask, turn, angle)
        part = np.where(mask, number, part)

    hair = np.hypot((x - 222) / 142, (y - 224) / 176) < 1
    hair |= (np.abs(x - 222) < 146 - 18 * np.sin(y / 60)) & (y > 220) & (y < 424)
    sheen = 0.5 + 0.5 * np.sin(np.hypot(x - 222, (y - 250) * 0.9) / 11)
    locks = np.arctan2(x - 222, -(y - 250))
    put(hair, ramp(["#1a1f5a", "#3a2f9c", "#2f7ac0"], 0.25 + 0.6 * sheen), locks, 2)
    neck = (np.abs(x - 224) < 42 + 16 * smoothstep(430, 470, y)) & (y > 360) & (y < 490)
    put(neck, np.where((x > 226)[..., None], rgb("#2f8a7a"), rgb("#f0b070")), 1.2, 3)
    dress = y > 440 + 0.0013 * (x - 224) ** 2 + 34 * np.exp(-(((x - 224) / 62) ** 2))
    stripes = ((x + 0.4 * y) // 26).astype(int) % 3
    tone = np.stack([rgb("#d82f6a"), rgb("#f2c230"), rgb("#2fa060")])[stripes]
    put(dress, tone, np.where(x < 226, 1.1, 2.0), 4 + stripes)
    beads = np.abs(y - 442 - 36 * np.exp(-(((x - 224) / 52) ** 2))) < 8
    put(
        beads & (np.abs(x - 224) < 62) & (np.cos((x - 224) / 2.6) > -0.7),
        rgb("#fff3d0"),
        0.1,
        7,
    )

    face = np.hypot((x - 222) / 92, (y - 262) / 142) < 1
    face &= ~((y > 330) & (np.abs(x - 222) > 92 - 0.62 * (y - 330) - 12))
    shade = smoothstep(-6, 8, x - 226 - 9 * np.sin((y - 150) / 60))
    light = ramp(["#ffe9b0", "#ffd08a", "#f7a060"], (y - 130) / 280)
    dark = ramp(["#7fc08a", "#3fa58a", "#2f7fa0"], (y - 130) / 280)
    put(
        face,
        light + shade[..., None] * (dark - light),
        np.where(x < 226, 0.75 + (y - 262) / 400, 2.35 - (y - 262) / 400),
        8,
    )
    put(face & (shade > 0.5), colour, 2.35, 9)
    for cx, tone in [(164, "#f2583a"), (282, "#c04a8a")]:
        put(face & (np.hypot((x - cx) / 27, (y - 312) / 21) < 1), rgb(tone), 0.2, 10)
    for cx in (172, 276):
        lid = np.hypot((x - cx) / 34, (y - 234) / 17) < 1
        put(lid, rgb("#7a4ab0") if cx < 226 else rgb("#1f3f7a"), 0.0, 11)
        almond = np.abs(y - 240) < 11.5 * np.clip(1 - ((x - cx) / 29) ** 2, 0, 1)
        put(almond, rgb("#f7f7e6"), 0.3, 12)
        put(almond & (np.hypot(x - cx, y - 240) < 10), rgb("#1f9a6a"), 1.2, 13)
        put(almond & (np.hypot(x - cx, y - 240) < 4.6), rgb("#0d0d12"), 1.2, 14)
    nose = (y > 206) & (y < 322) & (x > 210) & (x < 222 + 0.13 * (y - 206))
    put(nose, rgb("#fff6dc"), 1.5, 15)
    put(
        (np.hypot((x - 224) / 23, (y - 318) / 9) < 1) & (y > 316),
        rgb("#b83a4a"),
        0.1,
        16,
    )
    mouth = np.clip(1 - ((x - 224) / 40) ** 2, 0, 1)
    bow = 11 * mouth - 6 * np.exp(-(((x - 224) / 7) ** 2))
    put((y > 362 - bow) & (y <= 362) & (mouth > 0), rgb("#c8143c"), 0.1, 17)
    put((y > 362) & (y < 362 + 14 * mouth), rgb("#ff5a5a"), -0.1, 18)
    for cx in (112, 332):
        ring = np.hypot((x - cx) / 12, (y - 372) / 17) < 1
        put(ring, rgb("#ffd22e"), 0.8, 19)
    flower = np.hypot(x - 316, y - 120)
    petals = 38 + 9 * np.cos(6 * np.arctan2(y - 120, x - 316))
    put(
        flower < petals,
        ramp(["#ffb0c8", "#ff5a8a", "#d81f5a"], flower / 46),
        np.arctan2(y - 120, x - 316),
        20,
    )
    put(flower < 12, rgb("#ffe04a"), 0.4, 21)
    colour = colour + 0.03 * noise(x.shape, 20, rng)[..., None]
    return np.clip(colour, 0, 1), angle, part


def _line(canvas, points, width, code, wax):
    path = np.array(points, float)
    k = np.linspace(0, len(path) - 1, 40)
    smooth = np.stack(
        [np.interp(k, np.arange(len(path)), path[:, c]) for c in (0, 1)], 1
    )
    for _ in range(3):
        smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
    for pass_ in range(2):
        wobble = canvas.rng.normal(0, 0.6, 2) * pass_
        canvas.stroke(smooth + wobble, width, rgb(code), wax)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    colour, angle, part = _plan(x, y, rng)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#16131a"), scale=scale, rng=rng, grain=1.3)
    wax = Brush(
        bristle=0.9,
        streak=0.12,
        blend=0.3,
        dryness=0.25,
        fray=0.5,
        ragged=0.6,
        taper=(0.1, 0.2),
        point=0.5,
        soft=0.3,
        pickup=0.05,
        body=0.5,
        ridge=0.3,
        tooth=0.75,
    )
    for value in np.unique(part):
        mask = part == value
        small = mask.sum() < 1500
        gap, width = (4, 4) if small else (7, 5.5)
        for turn, lighter, share in [
            (0, -0.06, 1.0),
            (0.55, 0.04, 0.9),
            (-0.9, 0.12, 0.5),
        ]:
            plan = Plan(np.clip(colour + lighter, 0, 1), angle + turn)
            lay(
                canvas,
                plan,
                wax,
                spacing=gap,
                length=12 if small else 44,
                width=width,
                lightness=5,
                hue=10,
                wander=0.12,
                mask=mask,
                density=np.full(x.shape, share),
            )
    ink = "#0d0b14"
    t = np.linspace(0, 1, 20)
    a = np.linspace(-0.62 * np.pi, 0.62 * np.pi, 30)
    _line(
        canvas, np.stack([222 + 92 * np.sin(a), 262 - 142 * np.cos(a)], 1), 5, ink, wax
    )
    _line(
        canvas,
        [
            (136, 322),
            (152, 350),
            (186, 386),
            (222, 402),
            (258, 386),
            (292, 350),
            (308, 322),
        ],
        5,
        ink,
        wax,
    )
    for side in (-1, 1):
        cx = 224 + side * 52
        _line(
            canvas,
            [
                (cx - 36, 222 - 4 * side),
                (cx - 14, 204),
                (cx + 14, 203),
                (cx + 38, 220 + 4 * side),
            ],
            6,
            "#1a1240",
            wax,
        )
        arch = 12 * np.sin(np.pi * t)
        _line(canvas, np.stack([cx - 31 + 62 * t, 241 - arch], 1), 4, ink, wax)
        _line(canvas, np.stack([cx - 29 + 58 * t, 240 + 0.9 * arch], 1), 2.4, ink, wax)
    _line(
        canvas,
        [
            (212, 208),
            (216, 250),
            (206, 300),
            (204, 316),
            (214, 324),
            (228, 322),
            (244, 318),
        ],
        4,
        ink,
        wax,
    )
    _line(
        canvas,
        [(184, 362), (208, 358), (224, 364), (242, 358), (264, 362)],
        3,
        ink,
        wax,
    )
    for side in (-1, 1):
        for k in range(7):
            q = 0.06 + 0.13 * k
            _line(
                canvas,
                [
                    (222 + side * (12 + 60 * q), 112 - 52 * (1 - q)),
                    (222 + side * (80 + 44 * q), 136 + 20 * q),
                    (222 + side * (98 + 44 * q), 240 + 20 * q),
                    (222 + side * (96 + 42 * q), 330),
                    (222 + side * (100 + 36 * q), 416 - 10 * q),
                ],
                2.6,
                ("#7fd0ff", "#0d0b24", "#c89aff")[k % 3],
                wax,
            )
    return canvas.finish(relief=0.9, gloss=0.1, weave=0.25)
