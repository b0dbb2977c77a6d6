"""Curling waves as a colour woodcut: flat indigos, long even lines, white foam."""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import curve, grid, noise, ramp, rgb, smoothstep
from ..layers import Plan, lay

WIDTH, HEIGHT = 560, 416
_LINE = "#0d1a3a"
# One breaker, drawn about the origin: its back and its hollow face, both from
# the foot to the tip of the curl.
_BACK = [
    (-250, 190),
    (-190, 96),
    (-120, -10),
    (-40, -92),
    (60, -126),
    (142, -104),
    (186, -40),
    (176, 22),
    (140, 36),
]
_FACE = [
    (190, 190),
    (86, 150),
    (20, 96),
    (-6, 26),
    (18, -34),
    (72, -58),
    (122, -42),
    (140, 0),
    (134, 30),
]
_BANDS = [
    "#16306e",
    "#16306e",
    "#2f62a4",
    "#16306e",
    "#8fb8cf",
    "#1d4488",
    "#16306e",
    "#4a82b8",
    "#12265a",
    "#c9dbd8",
    "#1d4488",
    "#12265a",
]


def _disc(canvas, x, y, size, code, line=2.2):
    dot = Brush(
        taper=(0.5, 0.5),
        point=0.05,
        ragged=0,
        dryness=0,
        fray=0,
        pickup=0,
        streak=0.02,
        body=0.15,
        ridge=0,
        soft=0.03,
    )
    for d, tone in ((size + line, _LINE), (size, code)):
        if d > size or line >= 0:
            canvas.stroke(np.array([(x - d / 2, y), (x + d / 2, y)]), d, rgb(tone), dot)


def _breaker(canvas, origin, size, flip, flat, contour):
    rng = canvas.rng

    def place(points):
        return np.array(points) * (size * flip, size) + origin

    back, face = place(curve(_BACK, 120)), place(curve(_FACE, 120))
    count = len(_BANDS)
    # Each band is filled by strokes that run from the foot to the tip.
    for k, code in enumerate(_BANDS):
        for share in np.linspace((k + 0.1) / count, (k + 0.9) / count, 4):
            path = back + share * (face - back)
            # The ribbon narrows to the tip; so does the brush.
            for a, b in [(0, 46), (40, 80), (74, 100), (96, 116)]:
                gap = np.hypot(*(face - back)[(a + b) // 2]) / count
                canvas.stroke(
                    path[a:b],
                    max(gap * 0.55, 1.6),
                    rgb(code),
                    flat,
                    second=rgb(code) * 0.9,
                )
    for k in range(count + 1):
        path = back + k / count * (face - back)
        end = 118 if k in (0, count) else int(rng.integers(96, 114))
        canvas.stroke(
            path[:end],
            3.0 * size + 0.8 if k in (0, count) else 1.7 * size + 0.5,
            rgb(_LINE),
            contour,
        )
    _foam(canvas, back, face, size, flip, flat)


def _foam(canvas, back, face, size, flip, flat):
    """Scallops of foam along the crest, and hooks that reach out of it."""
    rng = canvas.rng
    width = np.hypot(*(face - back).T)
    for u in range(52, 119, 2):
        thick = min(width[u] * 0.30, 26 * size) * smoothstep(46, 80, np.array(u))
        for share in np.arange(0.04, 0.42, 0.11):
            p = back[u] + share * thick / max(width[u], 1) * 2.4 * (face[u] - back[u])
            _disc(
                canvas,
                *(p + rng.normal(0, 1.2 * size, 2)),
                rng.uniform(7, 13) * size,
                "#f4efe0",
                1.6,
            )
    for u in range(58, 120, 3):
        ahead = back[min(u + 1, 119)] - back[u - 1]
        ahead /= np.hypot(*ahead) + 1e-9
        out = np.array([ahead[1], -ahead[0]]) * flip
        reach = size * rng.uniform(18, 34) * smoothstep(50, 90, np.array(u))
        t = np.linspace(0, 1, 10)[:, None]
        curl = 1.25 * t
        hook = (
            back[u]
            - out * 6 * size
            + reach
            * (
                t * (0.75 * ahead + 0.65 * out)
                + 0.35 * np.sin(2.6 * curl) * ahead
                - 0.55 * t**2.2 * out
            )
        )
        claw = Brush(
            taper=(0.1, 0.85),
            point=0.12,
            ragged=0,
            dryness=0,
            fray=0,
            pickup=0,
            streak=0.02,
            body=0.15,
            ridge=0,
            soft=0.03,
        )
        canvas.stroke(hook, 9.5 * size + 2.4, rgb(_LINE), claw)
        canvas.stroke(hook, 9.5 * size, rgb("#f7f3e6"), claw)
        for _ in range(2):
            spray = (
                hook[-1]
                + out * rng.uniform(2, 34) * size
                + ahead * rng.normal(6, 16) * size
            )
            _disc(canvas, *spray, rng.uniform(1.6, 4.4) * size + 0.6, "#f7f3e6", 1.2)
    for u in range(84, 118, 4):
        inner = face[u] - back[u]
        inner /= np.hypot(*inner) + 1e-9
        t = np.linspace(0, 1, 8)[:, None]
        side = (face[u] - face[u - 1]) / (np.hypot(*(face[u] - face[u - 1])) + 1e-9)
        drip = (
            face[u]
            - 4 * size * inner
            + size * rng.uniform(12, 24) * (t * inner + 0.5 * t**2 * side)
        )
        claw = Brush(
            taper=(0.1, 0.85),
            point=0.12,
            ragged=0,
            dryness=0,
            fray=0,
            pickup=0,
            streak=0.02,
            body=0.15,
            ridge=0,
            soft=0.03,
        )
        canvas.stroke(drip, 8 * size + 2.2, rgb(_LINE), claw)
        canvas.stroke(drip, 8 * size, rgb("#f7f3e6"), claw)


def _swell(canvas, crest, codes, flat, contour, rng):
    """A rolling swell: stripes that follow its crest."""
    xs = np.linspace(-10, WIDTH + 10, 80)
    y = crest(xs)
    for k, code in enumerate(codes):
        for part in range(3):
            path = np.stack([xs, y + 9 * k + 3 * part + 2], 1)
            canvas.stroke(path, 5, rgb(code), flat, second=rgb(code) * 0.92)
        line = np.stack([xs, y + 9 * k], 1)
        canvas.stroke(line, 2.6 if k == 0 else 1.5, rgb(_LINE), contour)
    # Foam gathers in drifts on the swell, not evenly along it.
    for _ in range(9):
        middle, spread = rng.uniform(0, WIDTH), rng.uniform(10, 34)
        for _ in range(12):
            px = middle + spread * rng.standard_normal()
            rise = abs(rng.normal(0, 4))
            _disc(canvas, px, crest(px) + 3 - rise, rng.uniform(4, 12), "#f4efe0", 1.8)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#efe3c4"), scale=scale, rng=rng, grain=0.8)
    flat = Brush(
        bristle=0.8,
        streak=0.05,
        blend=0.5,
        dryness=0.08,
        fray=0.02,
        ragged=0.05,
        taper=(0.01, 0.01),
        point=1,
        soft=0.03,
        pickup=0,
        body=0.2,
        ridge=0,
        tooth=0.22,
    )
    contour = Brush(
        bristle=0.6,
        streak=0.04,
        dryness=0.1,
        fray=0.02,
        ragged=0,
        taper=(0.25, 0.4),
        point=0.25,
        soft=0.05,
        pickup=0,
        body=0.3,
        ridge=0,
    )
    top = 1 - smoothstep(0, 150, y)
    sky = ramp(["#eddcb4", "#e8cfa6", "#b9bfb2", "#5f83a0", "#2a4a7c"], top)
    dusk = smoothstep(170, 320, y)[..., None]
    sky = sky + dusk * (rgb("#e8a582") - sky)
    wood = 0.06 * noise(x.shape, 50, rng)
    grain = np.arctan(np.gradient(noise(x.shape, 70, rng), axis=1) * 6)
    plan = Plan(np.clip(sky + wood[..., None] * 0.3, 0, 1), grain)
    lay(
        canvas,
        plan,
        flat,
        spacing=9,
        length=150,
        width=13,
        lightness=1.2,
        hue=3,
        wander=0.0,
    )
    lay(
        canvas,
        plan,
        Brush(
            bristle=0.5,
            opacity=0.35,
            dryness=0.7,
            fray=0.4,
            body=0,
            ridge=0,
            pickup=0,
            tooth=0.4,
        ),
        spacing=8,
        length=120,
        width=2,
        lightness=6,
        hue=4,
        wander=0.0,
    )
    _disc(canvas, 438, 150, 92, "#cf3b2a", 0)
    for k in range(15):
        yy = 110 + 6 * k
        half = np.sqrt(max(46**2 - (yy - 150) ** 2, 1))
        canvas.stroke(
            np.array([(438 - half + 2, yy), (438 + half - 2, yy + 1)]),
            6.5,
            rgb("#d2452f"),
            flat,
            second=rgb("#b82f26"),
        )
    for cx, cy, half in [(330, 96, 90), (500, 196, 80), (380, 214, 60)]:
        for k, (dx, w) in enumerate([(0, 9), (24, 7), (-20, 6)]):
            t = np.linspace(-1, 1, 9)
            band = np.stack([cx + dx + half * (1 - 0.2 * k) * t, cy + 8 * k + 0 * t], 1)
            canvas.stroke(band, w, rgb("#f3ead2"), contour)
    _breaker(canvas, (452, 322), 0.46, -1, flat, contour)
    _swell(
        canvas,
        lambda s: 330 - 16 * np.sin(s / 62 + 0.5) - 6 * np.sin(s / 23),
        [
            "#8fb8cf",
            "#2f62a4",
            "#16306e",
            "#2f62a4",
            "#16306e",
            "#4a82b8",
            "#16306e",
            "#2f62a4",
            "#12265a",
            "#12265a",
        ],
        flat,
        contour,
        rng,
    )
    _breaker(canvas, (170, 232), 1.0, 1, flat, contour)
    _swell(
        canvas,
        lambda s: 372 - 20 * np.sin(s / 70 - 1.2) - 7 * np.sin(s / 31),
        [
            "#c9dbd8",
            "#4a82b8",
            "#1d4488",
            "#16306e",
            "#2f62a4",
            "#12265a",
            "#12265a",
            "#12265a",
        ],
        flat,
        contour,
        rng,
    )
    return canvas.finish(relief=0.7, gloss=0.0, weave=0.3)
