"""Minimises an objective of one array, such as a picture."""

import dataclasses
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jax

from nstjax.optimize import engine
from nstjax.optimize.driver import OnChunk, drive, stop_reason
from nstjax.optimize.engine import Bounds, Objective, RunState
from nstjax.optimize.solver import Solver
from nstjax.optimize.trace import Trace, join_records
from nstjax.types import Array


@cache
def _advance(options: tuple[tuple[str, Any], ...]) -> Any:
    return jax.jit(
        engine.advance,
        static_argnames=("objective", "solver", "rows"),
        donate_argnames=("state",),
        compiler_options=dict(options) or None,
    )


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        x: the last x; if a total was not finite, the last x before that.
        trace: the trace of the run; if the run was resumed, since then.
        state: the state from which `minimise` can continue.
        reason: one of the reasons of `nstjax.optimize.driver`: "finished",
            "interrupted", "not_finite" or "converged".
    """

    x: Array
    trace: Trace
    state: RunState
    reason: str


def minimise(
    objective: Objective,
    state: RunState,
    *,
    shared: Any = (),
    targets: Any = (),
    solver: Solver,
    evaluations: int,
    chunk_size: int = 10,
    bounds: Bounds | None = None,
    on_chunk: OnChunk | None = None,
    tell_every: int = 0,
    before: int = 0,
    compiler_options: Mapping[str, Any] | None = None,
) -> Result:
    """Minimises an objective, from `engine.start` or from where a run stopped.

    The loop is compiled once for each objective, solver, `chunk_size` and set
    of shapes. The objective is identified by the function object: if you pass the same
    object again (not a new lambda or partial), with weights and pictures as `shared`
    and `targets`, nothing is recompiled for other pictures of the same size.

    A run that is stopped and resumed with the same options gives bitwise the same
    result as an uninterrupted one.

    Args:
        objective: the objective to minimise; see `nstjax.optimize.engine`.
        state: from ``start(x, solver=solver, bounds=bounds)``, or an earlier result's;
            it remains usable.
        shared: the objective's second argument, such as networks' weights.
        targets: its third, such as what a picture is compared with.
        solver: from `adam`, `lbfgs` or `torch_lbfgs`.
        evaluations: how often to evaluate the objective in the whole run, including
            those before `state`. `lbfgs` may exceed the number to finish its last line
            search.
        chunk_size: evaluations between two calls of `on_chunk`, and between two points
            at which Ctrl-C takes effect. Chunks have no cost.
        bounds: the lowest and the highest x, scalars or arrays that broadcast against
            x, which is clamped to them after every update.
        on_chunk: called with the progress; it may return True to stop the run.
        tell_every: `on_chunk` is also called exactly at multiples of this number (for
            `lbfgs`, at the first point after each); 0 for none.
        before: evaluations of earlier runs, which count towards the multiples.
        compiler_options: options of `jax.jit` for the loop.

    Returns:
        The result; after Ctrl-C it is "interrupted" and includes everything up to the
        end of the current chunk.
    """
    advance = partial(
        _advance(tuple(sorted((compiler_options or {}).items()))),
        shared=shared,
        targets=targets,
        bounds=bounds,
        objective=objective,
        solver=solver,
        rows=chunk_size,
    )
    state, records = drive(
        lambda state, until: advance(state, until=until),
        state,
        evaluations=evaluations,
        chunk_size=chunk_size,
        on_chunk=on_chunk,
        tell_every=tell_every,
        before=before,
    )
    return Result(
        x=state.x,
        trace=join_records(records),
        state=state,
        reason=stop_reason(int(state.status), int(state.evaluations), evaluations),
    )


def optimise(
    objective: Objective,
    x: Array,
    *,
    shared: Any = (),
    targets: Any = (),
    solver: Solver | None = None,
    evaluations: int = 100,
    bounds: Bounds | None = None,
    on_chunk: OnChunk | None = None,
) -> Result:
    """Minimises a function of one array: the engine of `nstjax.stylize`.

    Args:
        objective: ``objective(x, shared, targets) -> (total, terms)``: a scalar,
            differentiable in x, and its parts by name. If you pass the same function
            object again, it is not recompiled.
        x: where to start, floating-point, of any shape.
        shared: the objective's second argument, such as networks' weights.
        targets: its third, such as what a picture is compared with.
        solver: from `nstjax.optimize.adam.adam`, `nstjax.optimize.lbfgs.lbfgs` (the
            default) or `nstjax.optimize.torch_lbfgs.torch_lbfgs`.
        evaluations: how often to evaluate the objective.
        bounds: the lowest and the highest x, such as (0.0, 1.0) for pictures.
        on_chunk: called with the progress; it may return True to stop the run.

    Returns:
        The result: its `x`, its `trace` of all totals and terms, and the `reason`
        why it ended.

    Raises:
        NstjaxError: if `x` is not an array of floating-point numbers, `evaluations` is
            not a whole number from 0 up, or a lowest x is above the highest.
    """
    if solver is None:
        # Imported here: Optax takes a moment to import and is not always needed.
        from nstjax.optimize.lbfgs import lbfgs

        solver = lbfgs()
    return minimise(
        objective,
        engine.start(x, solver=solver, bounds=bounds),
        shared=shared,
        targets=targets,
        solver=solver,
        evaluations=evaluations,
        bounds=bounds,
        on_chunk=on_chunk,
    )
