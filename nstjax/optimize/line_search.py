"""A line search for the strong Wolfe conditions, one trial at a time.

In Optax's search, the objective is compiled twice, once for finding an interval and
once for narrowing it down, and a third time before the first search. A VGG and its
gradient take seconds to compile; here the loop around the search evaluates the
objective in one place. The trials are the same as in Optax's search, up to rounding.

References:
    Nocedal & Wright, 2006, "Numerical Optimization", algorithms 3.5 and 3.6.
    Hager & Zhang, 2006, "Algorithm 851: CG_DESCENT" (the approximate decrease).
"""

from typing import NamedTuple

import jax.numpy as jnp

from nstjax.types import Array

# Fractions of the first slope: how much the objective must decrease, and the largest
# slope allowed at the accepted point.
_DECREASE, _CURVATURE = 1e-4, 0.9
# Within this distance of the first value, slopes indicate a decrease more reliably than
# values.
_FLAT = 1e-6
_GROWTH = 2.0
# An interval of steps this small is not narrowed down further.
_LEAST_INTERVAL = 1e-5
# How near to the ends of an interval, as a fraction of it, a trial from cubic or
# quadratic interpolation may lie.
_CUBIC_MARGIN, _QUADRATIC_MARGIN = 0.2, 0.1


class Trial(NamedTuple):
    """A point on the line: its step, value and slope, all scalars."""

    step: Array
    value: Array
    slope: Array


class Search(NamedTuple):
    """The state of a line search.

    Attributes:
        first: the start of the line, step 0.
        low: the best trial so far with a sufficient decrease; `first` at the beginning.
        high: the other end of the interval, once there is one.
        third: a trial that was an end of the interval before.
        zooming: whether there is an interval, bool.
        next_step: the trial to make next.
        trials: the number of trials so far, int32.
        met_finite: whether any of them was finite, bool.
        ended: whether `low` is the result, bool; if its step is 0, no point was found.
    """

    first: Trial
    low: Trial
    high: Trial
    third: Trial
    zooming: Array
    next_step: Array
    trials: Array
    met_finite: Array
    ended: Array


def begin(value: Array, slope: Array) -> Search:
    """Starts a search that first tries a step of 1.

    Args:
        value: the objective at the start of the line, scalar.
        slope: the slope along the line there, below 0.
    """
    first = Trial(jnp.zeros_like(value), value, slope)
    return Search(
        first=first,
        low=first,
        high=first,
        third=first,
        zooming=jnp.zeros((), bool),
        next_step=jnp.ones_like(value),
        trials=jnp.zeros((), jnp.int32),
        met_finite=jnp.zeros((), bool),
        ended=jnp.zeros((), bool),
    )


def advance(
    search: Search, value: Array, slope: Array, *, most_trials: int
) -> tuple[Search, Array]:
    """Updates the search with the result at ``search.next_step``.

    Args:
        search: the search so far.
        value: the objective there, scalar; may be infinite or NaN.
        slope: the slope along the line there.
        most_trials: the number of trials after which the search ends with the best one.

    Returns:
        The search, and whether this trial is its new `low`, bool.
    """
    is_finite = jnp.isfinite(value) & jnp.isfinite(slope)
    trial = Trial(
        search.next_step,
        jnp.where(is_finite, value, jnp.inf),
        jnp.where(is_finite, slope, 0),
    )
    first, low, high = search.first, search.low, search.high
    sinks = _sinks_enough(first, trial)
    too_high = ~sinks | ((trial.value >= low.value) & (search.trials > 0))
    accepted = ~too_high & (jnp.abs(trial.slope) <= _CURVATURE * jnp.abs(first.slope))

    # There is no better point beyond a trial at which the objective rises again. As
    # long as there is no interval, the last trial is its lower end and lies before the
    # next trial.
    width = jnp.where(search.zooming, high.step - low.step, 1)
    turns = ~too_high & (trial.slope * width >= 0)
    zooming = search.zooming | too_high | turns
    ends = too_high | turns
    new_third = _choose(ends & search.zooming, high, low)
    new_high = _choose(too_high, trial, _choose(turns, low, high))
    new_low = _choose(too_high, low, trial)

    interval = jnp.abs(new_high.step - new_low.step)
    trials = search.trials + 1
    exhausted = (trials >= most_trials) | (zooming & (interval <= _LEAST_INTERVAL))
    new = Search(
        first=first,
        low=new_low,
        high=new_high,
        third=new_third,
        zooming=zooming,
        next_step=jnp.where(
            zooming, _within(new_low, new_high, new_third), _GROWTH * trial.step
        ),
        trials=trials,
        met_finite=search.met_finite | is_finite,
        ended=accepted | exhausted,
    )
    return new, ~too_high


def _sinks_enough(first: Trial, trial: Trial) -> Array:
    by_value = trial.value <= first.value + _DECREASE * trial.step * first.slope
    near = trial.value <= first.value + _FLAT * jnp.abs(first.value)
    return by_value | (near & (trial.slope <= (2 * _DECREASE - 1) * first.slope))


def _within(low: Trial, high: Trial, third: Trial) -> Array:
    """A step between two others, at the minimum of a function through all three."""

    def curvature(trial: Trial) -> Array:
        # A trial's value minus the linear function given by low's value and slope,
        # divided by the squared distance; for a cubic function this is linear in the
        # distance.
        distance = trial.step - low.step
        return (trial.value - low.value - low.slope * distance) / distance**2

    second = curvature(high)
    cubic = (second - curvature(third)) / (high.step - third.step)
    square = second - cubic * (high.step - low.step)
    root = jnp.sqrt(square**2 - 3 * cubic * low.slope)
    proposals = (
        (low.step + (root - square) / (3 * cubic), _CUBIC_MARGIN),
        (low.step - low.slope / (2 * second), _QUADRATIC_MARGIN),
    )
    left = jnp.minimum(low.step, high.step)
    width = jnp.abs(high.step - low.step)
    step = left + width / 2
    for proposal, margin in reversed(proposals):
        # NaN if the ends do not determine a function.
        share = (proposal - left) / width
        step = jnp.where((share > margin) & (share < 1 - margin), proposal, step)
    return step


def _choose(condition: Array, one: Trial, other: Trial) -> Trial:
    return Trial(*(jnp.where(condition, x, y) for x, y in zip(one, other, strict=True)))
