"""Sums over positions and biases equal NumPy's; their gradients too."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.ops.cpu.sums import add_bias, sum_over_positions


def random(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 9, 4), (3, 64, 48, 16)])
def test_sums(shape):
    x = random(shape, np.float32)
    expected = x.astype(np.float64).sum((1, 2), keepdims=True)
    for sums in (sum_over_positions, jax.jit(sum_over_positions)):
        np.testing.assert_allclose(sums(x), expected, atol=1e-4)


def test_many_of_one_sign_lose_nothing():
    """A running sum of a million values would be off by 1e-4."""
    x = random((1, 1024, 1024, 2), np.float32) ** 2
    expected = x.astype(np.float64).sum((1, 2), keepdims=True)
    np.testing.assert_allclose(sum_over_positions(x), expected, rtol=1e-6)


def test_bfloat16_is_summed_in_float32():
    x = jnp.ones((1, 64, 64, 3), jnp.bfloat16)
    result = sum_over_positions(x)
    assert result.dtype == jnp.float32
    np.testing.assert_array_equal(result, np.full((1, 1, 1, 3), 4096))


def test_a_sums_gradient():
    x, weights = random((2, 4, 5, 3)), random((2, 1, 1, 3), seed=1)
    with jax.enable_x64():
        found = jax.grad(lambda x: (sum_over_positions(x) * weights).sum())(x)
    np.testing.assert_allclose(found, np.broadcast_to(weights, x.shape), rtol=1e-12)


def test_a_bias():
    x, bias, cotangent = random((2, 4, 5, 3)), random(3, seed=1), random((2, 4, 5, 3))
    with jax.enable_x64():
        result, pull_back = jax.vjp(add_bias, x, bias)
        of_x, of_bias = pull_back(cotangent)
    np.testing.assert_allclose(result, x + bias, rtol=1e-12)
    np.testing.assert_array_equal(of_x, cotangent)
    np.testing.assert_allclose(of_bias, cotangent.sum((0, 1, 2)), rtol=1e-9)


def test_a_bias_in_bfloat16():
    x, bias = jnp.zeros((2, 32, 32, 3), jnp.bfloat16), jnp.zeros(3, jnp.bfloat16)
    _, pull_back = jax.vjp(add_bias, x, bias)
    of_x, of_bias = pull_back(jnp.ones_like(x))
    chex.assert_type([of_x, of_bias], jnp.bfloat16)
    np.testing.assert_array_equal(of_bias.astype(np.float32), np.full(3, 2048))
