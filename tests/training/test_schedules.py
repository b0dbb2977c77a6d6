"""Schedules and the optimiser against closed forms and Adam in NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nstjax.errors import NstjaxError
from nstjax.training.schedules import make_optimizer, make_schedule

STEPS = np.arange(0, 1001, 37)


def values(schedule) -> np.ndarray:
    return np.array([schedule(jnp.asarray(step)) for step in STEPS])


class TestMakeSchedule:
    def test_constant(self):
        schedule = make_schedule("constant", learning_rate=3e-4, steps=1000)
        np.testing.assert_allclose(values(schedule), 3e-4, rtol=1e-6)

    def test_inverse_time_is_that_of_adain(self):
        # train.lua: learningRate / (1 + iteration * learningRateDecay).
        schedule = make_schedule(
            "inverse_time", learning_rate=1e-4, steps=1000, decay_rate=5e-5
        )
        expected = 1e-4 / (1 + STEPS * 5e-5)
        np.testing.assert_allclose(values(schedule), expected, rtol=1e-6)

    def test_cosine_goes_down_to_zero(self):
        schedule = make_schedule("cosine", learning_rate=2e-3, steps=1000)
        expected = 2e-3 * (1 + np.cos(np.pi * STEPS / 1000)) / 2
        np.testing.assert_allclose(values(schedule), expected, rtol=1e-4, atol=1e-9)

    def test_warmup_stands_in_front(self):
        schedule = make_schedule(
            "cosine", learning_rate=2e-3, steps=1000, warmup_steps=100
        )
        cosine = 2e-3 * (1 + np.cos(np.pi * (STEPS - 100) / 900)) / 2
        expected = np.where(STEPS < 100, 2e-3 * STEPS / 100, cosine)
        np.testing.assert_allclose(values(schedule), expected, rtol=1e-4, atol=1e-9)

    def test_unknown_names_are_refused(self):
        with pytest.raises(NstjaxError, match="'linear'.*constant, inverse_time"):
            make_schedule("linear", learning_rate=1.0, steps=1)

    @pytest.mark.parametrize("name", ["learning_rate", "steps", "warmup_steps"])
    def test_negative_numbers_are_refused(self, name):
        options = {"learning_rate": 1.0, "steps": 1} | {name: -1}
        with pytest.raises(NstjaxError, match="negative"):
            make_schedule("constant", **options)


def adam(params, gradients, rates, *, clip_norm=0.0, b1=0.9, b2=0.999):
    """Kingma & Ba, Algorithm 1, in float64; after each update, the params."""
    params = {name: value.astype(np.float64) for name, value in params.items()}
    m = {name: np.zeros_like(value) for name, value in params.items()}
    v = {name: np.zeros_like(value) for name, value in params.items()}
    history = []
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        norm = np.sqrt(
            sum((g.astype(np.float64) ** 2).sum() for g in gradient.values())
        )
        scale = min(1, clip_norm / norm) if clip_norm else 1
        for name, g in gradient.items():
            g = g * scale
            m[name] = b1 * m[name] + (1 - b1) * g
            v[name] = b2 * v[name] + (1 - b2) * g**2
            mean, square = m[name] / (1 - b1**t), v[name] / (1 - b2**t)
            params[name] = params[name] - rate * mean / (np.sqrt(square) + 1e-8)
        history.append(dict(params))
    return history


def random_trees(count: int) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    return [
        {
            "kernel": random.normal(size=(3, 4)).astype(np.float32),
            "bias": random.normal(size=4).astype(np.float32),
        }
        for _ in range(count)
    ]


def run(optimizer, params, gradients):
    state, history = optimizer.init(params), []
    for gradient in gradients:
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        history.append(params)
    return history


class TestMakeOptimizer:
    @pytest.mark.parametrize("clip_norm", [0.0, 1.5])
    def test_is_adam(self, clip_norm):
        params, *gradients = random_trees(9)
        optimizer = make_optimizer(
            lambda update: 1e-2 / (1 + 0.1 * update), clip_norm=clip_norm
        )
        rates = 1e-2 / (1 + 0.1 * np.arange(8))
        expected = adam(params, gradients, rates, clip_norm=clip_norm)
        result = run(optimizer, params, gradients)
        chex.assert_trees_all_close(result, expected, rtol=1e-5, atol=1e-6)

    def test_agrees_with_torch(self):
        torch = pytest.importorskip("torch")
        params, *gradients = random_trees(6)
        tensors = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
        theirs = torch.optim.Adam(tensors.values(), lr=1e-2)
        for gradient in gradients:
            for name, tensor in tensors.items():
                tensor.grad = torch.tensor(gradient[name])
            theirs.step()
        ours = run(make_optimizer(lambda update: 1e-2), params, gradients)[-1]
        expected = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
        chex.assert_trees_all_close(ours, expected, rtol=1e-5, atol=1e-6)

    def test_accumulates_means_and_counts_batches(self):
        params, *gradients = random_trees(13)

        def schedule(step):
            return 1e-2 / (1 + 0.1 * step)

        optimizer = make_optimizer(schedule, clip_norm=1.5, accumulate_steps=3)
        means = [
            jax.tree.map(lambda *g: np.mean(g, 0), *gradients[i : i + 3])
            for i in range(0, 12, 3)
        ]
        # The rate at the first batch of each update: 0, 3, 6, 9.
        rates = 1e-2 / (1 + 0.1 * np.arange(0, 12, 3))
        expected = adam(params, means, rates, clip_norm=1.5)
        result = run(optimizer, params, gradients)
        chex.assert_trees_all_close(result[2::3], expected, rtol=1e-5, atol=1e-6)
        # Nothing moves in between.
        chex.assert_trees_all_equal(result[3], result[2])
        chex.assert_trees_all_equal(result[4], result[2])

    def test_muon_orthogonalises_kernels(self):
        """By the singular values that five Newton-Schulz iterations leave."""
        random = np.random.default_rng(0)
        shapes = {"kernel": (3, 3, 4, 6), "dense": (8, 5), "bias": (6,)}
        params = {
            n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()
        }
        gradient = {
            n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()
        }
        optimizer = make_optimizer(lambda update: 1e-2, name="muon")
        (result,) = run(optimizer, params, [gradient])
        moved = jax.tree.map(
            lambda before, after: (before - after) / 1e-2, params, result
        )
        for name in ("kernel", "dense"):
            matrix = gradient[name].reshape(-1, shapes[name][-1]).astype(np.float64)
            left, values, right = np.linalg.svd(matrix, full_matrices=False)
            values /= np.linalg.norm(values)
            for _ in range(5):
                values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
            expected = 0.2 * np.sqrt(max(matrix.shape)) * (left * values) @ right
            step = np.reshape(moved[name], matrix.shape)
            np.testing.assert_allclose(step, expected, rtol=1e-3, atol=2e-4)
        # The gradient's sign, and where Nesterov's momentum looks ahead.
        expected = (0.9 * 0.1 / (1 - 0.9**2) + 1) * np.sign(gradient["bias"])
        np.testing.assert_allclose(moved["bias"], expected, rtol=1e-3)

    def test_unknown_optimizers_are_refused(self):
        with pytest.raises(NstjaxError, match="'sgd'.*adam, muon"):
            make_optimizer(lambda update: 1e-2, name="sgd")
