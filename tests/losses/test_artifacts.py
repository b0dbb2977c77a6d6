"""The penalties on noise and on grids, against NumPy and closed forms."""

import itertools

import jax
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from nstjax.losses.artifacts import checkerboard_loss, flat_noise_loss


class TestFlatNoise:
    """Left half of the content is flat, its right half is full of detail."""

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (1, 34, 66, 3)).astype(np.float32)
    smooth_style = np.full((1, 34, 34, 3), 0.5, np.float32)

    def content(self):
        content = np.full((1, 34, 66, 3), 0.5, np.float32)
        content[:, :, 34:] += 5 * self.noise[:, :, 34:]
        return content

    def noisy(self, columns):
        image = np.full((1, 34, 66, 3), 0.5, np.float32)
        image[:, :, columns] += self.noise[:, :, columns]
        return image

    def test_noise_counts_where_the_content_is_flat(self):
        flat = flat_noise_loss(
            self.noisy(slice(0, 30)), self.content(), self.smooth_style
        )
        busy = flat_noise_loss(
            self.noisy(slice(38, 66)), self.content(), self.smooth_style
        )
        # High-pass energy of white noise of deviation .1 is 8/9 of its square.
        assert 0.5 * 0.01 * 8 / 9 < flat < 1.1 * 0.01 * 8 / 9
        assert busy < 0.02 * flat

    def test_a_style_as_noisy_allows_it(self):
        style = 0.5 + 2 * self.noise
        result = flat_noise_loss(self.noisy(slice(0, 30)), self.content(), style)
        assert result == 0

    def test_without_a_style_all_noise_counts(self):
        found = flat_noise_loss(self.noisy(slice(0, 30)), self.content(), None)
        # By a smooth style nothing was allowed either.
        expected = flat_noise_loss(
            self.noisy(slice(0, 30)), self.content(), self.smooth_style
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert 0.5 * 0.01 * 8 / 9 < found < 1.1 * 0.01 * 8 / 9

    def test_a_smooth_picture_costs_nothing(self):
        ramp = np.linspace(0, 1, 66, dtype=np.float32)[None, None, :, None]
        image = np.broadcast_to(ramp, (1, 34, 66, 3))
        result = flat_noise_loss(image, self.content(), self.smooth_style)
        np.testing.assert_allclose(result, 0, atol=1e-9)


class TestGrid:
    rng = np.random.default_rng(1)

    def noise(self, *shape):
        return self.rng.normal(0.5, 0.1, shape).astype(np.float32)

    @pytest.mark.parametrize("period", [2, 4, 8])
    def test_what_repeats_is_all_grid(self, period):
        image = np.tile(
            self.noise(2, period, period, 3), (1, 96 // period, 96 // period, 1)
        )
        # The picture ends, and with it the pattern: its last pixels differ.
        assert 0.95 < checkerboard_loss(image[:, :, :90]) < 1.001

    def test_noise_and_other_periods_are_none(self):
        assert checkerboard_loss(self.noise(1, 258, 258, 3)) < 0.01
        image = np.tile(self.noise(1, 7, 7, 3), (1, 37, 37, 1))
        assert checkerboard_loss(image) < 0.05

    def test_a_plain_picture_has_none(self):
        assert checkerboard_loss(np.full((1, 40, 40, 3), 0.5, np.float32)) == 0

    def test_a_mixture_by_products_of_all_pairs_of_cells(self):
        image = np.tile(self.noise(1, 8, 8, 3), (1, 5, 5, 1)) + self.noise(1, 40, 40, 3)
        detail = (image - uniform_filter(image, (0, 3, 3, 0), mode="mirror"))[0]
        cells = [
            detail[8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            for i, j in itertools.product(range(4), range(4))
        ]
        products = [(a * b).mean() for a, b in itertools.permutations(cells, 2)]
        expected = np.mean(products) / np.square(cells).mean()
        assert 0.3 < expected < 0.7
        np.testing.assert_allclose(checkerboard_loss(image), expected, rtol=1e-3)

    def test_more_of_anything_is_no_way_out(self):
        image = np.tile(self.noise(1, 8, 8, 3), (1, 5, 5, 1)) + self.noise(1, 40, 40, 3)
        # Twice the contrast has the same share, but a gradient that takes the
        # energy for given sees the square of the contrast.
        share, slope = jax.jvp(checkerboard_loss, (image,), (image,))
        np.testing.assert_allclose(slope, 2 * share, rtol=1e-3)

    def test_small_pictures_are_refused(self):
        with pytest.raises(ValueError, match="32 or more"):
            checkerboard_loss(np.zeros((1, 31, 40, 3), np.float32))
