"""A peacock in mosaic: square stones in rows that follow the forms.

The stones are placed as in A. Hausner, "Simulating decorative mosaics"
(SIGGRAPH 2001): a centroidal Voronoi tessellation in a square metric turned
to the direction field, whose stones keep clear of the edges of the drawing.
"""

import numpy as np

from ..canvas import Brush, Canvas
from ..forms import grid, jittered, ramp, rgb, smoothstep
from ..layers import scatter

WIDTH, HEIGHT = 528, 448
_HUB = (264, 330)
_BORDER = 26


def _drawing(x, y):
    """Part number, colour and direction of the rows, for every cell."""
    dx, dy = x - _HUB[0], y - _HUB[1]
    r, a = np.hypot(dx, dy), np.arctan2(dx, -dy)
    part = np.zeros(x.shape, int)
    arcs = np.hypot(x - 264, y - 560)
    colour = ramp(["#e9cf8a", "#d9b45a", "#f1dfae", "#cfa548"], (arcs / 61) % 1)
    angle = np.arctan2(x - 264, -(y - 560))

    fan = (r < 272) & (np.abs(a) < 1.66)
    tail = ramp(["#0f4a4a", "#1a7a6a", "#2f9a5f", "#6fb04a", "#1f6a6f"], r / 272)
    vane = np.abs(np.sin(a * 13)) ** 0.5
    tail = tail * (0.72 + 0.4 * vane[..., None])
    part = np.where(fan, 1 + (np.floor(a * 13 / np.pi + 50)).astype(int) % 2, part)
    colour = np.where(fan[..., None], tail, colour)
    angle = np.where(fan, np.arctan2(dy, dx), angle)
    rim = fan & (r > 258)
    part = np.where(rim, 3, part)
    colour = np.where(rim[..., None], rgb("#d9c04a"), colour)
    angle = np.where(rim, np.arctan2(dx, -dy), angle)

    for ring, (radius, count, size) in enumerate(
        [(128, 6, 23), (180, 8, 26), (232, 11, 28)]
    ):
        for k in range(count):
            turn = (k + 0.5 - count / 2) / count * 3.2
            ex, ey = _HUB[0] + radius * np.sin(turn), _HUB[1] - radius * np.cos(turn)
            ux, uy = x - ex, y - ey
            q = np.hypot(ux, uy) / size
            bands = [(1.0, "#d8922e", 4), (0.68, "#1a2f80", 5), (0.34, "#7fe0d8", 6)]
            for limit, code, number in bands:
                eye = q < limit
                part = np.where(eye, number, part)
                colour = np.where(eye[..., None], rgb(code), colour)
                angle = np.where(eye, np.arctan2(ux, -uy), angle)

    # Body, neck and head: discs of changing size along one bowed line.
    t = np.linspace(0, 1, 70)
    spine_x = 264 + 20 * np.sin(4.2 * t) * t - 30 * smoothstep(0.72, 1, t)
    spine_y = 392 - 196 * t
    width = 52 - 35 * smoothstep(0.1, 0.6, t) + 6 * smoothstep(0.8, 0.95, t)
    nearest = np.full(x.shape, np.inf)
    flow = np.zeros(x.shape)
    for k in range(len(t)):
        q = np.hypot(x - spine_x[k], y - spine_y[k]) / width[k]
        nearer = q < nearest
        nearest = np.where(nearer, q, nearest)
        k0, k1 = max(k - 1, 0), min(k + 1, len(t) - 1)
        direction = np.arctan2(spine_y[k1] - spine_y[k0], spine_x[k1] - spine_x[k0])
        flow = np.where(nearer, direction, flow)
    body = nearest < 1
    blue = ramp(["#5fc0e6", "#2f86d0", "#1a4fae", "#122a70"], nearest)
    part = np.where(body, 8, part)
    colour = np.where(body[..., None], blue, colour)
    angle = np.where(body, flow, angle)
    hx, hy = spine_x[-1], spine_y[-1]
    beak = (x < hx - 8) & (x > hx - 46)
    beak &= np.abs(y - hy - 0.15 * (hx - x)) < 11 * (x - hx + 46) / 38
    part = np.where(beak & ~body, 9, part)
    colour = np.where((beak & ~body)[..., None], rgb("#e8a83a"), colour)
    for code, number, radius in [("#f7f0dc", 10, 10.5), ("#14121a", 11, 4.6)]:
        eye = np.hypot(x - hx + 4, y - hy + 1) < radius
        part = np.where(eye, number, part)
        colour = np.where(eye[..., None], rgb(code), colour)
    for k in range(4):
        a0 = -0.6 + 0.4 * k
        tip = np.array([hx + 50 * np.sin(a0), hy - 50 * np.cos(a0)])
        knob = np.hypot(x - tip[0], y - tip[1]) < 8
        s = (x - hx) * np.sin(a0) - (y - hy) * np.cos(a0)
        d = (x - hx) * np.cos(a0) + (y - hy) * np.sin(a0)
        quill = (np.abs(d) < 3.4) & (s > 12) & (s < 46)
        part = np.where(quill & ~body, 12, part)
        part = np.where(knob, 13, part)
        colour = np.where((quill & ~body)[..., None], rgb("#173f7a"), colour)
        colour = np.where(knob[..., None], rgb("#3fb0d8"), colour)
        angle = np.where(quill & ~body, np.arctan2(-np.cos(a0), np.sin(a0)), angle)
    for side in (-1, 1):
        leg = (np.abs(x - 264 - side * 15) < 4) & (y > 400) & (y < 440)
        part = np.where(leg & ~body, 14, part)
        colour = np.where((leg & ~body)[..., None], rgb("#8a4a24"), colour)
    return _frame(x, y, part, colour, angle)


def _frame(x, y, part, colour, angle):
    """A border of three bands with a red and cream tooth pattern."""
    depth = np.minimum(np.minimum(x, WIDTH - x), np.minimum(y, HEIGHT - y))
    sideways = np.minimum(x, WIDTH - x) < np.minimum(y, HEIGHT - y)
    run = np.where(sideways, y, x)
    tooth = (run // 18).astype(int) % 2
    middle = np.where(tooth[..., None] == 0, rgb("#a8321f"), rgb("#f1e3bd"))
    for low, high, tone, number in [
        (0, 9, rgb("#2a1f3a"), 20), (9, 18, middle, 21), (18, _BORDER, rgb("#2a1f3a"), 24)
    ]:  # fmt: skip
        band = (depth >= low) & (depth < high)
        part = np.where(band, number + (tooth if number == 21 else 0), part)
        colour = np.where(band[..., None], tone, colour)
        angle = np.where(band, np.where(sideways, np.pi / 2, 0), angle)
    return part, colour, angle


def _tessellate(part, angle, size, rng, *, rounds):
    """Places stones; returns centres [N, 2], directions [N] and sides [N]."""
    height, width = part.shape
    edge = np.zeros(part.shape, bool)
    edge[:, 1:] |= part[:, 1:] != part[:, :-1]
    edge[1:] |= part[1:] != part[:-1]
    centres = scatter(width, height, size, rng)
    reach = int(1.6 * size)
    wx, wy = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    for turn in range(rounds):
        nearest = np.full((height, width), np.inf, np.float32)
        owner = np.full((height, width), -1)
        column = np.clip(centres[:, 0].astype(int), 0, width - 1)
        row = np.clip(centres[:, 1].astype(int), 0, height - 1)
        facing = angle[row, column]
        for k in range(len(centres)):
            top, left = max(row[k] - reach, 0), max(column[k] - reach, 0)
            window = np.s_[top : row[k] + reach + 1, left : column[k] + reach + 1]
            near = nearest[window]
            part_wy = wy[top - row[k] + reach :][: near.shape[0], : near.shape[1]]
            part_wx = wx[:, left - column[k] + reach :][
                : near.shape[0], : near.shape[1]
            ]
            ox, oy = part_wx - (centres[k, 0] % 1), part_wy - (centres[k, 1] % 1)
            c, s = np.cos(facing[k]), np.sin(facing[k])
            distance = np.maximum(np.abs(ox * c + oy * s), np.abs(oy * c - ox * s))
            closer = distance < near
            near[closer] = distance[closer]
            owner[window][closer] = k
        mine = (owner >= 0) & ~edge
        rows, columns = np.nonzero(mine)
        who = owner[mine]
        area = np.bincount(who, minlength=len(centres))
        alive = area > (0.28 * size**2 if turn == rounds - 1 else 0)
        total_x = np.bincount(who, columns + 0.5, minlength=len(centres))
        total_y = np.bincount(who, rows + 0.5, minlength=len(centres))
        centres = np.stack([total_x, total_y], 1)[alive] / area[alive, None]
    column, row = centres[:, 0].astype(int), centres[:, 1].astype(int)
    return centres, angle[row, column], np.sqrt(area[alive])


def paint(scale: float, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(WIDTH, HEIGHT)
    part, colour, angle = _drawing(x, y)
    canvas = Canvas(WIDTH, HEIGHT, rgb("#3a342e"), scale=scale, rng=rng)
    stone = Brush(
        taper=(0, 0),
        point=1,
        dryness=0,
        fray=0,
        ragged=0.06,
        soft=0.02,
        pickup=0,
        bristle=3,
        streak=0.07,
        blend=0.5,
        body=2.2,
        ridge=0.0,
    )
    centres, facing, sides = _tessellate(part, angle, 8.0, rng, rounds=9)
    row, column = centres[:, 1].astype(int), centres[:, 0].astype(int)
    tones = jittered(np.clip(colour[row, column], 0, 1), rng, 6.5, 9)
    seconds = jittered(tones, rng, 5, 8)
    gleam = rng.random(len(tones)) < 0.05
    tones[gleam] = tones[gleam] + 0.45 * (1 - tones[gleam])
    for p, a, side, tone, second in zip(
        centres, facing, sides, tones, seconds, strict=True
    ):
        a = a + 0.06 * rng.standard_normal()
        half = 0.5 * 0.96 * min(side, 11)
        arm = half * np.array([np.cos(a), np.sin(a)])
        canvas.stroke(
            np.stack([p - arm, p + arm]), 1.94 * half, tone, stone, second=second
        )
    return canvas.finish(relief=1.0, gloss=0.3, weave=0.25)
