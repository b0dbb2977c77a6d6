"""A guitar and a bottle in shards: flat angular planes, scratched hatching."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 448, 560
# Cuts through the picture: a point on each and its direction in degrees.
_CUTS = [
    (150, 0, 74), (330, 0, 104), (0, 150, 14), (0, 395, -17), (448, 300, 24),
    (224, 280, 52), (224, 330, -40), (90, 560, -72), (400, 200, -58), (0, 520, 8),
    (40, 60, -28), (330, 470, 62), (200, 120, -8),
]  # fmt: skip
_ARC = (250, 330, 128)


def _facets(x, y):
    """A number for every cell: which side of each cut it lies on."""
    label = np.zeros(x.shape, int)
    for k, (px, py, degrees) in enumerate(_CUTS):
        a = np.radians(degrees)
        # A cut only splits what lies near it, so shards differ in size.
        side = (x - px) * -np.sin(a) + (y - py) * np.cos(a) > 0
        along = (x - px) * np.cos(a) + (y - py) * np.sin(a)
        reach = (k % 3 != 2) | (np.abs(along - 210) < 190)
        label = label * 2 + (side & reach)
    cx, cy, radius = _ARC
    label = label * 2 + (np.hypot(x - cx, y - cy) < radius)
    return np.unique(label, return_inverse=True)[1].reshape(x.shape)


def _guitar_frame(x, y):
    """Coordinates along and across the guitar, from its bridge up the neck."""
    a = np.radians(-66)
    dx, dy = x - 222, y - 372
    return dx * np.cos(a) + dy * np.sin(a), -dx * np.sin(a) + dy * np.cos(a)


def _half_width(u):
    """Half the width of the guitar's body at u along it."""
    lower = 92 * np.sqrt(np.clip(1 - ((u - 0) / 92) ** 2, 0, 1))
    upper = 66 * np.sqrt(np.clip(1 - ((u - 122) / 66) ** 2, 0, 1))
    waist = 52 * np.sqrt(np.clip(1 - ((u - 72) / 70) ** 2, 0, 1))
    return np.maximum(np.maximum(lower, upper), waist)


def _things(x, y):
    """What is where: 0 wall, 1 table, 2 bottle, 3 guitar, 4 hole, 5 neck, 6 paper."""
    what = np.where(y > 420 + 0.12 * (x - 200), 1, 0)
    page = (np.abs((x - 110) + 0.25 * (y - 430)) < 74) & (
        np.abs(y - 448 + 0.2 * x) < 52
    )
    what = np.where(page, 6, what)
    neck = np.where(
        y < 150, 15, np.where(y < 215, 15 + 26 * smoothstep(150, 215, y), 41)
    )
    bottle = (np.abs(x - 88) < neck) & (y > 66) & (y < 400)
    what = np.where(bottle, 2, what)
    u, v = _guitar_frame(x, y)
    what = np.where((np.abs(v) < 13) & (u > 150) & (u < 345), 5, what)
    what = np.where((np.abs(v) < 22) & (u > 318) & (u < 372), 5, what)
    what = np.where(np.abs(v) < _half_width(u), 3, what)
    what = np.where((np.abs(v) < 9) & (u > 60) & (u < 190), 5, what)
    return np.where(np.hypot(u - 82, v) < 29, 4, what)


_CODES = [
    ["#17181c", "#46494f", "#8f8878", "#d9c79c", "#b5702a"],  # wall
    ["#3a1712", "#8f2416", "#c93a1e", "#e0662e", "#5a2016"],  # table
    ["#10201f", "#1f4540", "#47736a", "#a7b79a", "#e6dcbc"],  # bottle
    ["#7a4a1c", "#b8791f", "#dfa83a", "#f0cf7c", "#f6e6bb"],  # guitar
    ["#0c0b0d", "#17140f", "#3a2a1a", "#6f4a22", "#20140f"],  # hole
    ["#15110f", "#33221a", "#6a3f20", "#a8763a", "#2a1c16"],  # neck
    ["#b5a88c", "#d9ccad", "#efe6cf", "#f7f0de", "#cfc3a4"],  # page
]


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    facet = _facets(x, y)
    count = facet.max() + 1
    canvas = Canvas(WIDTH, HEIGHT, rgb("#4a2c1a"), scale=scale, rng=rng)
    flat = Brush(
        bristle=1.1,
        streak=0.13,
        blend=0.6,
        dryness=0.35,
        fray=0.1,
        ragged=0.3,
        taper=(0.02, 0.05),
        point=0.9,
        soft=0.05,
        pickup=0.1,
        body=0.8,
        ridge=0.6,
    )
    scratch = Brush(
        bristle=0.5,
        dryness=0.6,
        fray=0.3,
        ragged=0.5,
        taper=(0.1, 0.5),
        point=0.2,
        pickup=0,
        streak=0.2,
        body=0.4,
        ridge=0.2,
    )
    colour = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    angle = np.zeros((HEIGHT, WIDTH), np.float32)
    what = np.zeros(x.shape, int)
    turn = np.radians([16, 74, 52, -40, 104, -17, -66])
    shifts = rng.uniform(-22, 22, (count, 2))
    for k in range(count):
        here = facet == k
        what[here] = _things(x + shifts[k, 0], y + shifts[k, 1])[here]
        a = rng.choice(turn)
        across = (-x * np.sin(a) + y * np.cos(a))[here]
        # Each plane turns from light to dark towards one of its edges.
        fade = (across - across.min()) / (np.ptp(across) + 1)
        tone = rng.uniform(0.0, 0.66) + 0.34 * (
            fade if rng.random() < 0.5 else 1 - fade
        )
        codes = np.stack([ramp(c, tone) for c in _CODES])
        colour[here] = codes[what[here], np.arange(here.sum())]
        angle[here] = a
    plan = Plan(colour, angle)
    lay(canvas, plan, flat, spacing=16, length=70, width=26)
    cell = facet * 8 + what
    for value in np.unique(cell):
        mask = cell == value
        if mask.sum() < 30:
            continue
        canvas.mask_off(mask)
        lay(
            canvas,
            plan,
            flat,
            spacing=9,
            length=46,
            width=13,
            lightness=4,
            hue=6,
            wander=0.05,
            mask=mask,
            clip=False,
        )
        if rng.random() < 0.6:
            lay(
                canvas,
                plan,
                flat,
                spacing=9,
                length=30,
                width=5,
                lightness=7,
                hue=8,
                wander=0.05,
                mask=mask,
                clip=False,
            )
        if rng.random() < 0.42:
            _hatch(canvas, mask, rng.choice(turn), scratch)
    for k in range(count):
        canvas.mask_off(facet == k)
        _drawing(canvas, -shifts[k], scratch)
    canvas.mask_off(None)
    _edges(canvas, scratch)
    return canvas.finish(relief=1.2, gloss=0.15)


def _hatch(canvas, mask, a, scratch):
    """Parallel scratches across one plane, in ink or in chalk."""
    rng = canvas.rng
    rows, columns = np.nonzero(mask)
    middle = np.array([columns.mean(), rows.mean()])
    reach = np.hypot(np.ptp(columns), np.ptp(rows)) / 2
    ahead = np.array([np.cos(a), np.sin(a)])
    side = np.array([-ahead[1], ahead[0]])
    tone = rgb(rng.choice(["#120e0c", "#1c1512", "#f3e7c9", "#7c2415"]))
    gap = rng.uniform(4, 6.5)
    for d in np.arange(-reach, reach, gap):
        start = middle + side * (d + rng.normal(0, 0.6)) - ahead * reach
        wobble = rng.normal(0, 0.7, (6, 2))
        path = start + np.linspace(0, 2 * reach, 6)[:, None] * ahead + wobble
        canvas.stroke(path, rng.uniform(1, 1.9), tone, scratch)


def _from_guitar(u, v):
    a = np.radians(-66)
    u, v = np.broadcast_arrays(u, v)
    return np.stack(
        [222 + u * np.cos(a) - v * np.sin(a), 372 + u * np.sin(a) + v * np.cos(a)], -1
    )


def _drawing(canvas, shift, scratch):
    """The outlines and details, drawn in black paint."""
    ink, pale = rgb("#0f0c0b"), rgb("#efe2c0")
    u = np.linspace(-91.9, 187.9, 90)
    for sign in (-1, 1):
        canvas.stroke(_from_guitar(u, sign * _half_width(u)) + shift, 3.2, ink, scratch)
    a = np.linspace(0, 2 * np.pi, 40)
    for radius, width, tone in [(30, 2.4, ink), (35, 1.4, pale), (24, 1.2, pale)]:
        ring = _from_guitar(82 + radius * np.cos(a), radius * np.sin(a))
        canvas.stroke(ring + shift, width, tone, scratch)
    for v in (-6, -3.6, -1.2, 1.2, 3.6, 6):
        string = _from_guitar(np.linspace(-22, 350, 12), np.full(12, v))
        canvas.stroke(string + shift, 1.1, pale, scratch)
    for at in np.arange(200, 320, 14):
        canvas.stroke(
            _from_guitar(np.array([at, at]), np.array([-13.0, 13.0])) + shift,
            1.6,
            pale,
            scratch,
        )
    canvas.stroke(
        _from_guitar(np.array([-22.0, -22.0]), np.array([-26.0, 26.0])) + shift,
        7,
        ink,
        scratch,
    )
    for at in (330, 343, 356):
        for v in (-27.0, 27.0):
            canvas.stroke(
                _from_guitar(np.array([at, at]), np.array([v * 0.8, v])) + shift,
                5,
                ink,
                scratch,
            )
    for side in (-1, 1):
        y = np.array([66, 110, 150, 176, 196, 215, 300, 400], float)
        half = np.array([15, 15, 15, 24, 36, 41, 41, 41], float)
        canvas.stroke(np.stack([88 + side * half, y], 1) + shift, 2.8, ink, scratch)
    for y, half in [(66, 16), (82, 16), (262, 41), (326, 41), (400, 41)]:
        x = np.linspace(-half, half, 9)
        path = np.stack([88 + x, y + 7 * np.sqrt(1 - (x / half) ** 2 + 1e-9)], 1)
        canvas.stroke(path + shift, 2.2, ink, scratch)
    for line in range(7):
        y = 408 + 12 * line
        for x in np.arange(48, 165, 9 + line % 3):
            start = np.array([x - 0.25 * (y - 430), y - 0.2 * x + 12])
            canvas.stroke(
                np.stack([start, start + (5.5, -1.1)]) + shift,
                3.4 if line == 0 else 1.8,
                ink,
                scratch,
            )


def _edges(canvas, scratch):
    """The cuts themselves, drawn as broken black and white lines."""
    rng = canvas.rng
    for px, py, degrees in _CUTS:
        a = np.radians(degrees)
        for tone, offset, width in [("#0f0c0b", 0.0, 2.6), ("#f2e6c8", 2.2, 1.2)]:
            at = -500.0
            while at < 700:
                run = rng.uniform(60, 190)
                t = np.linspace(at, at + run, 6)
                path = np.stack(
                    [
                        px + t * np.cos(a) - offset * np.sin(a),
                        py + t * np.sin(a) + offset * np.cos(a),
                    ],
                    1,
                )
                if rng.random() < 0.7:
                    canvas.stroke(path, width, rgb(tone), scratch)
                at += run * rng.uniform(0.9, 1.3)
    cx, cy, radius = _ARC
    t = np.linspace(0.4, 5.2, 60)
    canvas.stroke(
        np.stack([cx + radius * np.cos(t), cy + radius * np.sin(t)], 1),
        2.4,
        rgb("#0f0c0b"),
        scratch,
    )
