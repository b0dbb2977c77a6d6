"""2x2 pooling against XLA's window reductions and PyTorch's layers."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax import lax

from nstjax.ops.pooling import max_pool3x3_stride2, pool2x2

KINDS = ("max", "average")
ROUNDINGS = ("floor", "ceil")
SIZES = ((6, 8), (7, 5))


def random_picture(size):
    return np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)


def window_pool(x, *, kind, rounding):
    """The textbook form; windows that are cut off reduce what they have."""
    start, reduce = (-jnp.inf, lax.max) if kind == "max" else (0.0, lax.add)
    odd = [side % 2 if rounding == "ceil" else 0 for side in x.shape[1:3]]
    window, padding = (1, 2, 2, 1), ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0))
    reduced = lax.reduce_window(x, start, reduce, window, window, padding)
    if kind == "max":
        return reduced
    cells = lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, window, padding)
    return reduced / cells


class PoolTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.product(kind=KINDS, rounding=ROUNDINGS, size=SIZES)
    def test_equals_window_reductions(self, kind, rounding, size):
        x = random_picture(size)
        options = {"kind": kind, "rounding": rounding}

        def value_and_gradient(pool, x):
            output, pull_back = jax.vjp(partial(pool, **options), x)
            weights = jnp.arange(output.size, dtype=x.dtype).reshape(output.shape)
            return output, *pull_back(weights)

        chex.assert_trees_all_close(
            self.variant(partial(value_and_gradient, pool2x2))(x),
            value_and_gradient(window_pool, x),
            rtol=1e-5,
            atol=1e-5,
        )

    @parameterized.product(kind=KINDS, rounding=ROUNDINGS)
    def test_equals_them_inside_a_scan(self, kind, rounding):
        x = random_picture((7, 6))

        def descend(pool):
            def step(x, _):
                loss, gradient = jax.value_and_grad(
                    lambda x: jnp.square(pool(x, kind=kind, rounding=rounding)).sum()
                )(x)
                return x - 0.1 * gradient, loss

            return jax.jit(lambda x: lax.scan(step, x, length=4))(x)

        chex.assert_trees_all_close(descend(pool2x2), descend(window_pool), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("size", [(6, 8), (7, 6), (5, 9)])
def test_same_as_torch(kind, rounding, size):
    torch = pytest.importorskip("torch")
    x = random_picture(size)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    layer = torch.nn.MaxPool2d if kind == "max" else torch.nn.AvgPool2d
    expected = layer(2, ceil_mode=rounding == "ceil")(inputs)
    expected.square().sum().backward()

    pool = partial(pool2x2, kind=kind, rounding=rounding)
    gradient = jax.grad(lambda x: jnp.square(pool(x)).sum())(x)
    np.testing.assert_allclose(
        pool(x), expected.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        gradient, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6
    )


def test_unknown_options_are_refused():
    x = jnp.ones((1, 4, 4, 1))
    with pytest.raises(ValueError, match="'max'"):
        pool2x2(x, kind="mean", rounding="floor")
    with pytest.raises(ValueError, match="'floor'"):
        pool2x2(x, kind="max", rounding="round")


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 2)])
def test_resnet_pooling_same_as_torch(size):
    torch = pytest.importorskip("torch")
    # Below zero throughout: a border of zeros would win.
    x = random_picture(size) - 9
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    expected = torch.nn.MaxPool2d(3, 2, 1)(inputs)
    expected.square().sum().backward()
    gradient = jax.grad(lambda x: jnp.square(max_pool3x3_stride2(x)).sum())(x)
    np.testing.assert_array_equal(
        jax.jit(max_pool3x3_stride2)(x), expected.detach().numpy().transpose(0, 2, 3, 1)
    )
    np.testing.assert_allclose(
        gradient, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-5
    )
