"""Differentiable resizing against jax.image, Pillow and PyTorch."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from PIL import Image

from nstjax.ops.resample import resize

SIZES = ((5, 17), (16, 8), (12, 10), (3, 4))


def random_picture(seed=0):
    return np.random.default_rng(seed).random((2, 12, 10, 3), np.float32)


class ResizeTest(chex.TestCase):
    @chex.variants(with_jit=True)
    @parameterized.product(size=SIZES, method=("linear", "lanczos3"))
    def test_value_and_gradient_equal_jax_image(self, size, method):
        x = random_picture()

        def value_and_gradient(form, x):
            output, pull_back = jax.vjp(form, x)
            weights = jnp.arange(output.size, dtype=x.dtype).reshape(output.shape)
            return output, *pull_back(weights / output.size)

        def plain(x):
            return jax.image.resize(x, (2, *size, 3), method)

        form = partial(resize, size=size, method=method)
        chex.assert_trees_all_close(
            self.variant(partial(value_and_gradient, form))(x),
            value_and_gradient(plain, x),
            atol=1e-5,
        )


@pytest.mark.parametrize("size", SIZES)
def test_lanczos_same_as_pillow(size):
    x = random_picture()[:1]
    expected = [
        Image.fromarray(x[0, ..., channel]).resize(size[::-1], Image.Resampling.LANCZOS)
        for channel in range(3)
    ]
    found = resize(x, size, method="lanczos3")[0]
    np.testing.assert_allclose(found, np.stack(expected, 2), atol=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_linear_same_as_torch(size):
    torch = pytest.importorskip("torch")
    x = random_picture()
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()),
        size,
        mode="bilinear",
        align_corners=False,
    )
    found = resize(x, size, method="linear", antialias=False)
    np.testing.assert_allclose(found, expected.numpy().transpose(0, 2, 3, 1), atol=1e-5)


def test_same_size_changes_nothing():
    x = random_picture()
    np.testing.assert_array_equal(resize(x, (12, 10), method="lanczos3"), x)


def test_double_precision_is_kept():
    with jax.enable_x64(True):
        x = jnp.asarray(random_picture().astype(np.float64))
        found = resize(x, (5, 17), method="linear")
        expected = jax.image.resize(x, (2, 5, 17, 3), "linear")
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, atol=1e-12)
