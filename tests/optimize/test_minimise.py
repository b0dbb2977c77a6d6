import os
import signal

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.optimize.adam import adam
from nstjax.optimize.engine import advance, start
from nstjax.optimize.lbfgs import lbfgs
from nstjax.optimize.minimise import minimise, optimise
from nstjax.optimize.torch_lbfgs import torch_lbfgs
from nstjax.optimize.trace import concatenate

SOLVERS = {
    "adam": adam(learning_rate=0.05),
    "lbfgs": lbfgs(),
    "torch_lbfgs": torch_lbfgs(learning_rate=0.1, history=8),
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())

SHAPE = (1, 3, 4, 3)
SHARED = jnp.linspace(0.5, 8, 36).reshape(SHAPE)
TARGETS = jnp.sin(jnp.arange(36.0)).reshape(SHAPE)
X = jnp.full(SHAPE, 0.5)


def objective(x, shared, targets):
    """A quadratic, and a term that couples neighbours and is not quadratic."""
    data = jnp.sum(shared * (x - targets) ** 2)
    smooth = jnp.sum(jnp.cosh(jnp.diff(x, axis=2)) - 1)
    return data + 2 * smooth, {"data": data, "smooth": smooth}


def run(solver, evaluations=40, *, objective=objective, state=None, **options):
    bounds = options.get("bounds")
    if state is None:
        state = start(X, solver=solver, bounds=bounds)
    return minimise(
        objective,
        state,
        **{"shared": SHARED, "targets": TARGETS} | options,
        solver=solver,
        evaluations=evaluations,
    )


@every_solver
def test_minimises(solver):
    gradient = jax.grad(lambda x: objective(x, SHARED, TARGETS)[0])
    result = run(solver, 300)
    assert result.reason in ("finished", "converged")
    np.testing.assert_allclose(gradient(result.x), jnp.zeros(SHAPE), atol=2e-3)


@every_solver
def test_the_trace_tells_totals_and_terms(solver):
    result = run(solver, 12)
    trace = result.trace
    total, terms = objective(X, SHARED, TARGETS)
    np.testing.assert_allclose(trace.total[0], total, rtol=1e-6)
    np.testing.assert_allclose(trace.terms["smooth"][0], terms["smooth"], rtol=1e-6)
    np.testing.assert_allclose(
        trace.total, trace.terms["data"] + 2 * trace.terms["smooth"], rtol=1e-5
    )
    assert trace.evaluations[0] == 1
    assert trace.evaluations[-1] == int(result.state.evaluations)


@every_solver
def test_chunks_change_nothing(solver):
    whole = run(solver, 23, chunk_size=10)
    parts = run(solver, 23, chunk_size=5)
    chex.assert_trees_all_close(parts.state, whole.state, rtol=1e-6)
    chex.assert_trees_all_close(
        parts.trace.to_arrays(), whole.trace.to_arrays(), rtol=1e-6
    )


@every_solver
def test_an_interrupted_run_resumes_to_the_same_bits(solver):
    whole = run(solver, 31)

    def press_ctrl_c(progress):
        if progress.evaluations >= 12:
            raise KeyboardInterrupt

    first = run(solver, 31, on_chunk=press_ctrl_c)
    assert first.reason == "interrupted"
    assert 12 <= int(first.state.evaluations) < 31
    # As from a file: the leaves are NumPy arrays.
    state = jax.device_get(first.state)
    second = run(solver, 31, state=state)
    chex.assert_trees_all_equal(second.state, whole.state)
    trace = concatenate([first.trace, second.trace])
    chex.assert_trees_all_equal(trace.to_arrays(), whole.trace.to_arrays())
    assert second.reason == whole.reason


def test_a_state_stays_usable():
    solver = SOLVERS["torch_lbfgs"]
    state = start(X, solver=solver)
    before = jax.device_get(state)
    first = run(solver, 7, state=state)
    again = run(solver, 7, state=state)
    chex.assert_trees_all_equal(first.state, again.state)
    chex.assert_trees_all_equal(state, before)
    run(solver, 14, state=first.state)
    chex.assert_trees_all_equal(first.x, again.x)


def test_ctrl_c_inside_the_compiled_loop_waits_for_the_chunk():
    def interrupting(x, shared, targets):
        total, terms = objective(x, shared, targets)
        jax.debug.callback(press_ctrl_c, total)
        return total, terms

    seen = []

    def press_ctrl_c(total):
        seen.append(total)
        if len(seen) == 13:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    result = run(SOLVERS["adam"], 100, objective=interrupting)
    assert result.reason == "interrupted"
    assert len(result.trace) == int(result.state.evaluations) == 20
    expected = run(SOLVERS["adam"], 20)
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-6)
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_callback_may_stop_the_run():
    result = run(
        SOLVERS["adam"], 100, on_chunk=lambda progress: progress.evaluations == 30
    )
    assert result.reason == "interrupted"
    assert len(result.trace) == 30


def test_progress_tells_where_the_run_is():
    seen = []
    result = run(
        SOLVERS["adam"],
        25,
        on_chunk=lambda progress: seen.append((progress, progress.current())),
    )
    assert [progress.evaluations for progress, _ in seen] == [10, 20, 25]
    assert {progress.requested for progress, _ in seen} == {25}
    np.testing.assert_array_equal(seen[-1][1], result.x)
    for progress, _ in seen:
        newest = progress.evaluations - 1
        assert progress.total == result.trace.total[newest]
        assert progress.terms["data"] == result.trace.terms["data"][newest]
    # A copy, which later chunks do not touch.
    after_ten = run(SOLVERS["adam"], 10)
    np.testing.assert_array_equal(seen[0][1], after_ten.x)


@every_solver
def test_compiles_once(solver):
    def traced_objective(x, shared, targets):
        return objective(x, shared, targets)

    counted = chex.assert_max_traces(advance, n=1)
    compiled = jax.jit(counted, static_argnames=("objective", "solver", "rows"))
    state = start(X, solver=solver)
    for until, targets in ((10, TARGETS), (20, 2 * TARGETS), (23, TARGETS[:, ::-1])):
        state, record = compiled(
            state,
            SHARED,
            targets,
            (0.0, 1.0),
            np.int32(until),
            objective=traced_objective,
            solver=solver,
            rows=10,
        )
        assert int(state.evaluations) >= until or int(state.status) != 0
    chex.clear_trace_counter()


def test_other_pictures_and_numbers_of_evaluations_compile_nothing():
    traces = []

    def counted(x, shared, targets):
        traces.append(1)
        return objective(x, shared, targets)

    solver = SOLVERS["adam"]
    run(solver, 25, objective=counted, bounds=(0.0, 1.0))
    first = len(traces)
    assert first > 0
    run(
        adam(learning_rate=0.05),
        7,
        objective=counted,
        state=start(2 * X, solver=solver),
        shared=SHARED + 1,
        targets=-TARGETS,
        bounds=(0.1, 0.9),
    )
    assert len(traces) == first


@every_solver
def test_stays_within_bounds_of_every_channel(solver):
    low, high = np.float32([-0.1, 0.0, 0.2]), np.float32([0.3, 0.4, 0.9])
    bounds = low, high
    seen = []
    result = run(
        solver,
        60,
        bounds=bounds,
        chunk_size=3,
        on_chunk=lambda progress: seen.append(progress.current()),
    )
    for x in (*seen, start(X + 5, solver=solver, bounds=bounds).x):
        assert (x >= low).all() and (x <= high).all()
    # Some of x was pushed against its bounds, and the total still fell.
    assert (result.x == low).any() and (result.x == high).any()
    assert result.trace.total[-1] < result.trace.total[0]


def breaks_at(threshold):
    """An objective whose total is NaN once x has come below a threshold."""

    def breaking(x, shared, targets):
        total = jnp.sum(x**2)
        total = jnp.where(jnp.min(x) < threshold, jnp.nan, total)
        return total, {"sum": jnp.sum(x)}

    return breaking


def test_a_total_that_is_not_finite_ends_the_run_at_once():
    calls = []

    def counted(x, shared, targets):
        jax.debug.callback(lambda: calls.append(1))
        return breaks_at(0.2)(x, shared, targets)

    # Adam goes down by about 0.05 a step from 0.5: 0.2 is passed by the sixth
    # or seventh, within the first chunk.
    result = run(SOLVERS["adam"], 100, objective=counted)
    jax.effects_barrier()
    assert result.reason == "not_finite"
    assert len(calls) == len(result.trace) == int(result.state.evaluations) < 10
    assert np.isnan(result.trace.total[-1])
    assert np.isfinite(result.trace.total[:-1]).all()
    # The last good x: its total is the last finite one.
    np.testing.assert_allclose(
        np.sum(np.square(result.x)), result.trace.total[-2], rtol=1e-6
    )
    # Such a run cannot go on.
    again = run(SOLVERS["adam"], 100, objective=counted, state=result.state)
    assert again.reason == "not_finite" and len(again.trace) == 0


@every_solver
def test_a_run_that_begins_at_nan_gives_back_its_start(solver):
    result = run(solver, 30, objective=breaks_at(1.0))
    assert result.reason == "not_finite"
    assert len(result.trace) == 1
    np.testing.assert_array_equal(result.x, X)


@pytest.mark.parametrize("name", ["adam", "torch_lbfgs"])
def test_a_gradient_that_is_not_finite_ends_the_run(name):
    # The root of zero has an infinite slope, times zero.
    def rooted(x, shared, targets):
        return jnp.sum(jnp.sqrt(0 * x)) + jnp.sum(x**2), {}

    result = run(SOLVERS[name], 30, objective=rooted)
    assert result.reason == "not_finite"
    np.testing.assert_array_equal(result.x, X)
    np.testing.assert_allclose(result.trace.total, [0.25 * 36], rtol=1e-6)


def test_no_evaluations_change_nothing():
    result = run(SOLVERS["adam"], 0)
    np.testing.assert_array_equal(result.x, X)
    assert result.reason == "finished" and len(result.trace) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"evaluations": -1},
        {"chunk_size": 0},
        # With these the loop would go on for ever.
        {"evaluations": 2.5},
        {"evaluations": float("nan")},
        {"chunk_size": 1.5},
    ],
)
def test_refuses_impossible_numbers(wrong):
    with pytest.raises(NstjaxError, match="0 or more evaluations"):
        run(SOLVERS["adam"], **{"evaluations": 5} | wrong)


@pytest.mark.parametrize(
    "x", [np.zeros(3, np.int32), np.zeros(3, np.uint8), [0.0, 1.0], 1.0]
)
def test_refuses_a_start_that_holds_no_floating_point_numbers(x):
    with pytest.raises(NstjaxError, match="array of floating-point numbers, not"):
        optimise(lambda x, shared, targets: ((x**2).sum(), {}), x, evaluations=1)


def test_refuses_a_total_that_is_no_scalar():
    with pytest.raises(AssertionError, match="shape"):
        run(SOLVERS["adam"], 5, objective=lambda x, shared, targets: (x, {}))


@every_solver
def test_is_told_at_every_multiple_also_when_resumed(solver):
    def told(result_state=None, **options):
        heard = []
        result = run(
            solver,
            30,
            state=result_state,
            tell_every=7,
            on_chunk=lambda p: heard.append(p.evaluations) or options.get("stop"),
            before=options.get("before", 0),
        )
        return result, heard

    whole, heard = told()
    exact = solver is not SOLVERS["lbfgs"]
    for due in (7, 14, 21, 28):
        # A line search may have to be finished first.
        assert due in heard if exact else any(due <= made < due + 7 for made in heard)
    stopped, _ = told(stop=True)
    resumed, heard = told(stopped.state)
    assert not exact or {14, 21, 28} <= set(heard)
    chex.assert_trees_all_equal(resumed.x, whole.x)
    _, heard = told(before=4)
    assert not exact or {3, 10, 17, 24} <= set(heard)


@pytest.mark.parametrize(
    "bounds", [(1.0, 0.0), (0.0, float("nan")), (np.float32([0, 2]), 1.0)]
)
def test_bounds_in_the_wrong_order_are_refused(bounds):
    with pytest.raises(NstjaxError, match="the lowest and the highest x, in this"):
        optimise(lambda x, shared, targets: (x.sum(), {}), jnp.ones(2), bounds=bounds)
