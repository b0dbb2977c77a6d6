"""Channel means and deviations of parts, combined in double precision."""

from typing import NamedTuple

import numpy as np

from nstjax.ops.stats import Statistics


class Moments(NamedTuple):
    """The moments of some positions.

    Attributes:
        weight: their number, or the sum of their weights.
        mean: of every channel, [C] float64.
        squares: the weighted sum of squared differences from the mean, [C] float64.
    """

    weight: float
    mean: np.ndarray
    squares: np.ndarray


def moments_of(features: np.ndarray, weights: np.ndarray | None = None) -> Moments:
    """The moments of features [..., C], with weights [..., 1] if given."""
    flat = features.reshape(-1, features.shape[-1])
    if weights is None:
        # Within a part, products around the mean use single precision, which takes a
        # third of the time. The rounding error of that mean is corrected.
        ones = np.ones(len(flat), np.float32)
        about = ones @ flat / len(flat)
        difference = flat - about
        rest = (ones @ difference).astype(np.float64) / len(flat)
        squares = ones @ np.square(difference, out=difference)
        return Moments(len(flat), about + rest, squares - len(flat) * rest**2)
    flat = flat.astype(np.float64)
    flat_weights = weights.reshape(-1).astype(np.float64)
    weight = flat_weights.sum()
    mean = flat_weights @ flat / weight if weight else np.zeros(flat.shape[1])
    return Moments(weight, mean, flat_weights @ np.square(flat - mean))


def merge(one: Moments | None, other: Moments) -> Moments:
    """The moments of both parts together; None means no positions.

    References:
        Chan, Golub & LeVeque, 1979, "Updating Formulae and a Pairwise Algorithm
        for Computing Sample Variances", equation 2.1.
    """
    if one is None or not one.weight:
        return other
    weight = one.weight + other.weight
    difference = other.mean - one.mean
    fraction = other.weight / weight
    return Moments(
        weight,
        one.mean + fraction * difference,
        one.squares + other.squares + one.weight * fraction * np.square(difference),
    )


def to_statistics(moments: Moments, *, eps: float, ddof: int = 0) -> Statistics:
    """The result of `nstjax.transforms.adain.feature_statistics` for all positions."""
    weight = moments.weight
    # An empty region gets harmless statistics, not NaN.
    divisor = weight - ddof if weight > ddof else max(weight, 1e-6)
    variance = moments.squares / divisor
    mean, std = (
        x.astype(np.float32)[None, None, None]
        for x in (moments.mean, np.sqrt(variance + eps))
    )
    return Statistics(mean, std)  # type: ignore[arg-type]  # equivalent in compiled code
