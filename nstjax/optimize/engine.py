"""The compiled loop, which runs any solver on any objective.

The objective has the form ``objective(x, shared, targets) -> (total, terms)``: a pure
function of an array x, in which it is differentiable, a pytree `shared` (networks'
weights) and a pytree `targets` (what a picture is compared with). It returns a scalar
and its named parts, each a scalar.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.lazy import chex  # quoted below, so that it is not imported
from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver
from nstjax.precision import check_floating
from nstjax.types import Array, Terms

Objective = Callable[[Array, Any, Any], tuple[Array, Terms]]
# The lowest and the highest x: scalars, or arrays that broadcast against x, such as one
# number for each channel.
Bounds = tuple[Any, Any]

RUNNING, CONVERGED, NOT_FINITE = range(3)


class RunState(NamedTuple):
    """All that a run needs to continue; a plain pytree of arrays.

    Attributes:
        x: the current x; always finite. Once the status is NOT_FINITE, the
            last x at which the total was finite.
        last_good: the last x at which the total was known to be finite.
        solver: the solver's own state.
        evaluations: the evaluations of the objective so far, int32.
        status: RUNNING, CONVERGED or NOT_FINITE, int32.
    """

    x: Array
    last_good: Array
    solver: "chex.ArrayTree"
    evaluations: Array
    status: Array


class Record(NamedTuple):
    """The trace of one call of `advance`, with a row for each step of the solver.

    Attributes:
        steps: the number of filled rows, int32; the rest are zero.
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
    """Makes the state of a run that starts at x, clamped to the bounds.

    Raises:
        NstjaxError: if x is not an array of floating-point numbers, or a lowest x is
            above the highest.
    """
    check_floating(x=x)
    # Fails for NaN, too.
    if bounds is not None and not np.all(np.less_equal(*bounds)):
        raise NstjaxError(
            f"bounds are the lowest and the highest x, in this order; got {bounds}"
        )
    # With an explicit dtype, x is not weakly typed. The results of the compiled loop
    # never are, so otherwise the loop would be compiled again for the second chunk.
    x = clamp(jnp.asarray(x, jnp.result_type(x)), bounds)
    return RunState(
        x=x,
        last_good=x,
        solver=solver.init(x),
        evaluations=jnp.zeros((), jnp.int32),
        status=jnp.full((), RUNNING, jnp.int32),
    )


def clamp(x: Array, bounds: Bounds | None) -> Array:
    """Clamps x to its bounds, if there are any."""
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
    """Runs until a number of evaluations is reached or the run has ended.

    The run ends at the first step at which the total or x is not finite.

    Args:
        state: where to start.
        shared: the objective's second argument.
        targets: its third argument.
        bounds: the bounds that x is clamped to after every update.
        until: the number of evaluations of the whole run to reach, scalar int32. Line
            searches are completed, so a solver that uses them may exceed it.
        objective: the objective to minimise.
        solver: the solver to use.
        rows: the most steps to make, and the number of rows of the record.
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
