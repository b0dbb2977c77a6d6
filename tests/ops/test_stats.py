"""Moments and Gram matrices against NumPy and closed forms."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.ops.stats import channel_mean_std, gram_matrix


def random_features(shape=(2, 5, 7, 3), seed=0):
    return np.random.default_rng(seed).normal(0.5, 2.0, shape).astype(np.float32)


class ChannelMeanStdTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy(self):
        features = random_features()
        for ddof in (0, 1):
            mean, std = self.variant(partial(channel_mean_std, eps=1e-5, ddof=ddof))(
                features
            )
            variance = features.var(axis=(1, 2), keepdims=True, ddof=ddof)
            expected = features.mean(axis=(1, 2), keepdims=True)
            assert mean.shape == std.shape == (2, 1, 1, 3)
            np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(std, np.sqrt(variance + 1e-5), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_dead_channel_has_a_finite_gradient(self):
        features = random_features()
        features[..., 1] = 0.25

        def loss(features):
            mean, std = channel_mean_std(features, eps=1e-5)
            return (mean + std).sum()

        gradient = self.variant(jax.grad(loss))(features)
        assert np.isfinite(gradient).all()
        # Only the mean moves there: 1 / 35 for each of 5 x 7 positions.
        np.testing.assert_allclose(gradient[..., 1], 1 / 35, rtol=1e-5)

    def test_gradients_equal_numpys_differences(self):
        rng = np.random.default_rng(3)
        x, direction = rng.normal(0.5, 2.0, (2, 2, 3, 4, 2))
        mean_weight, std_weight = rng.normal(size=(2, 2, 1, 1, 2))

        def value(x, ddof):
            mean = x.mean(axis=(1, 2), keepdims=True)
            squares = ((x - mean) ** 2).sum(axis=(1, 2), keepdims=True)
            std = np.sqrt(squares / (12 - ddof) + 0.1)
            return (mean_weight * mean + std_weight * std**3).sum()

        def loss(x, ddof):
            mean, std = channel_mean_std(x, eps=0.1, ddof=ddof)
            return (mean_weight * mean + std_weight * std**3).sum()

        for ddof in (0, 1):
            ends = [value(x + h * direction, ddof) for h in (-1e-4, 0, 1e-4)]
            slope = (ends[2] - ends[0]) / 2e-4
            bend = (ends[0] - 2 * ends[1] + ends[2]) / 1e-8
            with jax.enable_x64(True):
                gradient = jax.grad(partial(loss, ddof=ddof))

                def along(x, gradient=gradient):
                    return (gradient(x) * direction).sum()

                found = along(x), (jax.grad(along)(x) * direction).sum()
            np.testing.assert_allclose(found, (slope, bend), rtol=1e-5)

    def test_eps_is_added_to_the_variance(self):
        _, std = channel_mean_std(jnp.ones((1, 2, 2, 1)), eps=0.25)
        np.testing.assert_allclose(std, 0.5)

    def test_large_mean_keeps_its_small_deviation(self):
        features = np.float32([1000.0, 1000.5]).reshape(1, 1, 2, 1)
        _, std = channel_mean_std(features, eps=1e-12)
        np.testing.assert_allclose(std, 0.25, rtol=1e-5)

    def test_bad_options_are_refused(self):
        with pytest.raises(ValueError, match="eps"):
            channel_mean_std(jnp.ones((1, 2, 2, 1)), eps=0.0)
        with pytest.raises(ValueError, match="ddof"):
            channel_mean_std(jnp.ones((1, 1, 1, 1)), eps=1e-5, ddof=1)


class GramMatrixTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy_in_every_normalisation(self):
        features = random_features()
        products = np.stack([f.reshape(35, 3).T @ f.reshape(35, 3) for f in features])
        for normalisation, divisor in (("none", 1), ("hw", 35), ("chw", 105)):
            gram = self.variant(partial(gram_matrix, normalisation=normalisation))(
                features
            )
            assert gram.shape == (2, 3, 3)
            np.testing.assert_allclose(gram, products / divisor, rtol=1e-5, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gradient_of_an_asymmetric_function(self):
        # d/dF sum(W * F^T F) = F (W + W^T), for a W that is not symmetric.
        features = random_features((1, 2, 3, 4))
        weights = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)

        def loss(features):
            return (weights * gram_matrix(features, normalisation="hw")).sum()

        gradient = self.variant(jax.grad(loss))(features)
        expected = features.reshape(6, 4) @ (weights + weights.T) / 6
        np.testing.assert_allclose(gradient.reshape(6, 4), expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_vmapped_pictures_equal_a_batch(self):
        features = random_features()
        batch = gram_matrix(features, normalisation="chw")
        mapped = self.variant(jax.vmap(partial(gram_matrix, normalisation="chw")))(
            features[:, None]
        )
        np.testing.assert_allclose(mapped[:, 0], batch, rtol=1e-5, atol=1e-7)

    def test_unknown_normalisation_is_refused(self):
        with pytest.raises(ValueError, match="'hw'"):
            gram_matrix(jnp.ones((1, 2, 2, 1)), normalisation="mean")
