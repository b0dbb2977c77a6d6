import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nstjax.optimize.adam import adam
from nstjax.optimize.engine import start
from nstjax.optimize.minimise import minimise

X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(1, 2, 2, 3)


def objective(x, shared, targets):
    """A quartic well, narrow in some directions."""
    width = shared * (x - targets) ** 2
    return jnp.sum(width + width**2), {"width": jnp.sum(width)}


SHARED = np.linspace(0.1, 3, 12, dtype=np.float32).reshape(X.shape)
TARGETS = np.float32(0.25)


def run(evaluations, **options):
    solver = adam(**options)
    return minimise(
        objective,
        start(jnp.asarray(X), solver=solver),
        shared=SHARED,
        targets=TARGETS,
        solver=solver,
        evaluations=evaluations,
    )


def test_equals_a_plain_optax_loop():
    transformation = optax.adam(0.05, b1=0.8)
    x = jnp.asarray(X)
    state, totals, widths = transformation.init(x), [], []
    value_and_grad = jax.jit(jax.value_and_grad(objective, has_aux=True))
    for _ in range(25):
        (total, terms), gradient = value_and_grad(x, SHARED, TARGETS)
        updates, state = transformation.update(gradient, state, x)
        x = optax.apply_updates(x, updates)
        totals.append(total)
        widths.append(terms["width"])

    result = run(25, learning_rate=0.05, beta1=0.8)
    np.testing.assert_allclose(result.trace.total, totals, rtol=1e-5)
    np.testing.assert_allclose(result.trace.terms["width"], widths, rtol=1e-5)
    np.testing.assert_array_equal(result.trace.evaluations, np.arange(1, 26))
    np.testing.assert_allclose(result.x, x, rtol=1e-5, atol=1e-6)
    assert result.reason == "finished"


def test_equals_torch():
    torch = pytest.importorskip("torch")
    parameter = torch.tensor(X, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=0.05, betas=(0.9, 0.99), eps=1e-4)
    totals = []
    for _ in range(25):
        optimizer.zero_grad()
        width = torch.tensor(SHARED) * (parameter - float(TARGETS)) ** 2
        total = (width + width**2).sum()
        total.backward()
        optimizer.step()
        totals.append(total.item())

    result = run(25, learning_rate=0.05, beta2=0.99, epsilon=1e-4)
    np.testing.assert_allclose(result.trace.total, totals, rtol=1e-5)
    np.testing.assert_allclose(
        result.x, parameter.detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_approaches_the_closed_form_minimum():
    result = run(1000, learning_rate=0.05)
    np.testing.assert_allclose(result.x, np.full_like(X, TARGETS), atol=1e-3)


def test_equal_options_give_the_identical_solver():
    assert adam(learning_rate=0.05) is adam(learning_rate=0.05)
    assert adam(learning_rate=0.05) is not adam(learning_rate=0.06)
