"""Borders equal NumPy's; their gradients count how often each pixel was repeated."""

import jax
import numpy as np
import pytest

from nstjax.ops.cpu.padding import pad_border

BORDER = ((0, 0), (1, 1), (1, 1), (0, 0))
SHAPES = [(2, 4, 6, 3), (1, 2, 2, 1), (1, 2, 5, 2), (1, 3, 3, 2), (2, 1, 4, 2)]


@pytest.mark.parametrize("mode", ["edge", "reflect"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values(shape, mode):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = jax.jit(pad_border, static_argnames="mode")(x, mode=mode)
    np.testing.assert_array_equal(found, np.pad(x, BORDER, mode=mode))


@pytest.mark.parametrize("mode", ["edge", "reflect"])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape, mode):
    """A pixel's gradient is the sum over all places that NumPy put it to."""
    places = np.pad(np.arange(np.prod(shape)).reshape(shape), BORDER, mode=mode)
    cotangent = np.random.default_rng(1).normal(size=places.shape)
    expected = np.zeros(np.prod(shape))
    np.add.at(expected, places.ravel(), cotangent.ravel())
    with jax.enable_x64():
        _, pull_back = jax.vjp(lambda x: pad_border(x, mode=mode), np.zeros(shape))
        (found,) = pull_back(cotangent)
    np.testing.assert_allclose(found, expected.reshape(shape), rtol=1e-12, atol=1e-12)


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="'wrap'"):
        pad_border(np.zeros((1, 4, 4, 1)), mode="wrap")
