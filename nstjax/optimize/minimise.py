"""Minimises an objective of one picture, or rather of one array."""

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
    """How a run ended.

    Attributes:
        x: the last x; if the run met a total that is not finite, the last x
            before that.
        trace: what was met on the way; if the run was resumed, since then.
        state: from here `minimise` can go on.
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
    of shapes. The objective is known by its identity: give the same function
    object again (not a new lambda or partial), and the weights and pictures as
    `shared` and `targets`, and other pictures of the same size are not
    compiled for again.

    A run that was stopped and resumed with the same options gives the same
    bits as one that was not.

    Args:
        objective: what to minimise; see `nstjax.optimize.engine`.
        state: from ``start(x, solver=solver, bounds=bounds)``, or an earlier
            result's; it stays usable.
        shared: the objective's second argument, such as networks' weights.
        targets: its third, such as what a picture is compared with.
        solver: from `adam`, `lbfgs` or `torch_lbfgs`.
        evaluations: how often to evaluate the objective, in the whole run,
            those before `state` included. See the solver for what it makes of
            one; `lbfgs` may exceed the number to finish its last line search.
        chunk_size: evaluations between two calls of `on_chunk`, and between
            two moments at which Ctrl-C takes effect. Chunks cost nothing.
        bounds: the lowest and the highest x, scalars or arrays that broadcast
            against x; it is clamped to them after every update.
        on_chunk: told how far the run is; it may return True to stop it.
        tell_every: it is told exactly at the multiples of this, too (at `lbfgs`'s
            first points behind them); 0 for none.
        before: evaluations of earlier runs that the multiples count, too.
        compiler_options: of the loop, for `jax.jit`.

    Returns:
        The result. A Ctrl-C makes it an "interrupted" one, with everything up
        to the end of the chunk it fell into.
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
            differentiable in x, and its parts by name. Give the same function
            object again, and it is not compiled again.
        x: where to begin, floating-point, of any shape.
        shared: the objective's second argument, such as networks' weights.
        targets: its third, such as what a picture is compared with.
        solver: from `nstjax.optimize.adam.adam`, `nstjax.optimize.lbfgs.lbfgs` (the
            default) or `nstjax.optimize.torch_lbfgs.torch_lbfgs`.
        evaluations: how often to evaluate the objective.
        bounds: the lowest and the highest x, such as (0.0, 1.0) for pictures.
        on_chunk: told how far the run is; it may return True to stop it.

    Returns:
        The result: its `x`, its `trace` of all totals and terms, and the `reason`
        why it ended.

    Raises:
        NstjaxError: if `x` is not an array of floating-point numbers, or `evaluations`
            is not a whole number from 0 up.
    """
    if solver is None:
        # Imported here: Optax takes a moment, and not everybody needs it.
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
