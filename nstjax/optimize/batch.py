"""Minimises an objective of many pictures at once, shared out over devices."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from nstjax.lazy import chex
from nstjax.optimize import engine
from nstjax.optimize.driver import OnChunk, Progress, drive, stop_reason
from nstjax.optimize.engine import CONVERGED, Bounds, Objective, Record, RunState
from nstjax.optimize.solver import Solver
from nstjax.optimize.trace import Trace, join_records
from nstjax.sharding import DATA_AXIS, batch_sharded, make_data_mesh, replicated
from nstjax.types import Array


@dataclasses.dataclass(frozen=True)
class BatchResult:
    """How a run of N pictures ended; see `nstjax.optimize.minimise.Result`.

    Attributes:
        x: the last x of every picture, [N, ...].
        traces: every picture's.
        state: from here `minimise_batch` can go on; every array's first axis
            is that of pictures.
        reasons: why each picture's run ended.
    """

    x: Array
    traces: tuple[Trace, ...]
    state: RunState
    reasons: tuple[str, ...]


def start_batch(x: Array, *, solver: Solver, bounds: Bounds | None = None) -> RunState:
    """Makes the state of a run that begins at N pictures x, [N, ...].

    Every picture gets a solver state of its own.
    """
    return jax.vmap(partial(engine.start, solver=solver, bounds=bounds))(x[:, None])


def minimise_batch(
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
    mesh: Mesh | None = None,
    at_a_time: int | None = None,
) -> BatchResult:
    """Runs `minimise` for N pictures, each on its own.

    The pictures are shared out evenly over the devices of a mesh. One that
    converges or meets a total that is not finite leaves the others alone.

    Args:
        objective: as for `minimise`. It sees one picture, x and targets with
            a first axis of 1.
        state: from `start_batch`, or an earlier result's.
        shared: the same for all pictures.
        targets: a pytree of arrays whose first axis is that of pictures.
        solver: as for `minimise`.
        evaluations: of each picture.
        chunk_size: as for `minimise`, in evaluations of each picture.
        bounds: the same for all pictures.
        on_chunk: as for `minimise`; told arrays of N totals and terms.
        mesh: from `make_data_mesh`; by default, of all devices.
        at_a_time: how many pictures a device works on together. One after
            the other, the default, gives each the very result of `minimise`
            and keeps a CPU as busy as it can be. Several together use an
            accelerator better if pictures are small, agree up to rounding,
            and wait for each other in `lbfgs`'s line searches.

    Returns:
        The result.
    """
    mesh = make_data_mesh() if mesh is None else mesh
    pictures = len(state.status)
    chex.assert_tree_shape_prefix((state, targets), (pictures,))
    layout = batch_sharded(mesh)
    advance = partial(
        _advance,
        shared=jax.device_put(shared, replicated(mesh)),
        targets=jax.device_put(_pad(targets, mesh.size), layout),
        bounds=bounds,
        objective=objective,
        solver=solver,
        rows=chunk_size,
        mesh=mesh,
        at_a_time=at_a_time,
    )

    def tell(progress: Progress) -> bool | None:
        own = {name: term[:pictures] for name, term in progress.terms.items()}
        return on_chunk(
            dataclasses.replace(
                progress,
                total=progress.total[:pictures],
                terms=own,
                current=lambda: progress.current()[:pictures, 0],
            )
        )

    padded = _pad(state, mesh.size)
    # Padding is done before it begins.
    status = padded.status.at[pictures:].set(CONVERGED)
    state, records = drive(
        lambda state, until: advance(state, until=until),
        jax.device_put(padded._replace(status=status), layout),
        evaluations=evaluations,
        chunk_size=chunk_size,
        on_chunk=None if on_chunk is None else tell,
    )
    state = jax.tree.map(lambda leaf: leaf[:pictures], state)
    made, status = jax.device_get((state.evaluations, state.status))
    return BatchResult(
        x=state.x[:, 0],
        traces=tuple(
            join_records([_of_picture(record, index) for record in records])
            for index in range(pictures)
        ),
        state=state,
        reasons=tuple(
            stop_reason(status[index], made[index], evaluations)
            for index in range(pictures)
        ),
    )


@partial(
    jax.jit,
    static_argnames=("objective", "solver", "rows", "mesh", "at_a_time"),
    donate_argnames=("state",),
)
def _advance(
    state: RunState,
    shared: Any,
    targets: Any,
    bounds: Bounds | None,
    until: Array,
    *,
    objective: Objective,
    solver: Solver,
    rows: int,
    mesh: Mesh,
    at_a_time: int | None,
) -> tuple[RunState, Record]:
    """`engine.advance` for every picture."""

    def on_one_device(state, shared, targets, bounds, until):
        def of_one_picture(own: tuple[RunState, Any]) -> tuple[RunState, Record]:
            state, targets = own
            return engine.advance(
                state,
                shared,
                jax.tree.map(lambda target: target[None], targets),
                bounds,
                until,
                objective=objective,
                solver=solver,
                rows=rows,
            )

        return jax.lax.map(of_one_picture, (state, targets), batch_size=at_a_time)

    pictures, everything = PartitionSpec(DATA_AXIS), PartitionSpec()
    return jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(pictures, everything, pictures, everything, everything),
        out_specs=pictures,
        # The devices have nothing to tell each other, so there is nothing to
        # check; the loop's constants would need casts to pass.
        check_vma=False,
    )(state, shared, targets, bounds, until)


def _pad(tree: Any, multiple: int) -> Any:
    """Repeats the last picture until the devices can share them evenly."""

    def pad(leaf: Array) -> Array:
        missing = -len(leaf) % multiple
        return jnp.concatenate([leaf, jnp.repeat(leaf[-1:], missing, axis=0)])

    return jax.tree.map(pad, tree)


def _of_picture(record: Record, index: int) -> Record:
    return jax.tree.map(lambda leaf: leaf[index], record)
