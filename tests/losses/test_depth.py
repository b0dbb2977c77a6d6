"""The depth loss against NumPy and its invariances."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.losses.depth import depth_loss


def random_maps(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.1, 2, (2, 6, 4, 1)).astype(np.float32) for _ in range(2)]


class DepthLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy(self):
        disparity, target = random_maps()
        first, second = (
            x.astype(np.float64) / x.mean(axis=(1, 2, 3), keepdims=True)
            for x in (disparity, target)
        )
        for norm, expected in (
            ("l1", abs(first - second).mean()),
            ("l2", ((first - second) ** 2).mean()),
        ):
            loss = self.variant(partial(depth_loss, norm=norm))(disparity, target)
            assert loss.shape == ()
            np.testing.assert_allclose(loss, expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_neither_size_nor_a_factor_matters(self):
        disparity, target = random_maps()
        factors = np.float32([3.0, 0.2]).reshape(2, 1, 1, 1)
        for norm in ("l1", "l2"):
            loss = self.variant(partial(depth_loss, norm=norm))
            enlarged = loss(
                np.tile(disparity * factors, (1, 3, 2, 1)),
                np.tile(target, (1, 3, 2, 1)),
            )
            np.testing.assert_allclose(enlarged, loss(disparity, target), rtol=1e-5)

    def test_no_disparity_at_all_stays_finite(self):
        zero = jnp.zeros((1, 3, 3, 1))
        _, target = random_maps()
        loss, gradient = jax.value_and_grad(partial(depth_loss, norm="l2"))(
            zero, jnp.asarray(target[:1, :3, :3])
        )
        assert np.isfinite(loss) and np.isfinite(gradient).all()

    def test_misuse_is_refused(self):
        disparity, target = random_maps()
        with pytest.raises(ValueError, match="'l1'"):
            depth_loss(disparity, target, norm="l3")
        with pytest.raises(AssertionError):
            depth_loss(disparity, target[:, :3], norm="l1")
