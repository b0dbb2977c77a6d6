import jax
import jax.numpy as jnp
import numpy as np
import optax

from nstjax.optimize.engine import advance, start
from nstjax.optimize.lbfgs import lbfgs
from nstjax.optimize.minimise import minimise


def rosenbrock(x, shared, targets):
    valley = jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2)
    slope = jnp.sum((1 - x[:-1]) ** 2)
    return valley + slope, {"valley": valley, "slope": slope}


START = np.linspace(-1.2, 1.1, 8)


def run(objective, x, evaluations, *, bounds=None, on_chunk=None, **options):
    solver = lbfgs(**options)
    return minimise(
        objective,
        start(jnp.asarray(x), solver=solver, bounds=bounds),
        solver=solver,
        evaluations=evaluations,
        bounds=bounds,
        on_chunk=on_chunk,
    )


def plain_optax(x, iterates):
    """Optax's documented loop; gives each iterate's value and evaluations."""

    def value_fn(x):
        return rosenbrock(x, (), ())[0]

    solver = optax.lbfgs(memory_size=10)
    value_and_grad = optax.value_and_grad_from_state(value_fn)

    @jax.jit
    def step(x, state):
        value, grad = value_and_grad(x, state=state)
        updates, state = solver.update(
            grad, state, x, value=value, grad=grad, value_fn=value_fn
        )
        return optax.apply_updates(x, updates), state

    x = jnp.asarray(x)
    state = solver.init(x)
    values, trials = [value_fn(x)], [1]
    for _ in range(iterates):
        x, state = step(x, state)
        values.append(optax.tree.get(state, "value"))
        trials.append(optax.tree.get(state, "num_linesearch_steps"))
    return x, np.array(values), np.array(trials)


def test_equals_a_plain_optax_loop():
    with jax.enable_x64(True):
        x, values, trials = plain_optax(START, 20)
        result = run(rosenbrock, START, int(trials.sum()))
    np.testing.assert_allclose(result.trace.total, values, rtol=1e-8)
    np.testing.assert_array_equal(result.trace.evaluations, np.cumsum(trials))
    np.testing.assert_allclose(result.x, x, rtol=1e-8)
    assert result.reason == "finished"


def test_reports_the_terms_at_the_accepted_points():
    points = []
    with jax.enable_x64(True):
        result = run(
            rosenbrock,
            START,
            25,
            on_chunk=lambda progress: points.append(
                (progress.terms, progress.current())
            ),
        )
    assert len(points) > 2
    for terms, x in points:
        np.testing.assert_allclose(
            terms["valley"], np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2), rtol=1e-8
        )
        np.testing.assert_allclose(terms["slope"], np.sum((1 - x[:-1]) ** 2), rtol=1e-8)
    np.testing.assert_allclose(
        result.trace.total, result.trace.terms["valley"] + result.trace.terms["slope"]
    )


def test_the_objective_is_compiled_once():
    def wave(x, shared, targets):
        return jnp.sum(jnp.tan(x)), {}

    solver = lbfgs()
    state = start(jnp.zeros(3), solver=solver)
    program = jax.jit(
        lambda state: advance(
            state, (), (), None, 5, objective=wave, solver=solver, rows=5
        )
    ).lower(state)
    assert program.as_text().count("stablehlo.tan ") == 1


def test_counts_every_evaluation_of_the_objective():
    calls = []

    def counted(x, shared, targets):
        jax.debug.callback(lambda: calls.append(1))
        return rosenbrock(x, shared, targets)

    result = run(counted, START.astype(np.float32), 40)
    jax.effects_barrier()
    assert len(calls) == int(result.state.evaluations)
    # The budget is passed by less than one line search.
    assert 40 <= len(calls) < 40 + 20


def test_converges_to_the_closed_form_minimum():
    curvatures = np.logspace(0, 2, 10)
    middle = np.linspace(-1, 1, 10)

    def quadratic(x, shared, targets):
        return 0.5 * jnp.sum(curvatures * (x - middle) ** 2) + 3, {}

    with jax.enable_x64(True):
        result = run(quadratic, np.ones(10), 500)
    assert result.reason == "converged"
    assert int(result.state.evaluations) < 100
    np.testing.assert_allclose(result.x, middle, atol=1e-6)
    np.testing.assert_allclose(result.trace.total[-1], 3, rtol=1e-10)


def test_totals_never_rise():
    result = run(rosenbrock, START.astype(np.float32), 80)
    assert (np.diff(result.trace.total) <= 0).all()


def test_finds_the_minimum_within_bounds():
    # The free minimum is at 2 and -1; the nearest point of the box at 1 and -1.
    def quadratic(x, shared, targets):
        return jnp.sum(jnp.array([1.0, 5.0]) * (x - jnp.array([2.0, -1.0])) ** 2), {}

    result = run(quadratic, np.float32([0.3, 0.4]), 60, bounds=(-3.0, 1.0))
    np.testing.assert_allclose(result.x, [1, -1], atol=1e-3)
    # The trace tells the totals at the clamped points.
    np.testing.assert_allclose(result.trace.total[-1], 1, atol=1e-3)


def test_searches_past_trial_points_that_are_not_finite():
    # The first guess of a later search lands where the logarithm has none.
    def barrier(x, shared, targets):
        return jnp.sum(x - 0.01 * jnp.log(x)), {}

    result = run(barrier, np.float32([3.0, 1.0]), 100)
    assert result.reason in ("finished", "converged")
    assert np.isfinite(result.trace.total).all()
    np.testing.assert_allclose(result.x, [0.01, 0.01], rtol=0.05)


def test_stops_where_no_trial_point_is_finite():
    def cliff(x, shared, targets):
        return jnp.where(x[0] >= 1, x[0], jnp.nan), {}

    result = run(cliff, np.float32([1.0]), 100)
    assert result.reason == "not_finite"
    np.testing.assert_array_equal(result.x, [1.0])
    assert np.isnan(result.trace.total[-1])
