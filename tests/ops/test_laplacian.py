"""The pooled Laplacian against SciPy, scikit-image and closed forms."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from skimage.measure import block_reduce

from nstjax.errors import NstjaxError
from nstjax.ops.laplacian import laplacian_response

FILTER = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]


def expected_response(image, pool, channels):
    """Pools by scikit-image, filters by SciPy."""
    height, width = (side // pool * pool for side in image.shape[1:3])
    pooled = block_reduce(image[:, :height, :width], (1, pool, pool, 1), np.mean)
    if channels == "sum":
        pooled = pooled.sum(axis=3, keepdims=True)
    kernel = np.asarray(FILTER, np.float64)[None, :, :, None]
    return scipy.ndimage.correlate(pooled, kernel)[:, 1:-1, 1:-1]


class LaplacianResponseTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_scipy_at_any_pool(self):
        image = np.random.default_rng(0).random((2, 37, 29, 3), np.float32)
        for pool in (1, 2, 3, 4, 9):
            for channels in ("sum", "each"):
                response = self.variant(
                    partial(laplacian_response, pool=pool, channels=channels)
                )(image)
                expected = expected_response(image.astype(np.float64), pool, channels)
                assert response.shape == expected.shape
                np.testing.assert_allclose(response, expected, atol=2e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradient_of_a_point_is_the_filter_spread_over_its_windows(self):
        def response_at_centre(image):
            return laplacian_response(image, pool=2, channels="sum")[0, 0, 0, 0]

        gradient = self.variant(jax.grad(response_at_centre))(jnp.zeros((1, 7, 6, 3)))
        expected = np.zeros((7, 6))
        expected[:6] = np.kron(FILTER, np.full((2, 2), 0.25))
        for channel in range(3):
            np.testing.assert_allclose(gradient[0, ..., channel], expected)

    def test_linear_ramp_has_none(self):
        rows, columns = np.mgrid[:24, :20]
        ramp = (0.01 * rows + 0.02 * columns)[None, :, :, None].astype(np.float32)
        response = laplacian_response(ramp, pool=4, channels="each")
        np.testing.assert_allclose(response, 0, atol=1e-6)

    def test_picture_must_hold_three_windows_each_way(self):
        image = jnp.zeros((1, 12, 15, 3))
        assert laplacian_response(image, pool=4, channels="sum").shape == (1, 1, 1, 1)
        with pytest.raises(NstjaxError, match="15 x 12 .* at least 15"):
            laplacian_response(image, pool=5, channels="sum")

    def test_bad_options_are_refused(self):
        image = jnp.zeros((1, 8, 8, 3))
        with pytest.raises(ValueError, match="'sum'"):
            laplacian_response(image, pool=1, channels="mean")
        with pytest.raises(ValueError, match="1 or more"):
            laplacian_response(image, pool=0, channels="sum")
