import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.optimize.inverse_hessian import empty_history, remember, times_vector

SIZE = 12


def pairs_of_a_quadratic(count):
    """Steps s and gradient differences y = A s of a convex quadratic."""
    random = np.random.default_rng(0)
    root = random.normal(size=(SIZE, SIZE))
    hessian = root @ root.T + np.eye(SIZE)
    steps = random.normal(size=(count, SIZE))
    return steps, steps @ hessian


def two_loops(steps, differences, vector):
    """Nocedal & Wright's algorithm 7.4, in float64."""
    q, alphas = vector.astype(np.float64), []
    for s, y in zip(steps[::-1], differences[::-1], strict=True):
        alphas.append(s @ q / (s @ y))
        q = q - alphas[-1] * y
    r = q
    if len(steps):
        r = q * (steps[-1] @ differences[-1]) / (differences[-1] @ differences[-1])
    for s, y, alpha in zip(steps, differences, alphas[::-1], strict=True):
        r = r + (alpha - y @ r / (s @ y)) * s
    return r


def fill(history, steps, differences, kept):
    add = jax.jit(remember)
    for s, y, keep in zip(steps, differences, kept, strict=True):
        history = add(history, jnp.asarray(s), jnp.asarray(y), keep=keep)
    return history


# 60 pairs are three blocks of rows, the last one shorter.
@pytest.mark.parametrize(
    ("capacity", "count"), [(1, 4), (4, 0), (4, 3), (4, 4), (4, 11), (60, 30), (60, 70)]
)
def test_equals_the_two_loops(capacity, count):
    steps, differences = pairs_of_a_quadratic(count)
    vector = np.random.default_rng(1).normal(size=SIZE)
    with jax.enable_x64(True):
        history = fill(
            empty_history(capacity, SIZE, jnp.float64),
            steps,
            differences,
            np.ones(count, bool),
        )
        result = jax.jit(times_vector)(history, jnp.asarray(vector))
        chex.assert_type(result, jnp.float64)
    newest = slice(max(0, count - capacity), None)
    expected = two_loops(steps[newest], differences[newest], vector)
    np.testing.assert_allclose(result, expected, rtol=1e-8)


def test_pairs_not_kept_leave_no_mark():
    steps, differences = pairs_of_a_quadratic(9)
    kept = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1], bool)
    empty = empty_history(4, SIZE, jnp.float32)
    history = fill(empty, steps, differences, kept)
    expected = fill(empty, steps[kept], differences[kept], kept[kept])
    chex.assert_trees_all_equal(history, expected)


def test_without_pairs_it_is_the_identity():
    vector = jnp.arange(3.0)
    result = times_vector(empty_history(5, 3, jnp.float32), vector)
    np.testing.assert_array_equal(result, vector)


def test_the_newest_pair_is_satisfied():
    # The secant equation: the approximation takes y to s exactly.
    steps, differences = pairs_of_a_quadratic(7)
    history = fill(
        empty_history(5, SIZE, jnp.float32), steps, differences, np.ones(7, bool)
    )
    result = times_vector(history, jnp.asarray(differences[-1], jnp.float32))
    np.testing.assert_allclose(result, steps[-1], rtol=1e-3, atol=1e-4)


def test_works_under_vmap():
    steps, differences = pairs_of_a_quadratic(8)
    few = fill(
        empty_history(4, SIZE, jnp.float32), steps[:2], differences[:2], [True] * 2
    )
    many = fill(empty_history(4, SIZE, jnp.float32), steps, differences, [True] * 8)
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), few, many)
    vectors = jnp.asarray(np.random.default_rng(1).normal(size=(2, SIZE)), jnp.float32)
    results = jax.vmap(times_vector)(both, vectors)
    for result, history, vector in zip(results, (few, many), vectors, strict=True):
        np.testing.assert_allclose(
            result, times_vector(history, vector), rtol=1e-4, atol=1e-5
        )
