"""Curling waves as a colour woodcut: flat indigos, long even lines, white foam."""

import numpy as np

from ..brushes import DAB, Brush
from ..canvas import Canvas
from ..forms import curve, mix, noise, ramp, rgb, segment, smoothstep
from ..layers import lay
from ..sketch import Sketch

WIDTH, HEIGHT = 560, 416
_SUN = (438, 150, 46)
# One breaker, drawn about the origin: its back and its hollow face, both from
# the foot to the tip of the curl.
_BACK = [
    (-250, 190), (-190, 96), (-120, -10), (-40, -92), (60, -126), (142, -104),
    (186, -40), (176, 22), (140, 36),
]  # fmt: skip
_FACE = [
    (190, 190), (86, 150), (20, 96), (-6, 26), (18, -34), (72, -58), (122, -42),
    (140, 0), (134, 30),
]  # fmt: skip
# Its stripes from back to face.
_STRIPES = [
    "#16306e", "#16306e", "#2f62a4", "#16306e", "#8fb8cf", "#1d4488", "#16306e",
    "#4a82b8", "#12265a", "#c9dbd8", "#1d4488", "#12265a",
]  # fmt: skip
# Stripes of the two swells, the far and the near one, from the crest down.
_FAR_SWELL = [
    "#8fb8cf", "#2f62a4", "#16306e", "#2f62a4", "#16306e", "#4a82b8", "#16306e",
    "#2f62a4", "#12265a", "#12265a",
]  # fmt: skip
_NEAR_SWELL = [
    "#c9dbd8", "#4a82b8", "#1d4488", "#16306e", "#2f62a4", "#12265a", "#12265a",
    "#12265a",
]  # fmt: skip
_LINE, _FOAM = "#0d1a3a", "#f6f1e3"
_FLAT = Brush(
    bristle=0.8, streak=0.05, dryness=0.08, fray=0.02, ragged=0.05, body=0.2, tooth=0.22
)
_GRAIN = Brush(
    opacity=0.35, bristle=0.5, dryness=0.7, fray=0.4, ragged=0.4, taper=(0.15, 0.3),
    tooth=0.4,
)  # fmt: skip
_CUT = Brush(bristle=0.6, streak=0.04, dryness=0.1, taper=(0.25, 0.4), body=0.3)
_CLAW = Brush(streak=0.02, taper=(0.1, 0.85), point=0.12, body=0.15)
_BUBBLE = DAB.but(streak=0.02, body=0.15)


def _bubble(canvas, x, y, size, line):
    for width, code in ((size + line, _LINE), (size, _FOAM)):
        canvas.stroke(segment(np.array([x, y]), 0, width), width, code, _BUBBLE)


def _claw(canvas, path, width, line):
    for reach, code in ((width + line, _LINE), (width, _FOAM)):
        canvas.stroke(path, reach, code, _CLAW)


def _breaker(canvas, origin, size, sense):
    """A curling wave; `sense` is 1 if it breaks to the right, else -1."""
    rng = canvas.rng
    back = curve(_BACK, 120) * (size * sense, size) + origin
    face = curve(_FACE, 120) * (size * sense, size) + origin
    count = len(_STRIPES)
    # Each stripe is filled by strokes that run from the foot to the tip; it
    # narrows on the way, and so does the brush.
    for k, code in enumerate(_STRIPES):
        for share in np.linspace((k + 0.1) / count, (k + 0.9) / count, 4):
            path = back + share * (face - back)
            for a, b in [(0, 46), (40, 80), (74, 100), (96, 116)]:
                gap = np.hypot(*(face - back)[(a + b) // 2]) / count
                tone = mix(rgb(code), "#000000", 0.1)
                width = max(0.55 * gap, 1.6)
                canvas.stroke(path[a:b], width, code, _FLAT, second=tone)
    for k in range(count + 1):
        outer = k in (0, count)
        path = (back + k / count * (face - back))[
            : 118 if outer else rng.integers(96, 114)
        ]
        canvas.stroke(path, 0.5 + size * (3.2 if outer else 1.7), _LINE, _CUT)
    _crest(canvas, back, face, size, sense)


def _crest(canvas, back, face, size, sense):
    """Foam on the crest, claws that reach out of it, spray, and drips inside."""
    rng = canvas.rng
    inward = face - back
    width = np.hypot(*inward.T)[:, None] + 1e-9
    inward /= width
    ahead = np.gradient(back, axis=0)
    ahead /= np.hypot(*ahead.T)[:, None] + 1e-9
    out = ahead[:, ::-1] * (sense, -sense)
    for u in range(52, 119, 2):
        band = 2.4 * min(0.30 * width[u, 0], 26 * size) * smoothstep(46, 80, u)
        for share in np.arange(0.04, 0.42, 0.11):
            spot = back[u] + share * band * inward[u] + rng.normal(0, 1.2 * size, 2)
            _bubble(canvas, *spot, rng.uniform(7, 13) * size, 1.6)
    t = np.linspace(0, 1, 10)[:, None]
    for u in range(58, 120, 3):
        reach = size * rng.uniform(18, 34) * smoothstep(50, 90, u)
        forward = 0.75 * t + 0.35 * np.sin(3.25 * t)
        upward = 0.65 * t - 0.55 * t**2.2
        path = (
            back[u] - 6 * size * out[u] + reach * (forward * ahead[u] + upward * out[u])
        )
        _claw(canvas, path, 9.5 * size, 2.4)
        for _ in range(2):
            fling = rng.uniform(2, 34) * out[u] + rng.normal(6, 16) * ahead[u]
            spot = path[-1] + size * fling
            _bubble(canvas, *spot, rng.uniform(1.6, 4.4) * size + 0.6, 1.2)
    for u in range(84, 118, 4):
        aside = face[u] - face[u - 1]
        aside /= np.hypot(*aside) + 1e-9
        fall = rng.uniform(12, 24) * (t * inward[u] + 0.5 * t**2 * aside)
        _claw(canvas, face[u] + size * (fall - 4 * inward[u]), 8 * size, 2.2)


def _swell(canvas, crest, codes):
    """A rolling swell: stripes that follow its crest, and drifts of foam."""
    rng = canvas.rng
    xs = np.linspace(-10, WIDTH + 10, 80)
    line = np.stack([xs, crest(xs)], 1)
    for k, code in enumerate(codes):
        tone = mix(rgb(code), "#000000", 0.08)
        for part in (2, 5, 8):
            canvas.stroke(line + (0, 9 * k + part), 5, code, _FLAT, second=tone)
        canvas.stroke(line + (0, 9 * k), 2.6 if k == 0 else 1.5, _LINE, _CUT)
    for _ in range(9):
        middle, spread = rng.uniform(0, WIDTH), rng.uniform(10, 34)
        for x in rng.normal(middle, spread, 12):
            y = crest(x) + 3 - abs(rng.normal(0, 4))
            _bubble(canvas, x, y, rng.uniform(4, 12), 1.8)


def _sky(canvas):
    """Graded bands printed with the grain of the wood, the sun, and clouds."""
    rng = canvas.rng
    s = Sketch(WIDTH, HEIGHT)
    codes = ["#2a4a7c", "#5f83a0", "#b9bfb2", "#e8cfa6", "#eddcb4"]
    sky = ramp(codes, smoothstep(0, 150, s.y))
    sky = mix(sky, "#e8a582", smoothstep(170, 320, s.y))
    sky += 0.018 * noise(s.x.shape, 50, rng)[..., None]
    grain = np.arctan(6 * np.gradient(noise(s.x.shape, 70, rng), axis=1))
    s.put(s.x > 0, sky, grain)
    plan = s.plan()
    lay(canvas, plan, _FLAT, (9, 150, 13), vary=(1.2, 3), wander=0.0)
    lay(canvas, plan, _GRAIN, (8, 120, 2), vary=(6, 4), wander=0.0)
    x, y, radius = _SUN
    canvas.stroke([(x - radius, y), (x + radius, y)], 2 * radius, "#cf3b2a", _BUBBLE)
    for k in range(15):
        drop = 6 * k - 40
        half = np.sqrt(max(radius**2 - drop**2, 1)) - 2
        path = [(x - half, y + drop), (x + half, y + drop + 1)]
        canvas.stroke(path, 6.5, "#d2452f", _FLAT, second="#b82f26")
    for x, y, half in [(330, 96, 90), (486, 168, 78), (380, 214, 60)]:
        for k, (shift, width) in enumerate([(0, 9), (24, 7), (-20, 6)]):
            reach = half * (1 - 0.2 * k)
            middle = np.array([x + shift, y + 8 * k])
            canvas.stroke(segment(middle, 0, 2 * reach), width, "#f3ead2", _CUT)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    canvas = Canvas(WIDTH, HEIGHT, "#efe3c4", scale=scale, rng=rng, grain=0.8)
    _sky(canvas)
    _breaker(canvas, (452, 322), 0.46, -1)
    _swell(canvas, lambda x: 330 - 16 * np.sin(x / 62 + 0.5) - 6 * np.sin(x / 23),
           _FAR_SWELL)  # fmt: skip
    _breaker(canvas, (170, 232), 1.0, 1)
    _swell(canvas, lambda x: 372 - 20 * np.sin(x / 70 - 1.2) - 7 * np.sin(x / 31),
           _NEAR_SWELL)  # fmt: skip
    return canvas.finish(relief=0.7, gloss=0.0, weave=0.3)
