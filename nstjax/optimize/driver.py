"""The host's side of a run: runs it in chunks, with progress and Ctrl-C."""

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.interrupts import deferred_interrupt
from nstjax.optimize.engine import CONVERGED, NOT_FINITE, RUNNING, Record, RunState

# Why a run ended.
FINISHED = "finished"
INTERRUPTED = "interrupted"
DIVERGED = "not_finite"
SETTLED = "converged"


@dataclasses.dataclass(frozen=True)
class Progress:
    """The progress of a run, reported after every chunk.

    Attributes:
        evaluations: the evaluations of the objective so far.
        requested: how many there will be in all.
        total: the objective's total in the newest row of the trace.
        terms: its terms in that row.
        current: returns a copy of the current x. Call it before the callback returns,
            since the next chunk reuses the memory.
    """

    evaluations: int
    requested: int
    total: float
    terms: Mapping[str, float]
    current: Callable[[], np.ndarray]


# Called after every chunk; returning True asks the run to stop.
OnChunk = Callable[[Progress], bool | None]


def drive(
    advance: Callable[[RunState, np.int32], tuple[RunState, Record]],
    state: RunState,
    *,
    evaluations: int,
    chunk_size: int,
    on_chunk: OnChunk | None,
    tell_every: int = 0,
    before: int = 0,
) -> tuple[RunState, list[Record]]:
    """Advances a state in chunks until the run is finished or stopped.

    Args:
        advance: (state, until) -> (state, record), as `engine.advance` with
            ``rows=chunk_size``; it may consume its argument.
        state: where to start; it is not changed.
        evaluations: those of the whole run, including those already made.
        chunk_size: evaluations between two calls of `on_chunk`.
        on_chunk: see `OnChunk`.
        tell_every: chunks also end at every multiple of this; 0 for none.
        before: evaluations of earlier runs, which count towards the multiples.

    Returns:
        The last state, and the records of all chunks, on the host.

    Raises:
        NstjaxError: if a number is not a whole one, or too small.
        KeyboardInterrupt: on a second Ctrl-C while the first waits for the end of a
            chunk. A single Ctrl-C just ends the run.
    """
    # Of a fraction, the compiled loop would never make the last part.
    whole = all(isinstance(n, numbers.Integral) for n in (evaluations, chunk_size))
    if not whole or evaluations < 0 or chunk_size < 1:
        raise NstjaxError(
            "a run has 0 or more evaluations, in chunks of 1 or more, both whole "
            f"numbers; got {evaluations} and {chunk_size}"
        )
    # Copied because `advance` may consume it; leaf by leaf, because no two leaves may
    # then share memory.
    state = jax.tree.map(
        lambda leaf: jnp.array(leaf, dtype=leaf.dtype, copy=True), state
    )
    records: list[Record] = []
    try:
        while True:
            made, status = map(int, jax.device_get((state.evaluations, state.status)))
            if status != RUNNING or made >= evaluations:
                break
            until = min(made + chunk_size, evaluations)
            if tell_every:
                until = min(until, made + tell_every - (made + before) % tell_every)
            with deferred_interrupt():
                state, record = advance(state, np.int32(until))
                record = jax.device_get(record)
                records.append(record)
            if on_chunk is None:
                continue
            # A chunk makes at least one step.
            last = record.steps - 1
            progress = Progress(
                evaluations=int(state.evaluations),
                requested=evaluations,
                total=float(record.total[last]),
                terms={name: float(term[last]) for name, term in record.terms.items()},
                current=partial(np.array, state.x),
            )
            if on_chunk(progress):
                break
    except KeyboardInterrupt:
        if state.x.is_deleted():
            raise
    return state, records


def stop_reason(status: int, made: int, requested: int) -> str:
    """The reason why a run with this status and number of evaluations ended."""
    if status == NOT_FINITE:
        return DIVERGED
    if status == CONVERGED:
        return SETTLED
    return FINISHED if made >= requested else INTERRUPTED
