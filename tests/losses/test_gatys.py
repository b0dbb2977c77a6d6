"""Content and style losses against NumPy and the paper's formulas."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.losses.gatys import content_loss, style_loss
from nstjax.ops.stats import gram_matrix


def random_arrays(shape, count=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(count)]


class ContentLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy_in_every_normalisation(self):
        features, target = random_arrays((2, 4, 5, 3))
        difference = (features - target).astype(np.float64)
        squares = (difference**2).reshape(2, -1)
        energy = (target.astype(np.float64) ** 2).reshape(2, -1)
        for normalisation, expected in (
            ("mean", squares.mean()),
            ("half_sum", np.mean(squares.sum(axis=1) / 2)),
            ("relative", np.mean(squares.sum(axis=1) / energy.sum(axis=1))),
        ):
            loss = self.variant(partial(content_loss, normalisation=normalisation))(
                features, target
            )
            assert loss.shape == ()
            np.testing.assert_allclose(loss, expected, rtol=1e-5)

    def test_gradient_of_half_the_sum_is_the_difference(self):
        # The paper's equation 2, without its case for F = 0, which is the ReLU's.
        features, target = random_arrays((1, 4, 5, 3))
        gradient = jax.grad(partial(content_loss, normalisation="half_sum"))(
            features, target
        )
        np.testing.assert_allclose(gradient, features - target, rtol=1e-6)

    def test_relative_is_free_of_scale_and_size(self):
        features, target = random_arrays((1, 4, 6, 3))
        loss = content_loss(features, target, normalisation="relative")
        tiled = [np.tile(x, (1, 2, 3, 1)) * 7 for x in (features, target)]
        np.testing.assert_allclose(
            content_loss(*tiled, normalisation="relative"), loss, rtol=1e-5
        )

    def test_misuse_is_refused(self):
        features, target = random_arrays((1, 4, 6, 3))
        with pytest.raises(ValueError, match="'half_sum'"):
            content_loss(features, target, normalisation="sum")
        with pytest.raises(AssertionError):
            content_loss(features, target[:, :1], normalisation="mean")


class StyleLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy_in_every_normalisation(self):
        gram, target = random_arrays((2, 3, 3))
        squares = ((gram - target).astype(np.float64) ** 2).reshape(2, -1)
        energy = (target.astype(np.float64) ** 2).reshape(2, -1)
        for normalisation, expected in (
            ("mean", squares.mean()),
            ("gatys", squares.mean() / 4),
            ("relative", np.mean(squares.sum(axis=1) / energy.sum(axis=1))),
            (
                "bounded",
                np.mean(np.minimum(squares.sum(axis=1) / energy.sum(axis=1), 1)),
            ),
        ):
            loss = self.variant(partial(style_loss, normalisation=normalisation))(
                gram, target
            )
            assert loss.shape == ()
            np.testing.assert_allclose(loss, expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_gatys_is_the_papers_equation(self):
        # 1 / (4 N^2 M^2) sum (G - A)^2 with plain sums G and A over positions.
        features, style = random_arrays((1, 5, 8, 3))
        channels, positions = 3, 40
        flat, flat_style = (
            x.astype(np.float64).reshape(positions, channels) for x in (features, style)
        )
        difference = flat.T @ flat - flat_style.T @ flat_style
        expected = (difference**2).sum() / (4 * channels**2 * positions**2)

        def loss(features, style):
            gram, target = (
                gram_matrix(x, normalisation="hw") for x in (features, style)
            )
            return style_loss(gram, target, normalisation="gatys")

        value, gradient = self.variant(jax.value_and_grad(loss))(features, style)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        # Its equation 6, with the factor that the paper leaves to the reader.
        expected_gradient = flat @ difference / (channels**2 * positions**2)
        np.testing.assert_allclose(
            gradient.reshape(positions, channels), expected_gradient, rtol=1e-4
        )

    def test_a_bounded_error_above_one_pulls_as_its_logarithm(self):
        gram = np.array([[[3.0, 0], [0, 4]], [[0.5, 0], [0, 0]]], np.float32)
        target = np.array([[[1.0, 0], [0, 0]], [[1, 0], [0, 0]]], np.float32)
        value, gradient = jax.value_and_grad(
            partial(style_loss, normalisation="bounded")
        )(gram, target)
        # The first one's error is 4 + 16, the second one's a quarter.
        np.testing.assert_allclose(value, (1 + 0.25) / 2, rtol=1e-5)
        expected = [[[2 * 2 / 20, 0], [0, 2 * 4 / 20]], [[-2 * 0.5, 0], [0, 0]]]
        np.testing.assert_allclose(gradient, np.array(expected) / 2, rtol=1e-5)

    def test_no_style_at_all_stays_finite(self):
        zero = jnp.zeros((1, 3, 3))
        for normalisation in ("relative", "bounded"):
            loss = style_loss(zero, zero, normalisation=normalisation)
            np.testing.assert_array_equal(loss, 0)

    def test_misuse_is_refused(self):
        gram, target = random_arrays((1, 3, 3))
        with pytest.raises(ValueError, match="'gatys'"):
            style_loss(gram, target, normalisation="half_sum")
        with pytest.raises(AssertionError):
            style_loss(gram, target[:, :2, :2], normalisation="mean")
