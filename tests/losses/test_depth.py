"""The depth losses against NumPy and SciPy, and their invariances."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.losses.depth import (
    cross_entropy_loss,
    depth_loss,
    gradient_matching_loss,
    rank_correlation,
    scale_shift_invariant_loss,
)


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


def centred(x):
    """One scale and shift for every map, by NumPy."""
    x = x.astype(np.float64)
    x = x - x.mean(axis=(1, 2, 3), keepdims=True)
    return x / abs(x).mean(axis=(1, 2, 3), keepdims=True)


class TrainingLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_invariant_loss_equals_numpy_and_ignores_scale_and_shift(self):
        disparity, target = random_maps()
        expected = abs(centred(disparity) - centred(target)).mean()
        loss = self.variant(scale_shift_invariant_loss)
        np.testing.assert_allclose(loss(disparity, target), expected, rtol=1e-5)
        factors = np.float32([3.0, 0.2]).reshape(2, 1, 1, 1)
        changed = factors * disparity + 0.7
        np.testing.assert_allclose(loss(changed, target), expected, rtol=1e-4)
        np.testing.assert_allclose(loss(changed, disparity), 0, atol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradient_loss_equals_numpy(self):
        rng = np.random.default_rng(1)
        disparity, target = rng.random((2, 2, 12, 10, 1), np.float32)
        residual = centred(disparity) - centred(target)
        expected = 0.0
        for step in (1, 2, 4):
            part = residual[:, ::step, ::step]
            expected += abs(part[:, 1:] - part[:, :-1]).mean()
            expected += abs(part[:, :, 1:] - part[:, :, :-1]).mean()
        loss = self.variant(partial(gradient_matching_loss, levels=3))
        np.testing.assert_allclose(loss(disparity, target), expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_cross_entropy_is_the_relative_one(self):
        rng = np.random.default_rng(4)
        disparity, target = rng.uniform(0.05, 0.95, (2, 2, 6, 5, 1)).astype(np.float32)
        p, q = target.astype(np.float64), disparity.astype(np.float64)
        expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
        loss = self.variant(cross_entropy_loss)
        np.testing.assert_allclose(loss(disparity, target), expected, rtol=1e-4)
        np.testing.assert_allclose(loss(target, target), 0, atol=1e-6)
        white = np.full_like(target, 1 + 1e-6)
        np.testing.assert_allclose(loss(white - 0.5, white), np.log(2), rtol=1e-3)

    def test_cross_entropy_leads_back_from_a_saturated_sigmoid(self):
        logits = jnp.array([-12.0, 0.0, 12.0]).reshape(1, 3, 1, 1)
        target = jnp.array([1.0, 0.25, 0.0]).reshape(1, 3, 1, 1)
        gradient = jax.grad(lambda x: cross_entropy_loss(jax.nn.sigmoid(x), target))
        expected = (jax.nn.sigmoid(logits) - target) / 3
        np.testing.assert_allclose(gradient(logits), expected, rtol=0.05)

    @chex.variants(with_jit=True, without_jit=True)
    def test_rank_correlation_equals_scipy(self):
        stats = pytest.importorskip("scipy.stats")
        rng = np.random.default_rng(2)
        # Few values, so that many pixels share a rank.
        disparity, target = rng.integers(0, 7, (2, 3, 8, 9, 1)).astype(np.float32)
        disparity[1] += target[1]
        disparity[2] = -np.exp(target[2])
        expected = np.mean(
            [
                stats.spearmanr(a.ravel(), b.ravel()).statistic
                for a, b in zip(disparity, target, strict=True)
            ]
        )
        found = self.variant(rank_correlation)(disparity, target)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        alone = self.variant(rank_correlation)(disparity[2:], target[2:])
        np.testing.assert_allclose(alone, -1, atol=1e-5)

    def test_constant_maps_stay_finite(self):
        flat = jnp.full((1, 6, 6, 1), 0.5)
        _, target = random_maps()
        target = jnp.asarray(target[:1, :4, :4])
        flat = flat[:, :4, :4]
        for loss in (
            scale_shift_invariant_loss,
            partial(gradient_matching_loss, levels=2),
        ):
            value, gradient = jax.value_and_grad(loss)(flat, target)
            assert np.isfinite(value) and np.isfinite(gradient).all()
        assert rank_correlation(flat, target) == 0
