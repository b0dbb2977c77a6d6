"""The training step on a small regression with a closed-form gradient."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from nstjax.sharding import make_data_mesh, replicated
from nstjax.training.schedules import make_optimizer
from nstjax.training.step import init_state, make_eval_step, make_train_step

BATCH, INPUTS, OUTPUTS = 12, 5, 3
RANDOM = np.random.default_rng(0)
PARAMS = {"kernel": RANDOM.normal(size=(INPUTS, OUTPUTS)).astype(np.float32)}
FROZEN = {"offset": RANDOM.normal(size=OUTPUTS).astype(np.float32)}


def make_batch(seed: int, rows: int = BATCH) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "x": random.normal(size=(rows, INPUTS)).astype(np.float32),
        "y": random.normal(size=(rows, OUTPUTS)).astype(np.float32),
    }


def loss(params, frozen, batch, key):
    prediction = batch["x"].astype(params["kernel"].dtype) @ params["kernel"]
    prediction = (prediction + frozen["offset"]).astype(jnp.float32)
    error = jnp.mean((prediction - batch["y"]) ** 2)
    size = jnp.mean(params["kernel"].astype(jnp.float32) ** 2)
    return error + 0.1 * size, {"error": error, "size": size}


def gradient_of(kernel: np.ndarray, batch) -> np.ndarray:
    """The derivative of `loss` by hand, in float64."""
    kernel = kernel.astype(np.float64)
    residual = batch["x"] @ kernel + FROZEN["offset"] - batch["y"]
    return 2 * batch["x"].T @ residual / residual.size + 0.2 * kernel / kernel.size


def make(optimizer, **options):
    mesh = make_data_mesh(jax.devices()[:1])
    step = make_train_step(loss, optimizer, mesh=mesh, **({"seed": 0} | options))
    return step, init_state(jax.tree.map(jnp.asarray, PARAMS), optimizer)


def run(step, state, batches):
    reports = []
    for batch in batches:
        state, report = step(state, FROZEN, batch)
        reports.append(jax.device_get(report))
    return state, reports


def test_takes_the_gradient_step():
    step, state = make(optax.sgd(0.1))
    batch = make_batch(0)
    state, (report,) = run(step, state, [batch])
    gradient = gradient_of(PARAMS["kernel"], batch)
    np.testing.assert_allclose(
        state.params["kernel"], PARAMS["kernel"] - 0.1 * gradient, rtol=1e-5, atol=1e-6
    )
    assert int(state.step) == 1
    norm = np.sqrt((gradient**2).sum())
    np.testing.assert_allclose(report["gradient_norm"], norm, rtol=1e-5)


def test_reports_every_term_before_the_step():
    step, state = make(optax.sgd(0.1))
    batch = make_batch(0)
    _, (report,) = run(step, state, [batch])
    residual = batch["x"] @ PARAMS["kernel"] + FROZEN["offset"] - batch["y"]
    error, size = (residual**2).mean(), (PARAMS["kernel"] ** 2).mean()
    assert set(report) == {"error", "size", "total", "gradient_norm"}
    np.testing.assert_allclose(report["error"], error, rtol=1e-5)
    np.testing.assert_allclose(report["size"], size, rtol=1e-5)
    np.testing.assert_allclose(report["total"], error + 0.1 * size, rtol=1e-5)


def test_micro_batches_equal_one_big_batch():
    big = [make_batch(seed, rows=12) for seed in range(5)]
    small = [
        {name: value[i : i + 4] for name, value in batch.items()}
        for batch in big
        for i in (0, 4, 8)
    ]

    def schedule(step):
        return 0.02 / (1 + 0.01 * step)

    options = {"clip_norm": 1.0}
    step, state = make(
        make_optimizer(lambda update: schedule(3 * update), **options),
        average_decay=0.9,
    )
    expected, _ = run(step, state, big)
    step, state = make(
        make_optimizer(schedule, accumulate_steps=3, **options),
        average_decay=0.9,
        accumulate_steps=3,
    )
    result, _ = run(step, state, small)
    assert int(result.step) == 15
    chex.assert_trees_all_close(result.params, expected.params, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(result.average, expected.average, rtol=1e-5, atol=1e-6)


def test_average_is_exponential_and_starts_low():
    step, state = make(optax.sgd(0.1), average_decay=0.5)
    expected = PARAMS["kernel"].astype(np.float64)
    for n in range(20):
        state, _ = run(step, state, [make_batch(n)])
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * np.asarray(state.params["kernel"])
        np.testing.assert_allclose(
            state.average["kernel"], expected, rtol=1e-5, atol=1e-6
        )


def test_without_decay_the_average_is_the_params():
    step, state = make(optax.sgd(0.1))
    state, _ = run(step, state, [make_batch(n) for n in range(3)])
    chex.assert_trees_all_equal(state.average, state.params)


def test_traces_once():
    traced = []

    def counted(*arguments):
        traced.append(1)
        return loss(*arguments)

    mesh, optimizer = make_data_mesh(jax.devices()[:1]), make_optimizer(lambda n: 1e-3)
    step = make_train_step(counted, optimizer, mesh=mesh, seed=0)
    state = init_state(jax.tree.map(jnp.asarray, PARAMS), optimizer)
    state = jax.device_put(state, replicated(mesh))
    run(step, state, [make_batch(n) for n in range(4)])
    assert len(traced) == 1


def test_each_step_has_its_own_key():
    def noisy(params, frozen, batch, key):
        noise = jax.random.normal(key, ())
        return jnp.sum(params["kernel"] ** 2), {"noise": noise}

    def noises(seed):
        optimizer = optax.sgd(0.0)
        mesh = make_data_mesh(jax.devices()[:1])
        step = make_train_step(noisy, optimizer, mesh=mesh, seed=seed)
        state = init_state(jax.tree.map(jnp.asarray, PARAMS), optimizer)
        _, reports = run(step, state, [make_batch(0)] * 4)
        return [float(report["noise"]) for report in reports]

    first = noises(0)
    assert len(set(first)) == 4
    assert noises(0) == first
    assert not set(noises(1)) & set(first)


def test_evaluation_changes_nothing_and_reports_the_loss():
    mesh = make_data_mesh(jax.devices()[:1])
    evaluate = make_eval_step(loss, mesh=mesh)
    batch = make_batch(0)
    report = evaluate(PARAMS, FROZEN, batch)
    residual = batch["x"] @ PARAMS["kernel"] + FROZEN["offset"] - batch["y"]
    np.testing.assert_allclose(report["error"], (residual**2).mean(), rtol=1e-5)
    assert set(report) == {"error", "size", "total"}


def test_evaluation_is_repeatable():
    def noisy(params, frozen, batch, key):
        return jax.random.normal(key, ()), {}

    evaluate = make_eval_step(noisy, mesh=make_data_mesh(jax.devices()[:1]))
    first, second = (evaluate(PARAMS, FROZEN, make_batch(n)) for n in range(2))
    assert first == second
