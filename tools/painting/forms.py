"""Fields, curves and colours: what pictures are drawn up from."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from skimage.color import lab2rgb, rgb2lab
from skimage.filters import gaussian


def segment(
    middle: np.ndarray, angle: float, length: float, count: int = 2
) -> np.ndarray:
    """A straight path of `count` points about its middle."""
    arm = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    return middle + np.linspace(-1, 1, count)[:, None] * arm


def noise(shape: tuple[int, int], size: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth random values with deviation 1 and features of `size` cells."""
    field = gaussian(rng.standard_normal(shape), size / 2, mode="reflect")
    return (field - field.mean()) / field.std()


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, and a smooth ramp between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def curve(points: ArrayLike, count: int = 16) -> np.ndarray:
    """A Catmull-Rom spline through [M, 2] points, as [count, 2] points on it."""
    points = np.asarray(points, float)
    first, last = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    p = np.concatenate([[first], points, [last]])
    at = np.linspace(0, len(points) - 1, count)
    i = np.minimum(at.astype(int), len(points) - 2)
    t = (at - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    bend = 2 * a - 5 * b + 4 * c - d
    twist = d - a + 3 * (b - c)
    return b + 0.5 * t * (c - a + t * (bend + t * twist))


def rgb(code: str) -> np.ndarray:
    """Turns ``"#1f3a93"`` into sRGB in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def as_rgb(colour: str | np.ndarray) -> np.ndarray:
    """A colour, or colours, given by code or already in sRGB."""
    return rgb(colour) if isinstance(colour, str) else np.asarray(colour)


def mix(
    colour: np.ndarray, other: str | np.ndarray, weight: np.ndarray | float
) -> np.ndarray:
    """Blends [..., 3] colours: `weight` [...] 0 leaves them, 1 gives the other."""
    return colour + np.asarray(weight)[..., None] * (as_rgb(other) - colour)


def bump(value: np.ndarray) -> np.ndarray:
    """A Gaussian hill: 1 where `value` is 0, falling off at about 1."""
    return np.exp(-(value**2))


def ramp(codes: Sequence[str], share: np.ndarray | float) -> np.ndarray:
    """Colours along a sequence: share 0 is the first code, 1 the last."""
    colours = np.stack([rgb(code) for code in codes])
    place = np.clip(share, 0, 1) * (len(codes) - 1)
    return np.stack(
        [np.interp(place, np.arange(len(codes)), colours[:, c]) for c in range(3)], -1
    ).astype(np.float32)


def jittered(
    colours: np.ndarray, rng: np.random.Generator, lightness: float, hue: float
) -> np.ndarray:
    """Varies [N, 3] sRGB colours at random.

    Args:
        colours: in [0, 1].
        rng: source of the variation.
        lightness: standard deviation of CIE L.
        hue: standard deviation of the hue angle in CIE Lab, in degrees.
    """
    lightness_move, turn, strength = rng.standard_normal((3, len(colours)))
    lab = rgb2lab(colours)
    turn = np.exp(1j * np.radians(hue) * turn + 0.12 * strength)
    ab = (lab[:, 1] + 1j * lab[:, 2]) * turn
    lab[:, 0] = np.clip(lab[:, 0] + lightness * lightness_move, 2, 98)
    lab[:, 1], lab[:, 2] = ab.real, ab.imag
    with warnings.catch_warnings():
        # Colours outside of sRGB are clipped, which is what is wanted.
        warnings.simplefilter("ignore")
        return np.clip(lab2rgb(lab), 0, 1).astype(np.float32)
