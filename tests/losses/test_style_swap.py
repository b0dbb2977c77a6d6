"""The swap loss, and its gradient of unit L1 norm against PyTorch's."""

from functools import partial

import chex
import jax
import numpy as np
import pytest

from nstjax.losses.gatys import CONTENT_NORMALISATIONS
from nstjax.losses.style_swap import swap_loss


def random_features(batch=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, batch, 5, 7, 3)).astype(np.float32)


class SwapLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_values_are_those_of_numpy(self):
        features, target = random_features()
        squares = (features.astype(np.float64) - target) ** 2
        energy = (target.astype(np.float64) ** 2).mean((1, 2, 3))
        expected = {
            "mean": squares.mean(),
            "half_sum": squares.sum() / 2 / 2,
            "relative": (squares.mean((1, 2, 3)) / energy).mean(),
        }
        assert set(expected) == set(CONTENT_NORMALISATIONS)
        for normalisation, value in expected.items():
            for gradient in ("plain", "unit_l1"):
                loss = partial(
                    swap_loss, normalisation=normalisation, gradient=gradient
                )
                np.testing.assert_allclose(
                    self.variant(loss)(features, target), value, rtol=1e-5
                )

    @chex.variants(with_jit=True, without_jit=True)
    def test_unit_gradient(self):
        features, target = random_features()

        def loss(features, weight, **options):
            return weight * swap_loss(features, target, **options)

        def gradient_of(kind, weight):
            options = dict(normalisation="mean", gradient=kind)
            return self.variant(jax.grad(partial(loss, **options)))(features, weight)

        plain = gradient_of("plain", 1.0)
        # (F - P)^2's derivative over the 2 x 105 values.
        np.testing.assert_allclose(plain, 2 * (features - target) / 210, rtol=1e-4)
        for weight in (1.0, 0.25):
            unit = gradient_of("unit_l1", weight)
            norms = np.abs(unit).sum((1, 2, 3))
            # Each of the two pictures has half the batch's mean.
            np.testing.assert_allclose(norms, weight / 2, rtol=1e-5)
            share = np.abs(plain).sum((1, 2, 3), keepdims=True)
            np.testing.assert_allclose(unit, weight / 2 * plain / share, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_perfect_match_has_no_gradient(self):
        (features, _) = random_features(1)
        loss = partial(swap_loss, normalisation="mean", gradient="unit_l1")
        gradient = self.variant(jax.grad(loss))(features, features)
        np.testing.assert_array_equal(gradient, 0)


def test_unknown_gradients_are_refused():
    features, target = random_features()
    with pytest.raises(ValueError, match="unit_l1"):
        swap_loss(features, target, normalisation="mean", gradient="l1")


def test_equals_the_torch_module():
    """rtqichen's module: MSE, its gradient over its L1 norm plus 1e-8."""
    torch = pytest.importorskip("torch")
    # So near that the 1e-8 counts.
    features, target = random_features(1)
    target = features + 1e-7 * target
    x, t = (torch.from_numpy(a.copy()) for a in (features, target))
    x.requires_grad_()
    torch.nn.functional.mse_loss(x, t).backward()
    expected = x.grad / (x.grad.norm(1) + 1e-8)
    gradient = jax.grad(partial(swap_loss, normalisation="mean", gradient="unit_l1"))(
        features, target
    )
    assert 0.5 < np.abs(expected.numpy()).sum() < 0.99
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-9)
