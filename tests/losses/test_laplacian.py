"""The Laplacian loss against SciPy."""

from functools import partial

import chex
import jax
import numpy as np
import pytest
import scipy.ndimage
from skimage.measure import block_reduce

from nstjax.errors import NstjaxError
from nstjax.losses.laplacian import laplacian_loss, laplacian_targets

POOLS, WEIGHTS = (2, 4), (1.0, 0.5)
FLOOR = 0.01


def random_pictures(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((2, 18, 22, 3), np.float32) for _ in range(2)]


def reference_response(image, pool, channels):
    height, width = (side // pool * pool for side in image.shape[1:3])
    image = image[:, :height, :width].astype(np.float64)
    pooled = block_reduce(image, (1, pool, pool, 1), np.mean)
    kernel = np.float64([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, :, :, None]
    response = scipy.ndimage.correlate(pooled, kernel)[:, 1:-1, 1:-1]
    return response.sum(axis=3) if channels == "sum" else response


def reference_loss(image, content, channels, reduction):
    total = 0.0
    for pool, weight in zip(POOLS, WEIGHTS, strict=True):
        response, target = (
            reference_response(x, pool, channels).reshape(2, -1)
            for x in (image, content)
        )
        squares = (response - target) ** 2
        loss = {
            "sum": squares.sum(axis=1),
            "mean": squares.mean(axis=1),
            "relative": squares.mean(axis=1) / ((target**2).mean(axis=1) + FLOOR),
        }[reduction]
        total += weight * loss.mean()
    return total


def loss_of(image, content, channels, reduction):
    targets = laplacian_targets(content, pools=POOLS, channels=channels)
    return laplacian_loss(
        image,
        targets,
        pools=POOLS,
        weights=WEIGHTS,
        channels=channels,
        reduction=reduction,
    )


class LaplacianLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_scipy(self):
        image, content = random_pictures()
        for channels in ("sum", "each"):
            for reduction in ("mean", "sum", "relative"):
                loss = self.variant(
                    partial(loss_of, channels=channels, reduction=reduction)
                )(image, content)
                assert loss.shape == ()
                np.testing.assert_allclose(
                    loss,
                    reference_loss(image, content, channels, reduction),
                    rtol=1e-5,
                )

    @chex.variants(with_jit=True, without_jit=True)
    def test_only_details_count(self):
        image, _ = random_pictures()
        loss = self.variant(partial(loss_of, channels="each", reduction="sum"))
        np.testing.assert_allclose(loss(image + 0.3, image), 0, atol=1e-8)

    def test_gradient_of_the_content_itself_is_zero(self):
        content, _ = random_pictures()
        gradient = jax.grad(partial(loss_of, channels="sum", reduction="relative"))(
            content, content
        )
        np.testing.assert_allclose(gradient, 0, atol=1e-6)

    def test_flat_content_stays_finite(self):
        image, _ = random_pictures()
        flat = np.full_like(image, 0.5)
        loss = loss_of(image, flat, "sum", "relative")
        expected = reference_loss(image, flat, "sum", "mean") / FLOOR
        np.testing.assert_allclose(loss, expected, rtol=1e-4)

    def test_misuse_is_refused(self):
        image, content = random_pictures()
        with pytest.raises(ValueError, match="'sum'"):
            loss_of(image, content, "sum", "half_sum")
        with pytest.raises(NstjaxError, match="at least 30"):
            laplacian_targets(content, pools=(4, 10), channels="sum")
        with pytest.raises(ValueError):
            laplacian_loss(
                image,
                laplacian_targets(content, pools=POOLS, channels="sum"),
                pools=POOLS,
                weights=(1.0,),
                channels="sum",
                reduction="mean",
            )
