"""Total variation against NumPy and the gradient neural-style writes down."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.losses.variation import range_loss, total_variation_loss


def random_picture(seed=0):
    return np.random.default_rng(seed).random((2, 5, 7, 3), np.float32)


class TotalVariationLossTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_numpy_in_every_form(self):
        image = random_picture()
        down, right = (np.diff(image.astype(np.float64), axis=axis) for axis in (1, 2))
        for kind, expected in (
            ("mean_squares", (down**2).mean() + (right**2).mean()),
            ("absolute", abs(down).mean() + abs(right).mean()),
            ("sum_squares", ((down**2).sum() + (right**2).sum()) / 2),
        ):
            loss = self.variant(partial(total_variation_loss, kind=kind))(image)
            assert loss.shape == ()
            np.testing.assert_allclose(loss, expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_half_sum_has_neural_styles_gradient(self):
        # TVLoss:updateGradInput of neural_style.lua, which defines no value.
        image = random_picture()[:1]
        corner = image[:, :-1, :-1]
        x_difference = corner - image[:, :-1, 1:]
        y_difference = corner - image[:, 1:, :-1]
        expected = np.zeros_like(image)
        expected[:, :-1, :-1] += x_difference + y_difference
        expected[:, :-1, 1:] -= x_difference
        expected[:, 1:, :-1] -= y_difference
        gradient = self.variant(
            jax.grad(partial(total_variation_loss, kind="half_sum_squares"))
        )(image)
        np.testing.assert_allclose(gradient, expected, atol=1e-6)

    def test_one_step_between_two_halves(self):
        # Four rows that step by 0.5 once: 4 differences in 3 channels.
        image = np.zeros((1, 4, 6, 3), np.float32)
        image[:, :, 3:] = 0.5
        for kind, expected in (
            ("mean_squares", 0.25 / 5),
            ("absolute", 0.5 / 5),
            ("sum_squares", 4 * 3 * 0.25),
            ("half_sum_squares", 3 * 3 * 0.25 / 2),
        ):
            loss = total_variation_loss(image, kind=kind)
            np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_misuse_is_refused(self):
        with pytest.raises(ValueError, match="'absolute'"):
            total_variation_loss(random_picture(), kind="sum")
        with pytest.raises(ValueError, match="neighbours"):
            total_variation_loss(jnp.zeros((1, 1, 8, 3)), kind="absolute")


@pytest.mark.parametrize(
    ("values", "expected"),
    [((-0.5, 0.5, 1.5), 1 / 6), ((0.0, 0.25, 1.0), 0.0), ((-1.0, 0.5, 0.5), 1 / 3)],
)
def test_pixels_out_of_range_count_by_their_squares(values, expected):
    image = jnp.tile(jnp.array(values), (1, 2, 2, 1))
    np.testing.assert_allclose(range_loss(image), expected, rtol=1e-6)
