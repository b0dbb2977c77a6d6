"""A guitar and a bottle in shards: flat angular planes, scratched hatching."""

import numpy as np

from ..brushes import Brush
from ..canvas import Canvas
from ..forms import ramp, segment, smoothstep
from ..layers import lay
from ..sketch import Sketch

WIDTH, HEIGHT = 448, 560
# Cuts through the picture: a point on each and its direction in degrees.
_CUTS = [
    (150, 0, 74), (330, 0, 104), (0, 150, 14), (0, 395, -17), (448, 300, 24),
    (224, 280, 52), (224, 330, -40), (90, 560, -72), (400, 200, -58), (0, 520, 8),
    (40, 60, -28), (330, 470, 62), (200, 120, -8),
]  # fmt: skip
# Centre and radius of the one round cut.
_ARC = (250, 330, 128)
# Directions that planes and hatchings take.
_TURNS = np.radians([16, 74, 52, -40, 104, -17, -66])
# The guitar's bridge and the direction of its neck.
_BRIDGE, _NECK = np.array([222, 372]), np.radians(-66)
_CODES = [
    ["#17181c", "#46494f", "#8f8878", "#d9c79c", "#b5702a"],  # 0: wall
    ["#3a1712", "#8f2416", "#c93a1e", "#e0662e", "#5a2016"],  # 1: table
    ["#10201f", "#1f4540", "#47736a", "#a7b79a", "#e6dcbc"],  # 2: bottle
    ["#7a4a1c", "#b8791f", "#dfa83a", "#f0cf7c", "#f6e6bb"],  # 3: guitar
    ["#0c0b0d", "#17140f", "#3a2a1a", "#6f4a22", "#20140f"],  # 4: sound hole
    ["#15110f", "#33221a", "#6a3f20", "#a8763a", "#2a1c16"],  # 5: neck
    ["#b5a88c", "#d9ccad", "#efe6cf", "#f7f0de", "#cfc3a4"],  # 6: newspaper
]
_BLACK, _PALE = "#0f0c0b", "#efe2c0"
_FLAT = Brush(
    bristle=1.1, streak=0.13, blend=0.6, dryness=0.35, fray=0.1, ragged=0.3,
    pickup=0.1, body=0.8, ridge=0.6,
)  # fmt: skip
_SCRATCH = Brush(
    bristle=0.5, streak=0.2, dryness=0.6, fray=0.3, ragged=0.5, taper=(0.1, 0.5),
    point=0.2, soft=0.1, body=0.4, ridge=0.2,
)  # fmt: skip


def _facets(s):
    """A number for every cell: which side of each cut it lies on."""
    label = s.away(*_ARC) < 1
    for k, (px, py, degrees) in enumerate(_CUTS):
        c, d = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        side = (s.y - py) * c - (s.x - px) * d > 0
        # Some cuts are short, so that shards differ in size.
        along = (s.x - px) * c + (s.y - py) * d
        label = label * 2 + (side & ((k % 3 != 2) | (np.abs(along - 210) < 190)))
    return np.unique(label, return_inverse=True)[1].reshape(s.x.shape)


def _half_width(u):
    """Half the width of the guitar's body, at u along it from the bridge."""
    bouts = [(0, 92, 92), (122, 66, 66), (72, 70, 52)]
    return np.maximum.reduce(
        [h * np.sqrt(np.clip(1 - ((u - c) / a) ** 2, 0, 1)) for c, a, h in bouts]
    )


def _things(x, y):
    """The row of `_CODES` that shows at each place."""
    what = np.where(y > 420 + 0.12 * (x - 200), 1, 0)
    page = (np.abs(x - 110 + 0.25 * (y - 430)) < 74) & (np.abs(y - 448 + 0.2 * x) < 52)
    what[page] = 6
    half = 15 + 26 * smoothstep(150, 215, y)
    what[(np.abs(x - 88) < half) & (y > 66) & (y < 400)] = 2
    dx, dy = x - _BRIDGE[0], y - _BRIDGE[1]
    u = dx * np.cos(_NECK) + dy * np.sin(_NECK)
    v = np.abs(dy * np.cos(_NECK) - dx * np.sin(_NECK))
    what[(v < 13) & (u > 150) & (u < 345)] = 5
    what[(v < 22) & (u > 318) & (u < 372)] = 5
    what[v < _half_width(u)] = 3
    what[(v < 9) & (u > 60) & (u < 190)] = 5
    what[np.hypot(u - 82, v) < 29] = 4
    return what


def _on_guitar(u, v):
    """Points given along the neck and across it, [N, 2]."""
    u, v = np.broadcast_arrays(np.asarray(u, float), v)
    c, d = np.cos(_NECK), np.sin(_NECK)
    return _BRIDGE + np.stack([u * c - v * d, u * d + v * c], 1)


def _outlines():
    """Paths, widths and colours of all that is drawn in line."""
    u = np.linspace(-91.9, 187.9, 90)
    for sign in (-1, 1):
        yield _on_guitar(u, sign * _half_width(u)), 3.2, _BLACK
    a = np.linspace(0, 2 * np.pi, 40)
    for radius, width, code in [(30, 2.4, _BLACK), (35, 1.4, _PALE), (24, 1.2, _PALE)]:
        yield _on_guitar(82 + radius * np.cos(a), radius * np.sin(a)), width, code
    for v in (-6, -3.6, -1.2, 1.2, 3.6, 6):
        yield _on_guitar(np.linspace(-22, 350, 12), v), 1.1, _PALE
    for u in np.arange(200, 320, 14):
        yield _on_guitar(u, [-13.0, 13.0]), 1.6, _PALE
    yield _on_guitar(-22, [-26.0, 26.0]), 7, _BLACK
    for u in (330, 343, 356):
        for side in (-1, 1):
            yield _on_guitar(u, [21.6 * side, 27.0 * side]), 5, _BLACK
    y = np.linspace(66, 400, 60)
    for side in (-1, 1):
        half = 15 + 26 * smoothstep(150, 215, y)
        yield np.stack([88 + side * half, y], 1), 2.8, _BLACK
    for y, half in [(66, 15), (82, 15), (262, 41), (326, 41), (400, 41)]:
        a = np.linspace(0, np.pi, 12)
        ring = np.stack([88 + half * np.cos(a), y + 7 * np.sin(a)], 1)
        yield ring, 2.2, _BLACK
    for line in range(7):
        y = 420 + 12 * line
        for x in np.arange(48, 165, 9 + line % 3):
            start = np.array([x - 0.25 * (y - 442), y - 0.2 * x])
            yield np.stack([start, start + (5.5, -1.1)]), 1.8 + (line == 0), _BLACK


def _hatch(canvas, mask, a):
    """Parallel scratches across one plane, in ink, chalk or red."""
    rng = canvas.rng
    rows, columns = np.nonzero(mask)
    middle = np.array([columns.mean(), rows.mean()])
    reach = np.hypot(np.ptp(columns), np.ptp(rows))
    side = np.array([-np.sin(a), np.cos(a)])
    code = rng.choice(["#120e0c", "#1c1512", "#f3e7c9", "#7c2415"])
    for shift in np.arange(-reach / 2, reach / 2, rng.uniform(4, 6.5)):
        path = segment(middle + side * (shift + rng.normal(0, 0.6)), a, reach, 6)
        path = path + rng.normal(0, 0.7, path.shape)
        canvas.stroke(path, rng.uniform(1, 1.9), code, _SCRATCH)


def _edges(canvas):
    """The cuts themselves, as broken black and white lines."""
    rng = canvas.rng
    for px, py, degrees in _CUTS:
        a = np.radians(degrees)
        ahead, side = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        for code, shift, width in [(_BLACK, 0.0, 2.6), ("#f2e6c8", 2.2, 1.2)]:
            at = -500.0
            while at < 700:
                run = rng.uniform(60, 190)
                if rng.random() < 0.7:
                    middle = (px, py) + side * shift + ahead * (at + run / 2)
                    canvas.stroke(segment(middle, a, run), width, code, _SCRATCH)
                at += run * rng.uniform(0.9, 1.3)
    x, y, radius = _ARC
    t = np.linspace(0.4, 5.2, 60)
    path = np.stack([x + radius * np.cos(t), y + radius * np.sin(t)], 1)
    canvas.stroke(path, 2.4, _BLACK, _SCRATCH)


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    s = Sketch(WIDTH, HEIGHT)
    facet = _facets(s)
    count = facet.max() + 1
    # Through every shard the things are seen from a slightly different place.
    shifts = rng.uniform(-22, 22, (count, 2))
    for k in range(count):
        here = facet == k
        what = _things(s.x + shifts[k, 0], s.y + shifts[k, 1])
        a = rng.choice(_TURNS)
        across = s.y * np.cos(a) - s.x * np.sin(a)
        low, high = across[here].min(), across[here].max()
        fade = (across - low) / (high - low + 1)
        # Each plane turns from light to dark towards one of its edges.
        if rng.random() < 0.5:
            fade = 1 - fade
        tone = rng.uniform(0.0, 0.66) + 0.34 * fade
        for number in np.unique(what[here]):
            s.put(here & (what == number), ramp(_CODES[number], tone), a)
    plan = s.plan()

    canvas = Canvas(WIDTH, HEIGHT, "#4a2c1a", scale=scale, rng=rng)
    lay(canvas, plan, _FLAT, (16, 70, 26))
    steady = {"wander": 0.05, "clip": False}
    for number in np.unique(s.part):
        mask = s.part == number
        canvas.mask_off(mask)
        lay(canvas, plan, _FLAT, (9, 46, 13), vary=(4, 6), mask=mask, **steady)
        if rng.random() < 0.6:
            lay(canvas, plan, _FLAT, (9, 30, 5), vary=(7, 8), mask=mask, **steady)
        if rng.random() < 0.42:
            _hatch(canvas, mask, rng.choice(_TURNS))
    for k in range(count):
        canvas.mask_off(facet == k)
        for path, width, code in _outlines():
            canvas.stroke(path - shifts[k], width, code, _SCRATCH)
    canvas.mask_off(None)
    _edges(canvas)
    return canvas.finish(relief=1.2, gloss=0.15)
