"""The compiled loop: some evaluations of any objective with any solver.

What is minimised arrives as ``objective(x, shared, targets) -> (total,
terms)``: a pure function, differentiable in the array x, of a pytree `shared`
(networks' weights) and a pytree `targets` (what one picture is compared with),
that returns a scalar and its parts by name, each a scalar.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex  # quoted below, so that it is not imported
from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver
from nstjax.types import Array, Terms

Objective = Callable[[Array, Any, Any], tuple[Array, Terms]]
# The lowest and the highest x: scalars, or arrays that broadcast against x,
# such as one number per channel.
Bounds = tuple[Any, Any]

RUNNING, CONVERGED, NOT_FINITE = range(3)


class RunState(NamedTuple):
    """All that a run needs to go on; a plain pytree of arrays.

    Attributes:
        x: the current x; always finite. Once the status is NOT_FINITE, the
            last x at which the total was finite.
        last_good: the last x at which the total was known to be finite.
        solver: the solver's own state.
        evaluations: of the objective so far, int32.
        status: RUNNING, CONVERGED or NOT_FINITE, int32.
    """

    x: Array
    last_good: Array
    solver: "chex.ArrayTree"
    evaluations: Array
    status: Array


class Record(NamedTuple):
    """What one call of `advance` saw, a row for each step of the solver.

    Attributes:
        steps: how many rows are filled, int32; the rest are zero.
        evaluations: evaluations of the run up to and including the row's,
            [R] int32.
        total: [R].
        terms: by name, [R] each.
    """

    steps: Array
    evaluations: Array
    total: Array
    terms: Terms


def start(x: Array, *, solver: Solver, bounds: Bounds | None = None) -> RunState:
    """Makes the state of a run that begins at x, moved into the bounds.

    Raises:
        NstjaxError: if x is not an array of floating-point numbers.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise NstjaxError(
            "x must be an array of floating-point numbers, not "
            f"{type(x).__name__ if dtype is None else dtype}; of a picture of uint8, "
            "divide by 255"
        )
    # With its dtype named, x is not weakly typed. What the compiled loop returns never
    # is, so that the second chunk would be compiled again otherwise.
    x = clamp(jnp.asarray(x, jnp.result_type(x)), bounds)
    return RunState(
        x=x,
        last_good=x,
        solver=solver.init(x),
        evaluations=jnp.zeros((), jnp.int32),
        status=jnp.full((), RUNNING, jnp.int32),
    )


def clamp(x: Array, bounds: Bounds | None) -> Array:
    """Moves x into its bounds, if there are any."""
    return x if bounds is None else jnp.clip(x, *bounds).astype(x.dtype)


def advance(
    state: RunState,
    shared: Any,
    targets: Any,
    bounds: Bounds | None,
    until: Array,
    *,
    objective: Objective,
    solver: Solver,
    rows: int,
) -> tuple[RunState, Record]:
    """Runs until a number of evaluations is reached, or the run has ended.

    A total that is not finite ends the run at the step that met it, and so
    does an x that is not.

    Args:
        state: where to begin.
        shared: the objective's second argument.
        targets: its third.
        bounds: bounds of x, which it is clamped to after every update.
        until: evaluations of the whole run to reach, scalar int32. A line
            search is not broken off, so its solver may exceed this number.
        objective: what to minimise.
        solver: how.
        rows: the most steps to make; the record has as many rows.
    """

    def objective_of_x(x: Array) -> tuple[Array, Terms]:
        total, terms = objective(x, shared, targets)
        chex.assert_shape([total, *terms.values()], ())
        return total, terms

    def goes_on(carry: tuple[RunState, Record]) -> Array:
        state, record = carry
        return (
            (state.status == RUNNING)
            & (state.evaluations < until)
            & (record.steps < rows)
        )

    def body(carry: tuple[RunState, Record]) -> tuple[RunState, Record]:
        state, record = carry
        state, total, terms = _step(
            state, objective_of_x, solver, partial(clamp, bounds=bounds)
        )
        row = record.steps
        return state, Record(
            steps=row + 1,
            evaluations=record.evaluations.at[row].set(state.evaluations),
            total=record.total.at[row].set(total),
            terms={name: record.terms[name].at[row].set(terms[name]) for name in terms},
        )

    total, terms = jax.eval_shape(objective_of_x, state.x)
    empty = Record(
        steps=jnp.zeros((), jnp.int32),
        evaluations=jnp.zeros(rows, jnp.int32),
        total=jnp.zeros(rows, total.dtype),
        terms={name: jnp.zeros(rows, term.dtype) for name, term in terms.items()},
    )
    return jax.lax.while_loop(goes_on, body, (state, empty))


def _step(
    state: RunState, objective: ObjectiveOfX, solver: Solver, clamp_x: Clamp
) -> tuple[RunState, Array, Terms]:
    step = solver.step(objective, state.x, state.solver, clamp_x)
    total_is_finite = jnp.isfinite(step.total)
    is_finite = total_is_finite & jnp.all(jnp.isfinite(step.x))
    last_good = jnp.where(total_is_finite, state.x, state.last_good)
    status = jnp.where(step.converged, CONVERGED, RUNNING)
    status = jnp.where(is_finite, status, NOT_FINITE)
    new_state = RunState(
        x=jnp.where(is_finite, step.x, last_good),
        last_good=last_good,
        solver=step.state,
        evaluations=state.evaluations + step.evaluations,
        status=status.astype(state.status.dtype),
    )
    return new_state, step.total, step.terms
