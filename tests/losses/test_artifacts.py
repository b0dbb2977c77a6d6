"""The penalties on noise and on grids, against NumPy and closed forms."""

import itertools

import jax
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from nstjax.losses.artifacts import checkerboard_loss, flat_noise_loss, halo_loss


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


class TestHalo:
    """A dark plain disc on a plain ground that gets lighter from left to right."""

    rows, columns = np.mgrid[:128, :160].astype(np.float32)
    distance = np.hypot(rows - 64, columns - 70) - 24
    ground = 0.5 + 0.1 * columns / 160
    rng = np.random.default_rng(0)

    def content(self):
        grey = np.where(self.distance < 0, 0.1, self.ground)
        noise = self.rng.normal(0, 0.002, (128, 160, 3))
        return (grey[..., None] + noise).astype(np.float32)[None]

    def painted(self, added):
        content = self.content()
        # Recoloured, as every style does.
        colors = content @ np.float32([[0.5, 0.2, 0], [0.1, 0.6, 0], [0.1, 0.1, 0.7]])
        return content, colors + added[None, ..., None].astype(np.float32)

    def test_rims_along_edges_cost_and_patches_elsewhere_do_not(self):
        rim = 0.05 * np.exp(-(((self.distance - 14) / 8) ** 2)) * (self.distance > 0)
        # Of the same energy, and as broad, far from the disc.
        far = np.hypot(self.rows - 64, self.columns - 130)
        patch = np.exp(-((far / 16) ** 2))
        patch *= np.sqrt(np.square(rim).sum() / np.square(patch).sum())
        content, plain = self.painted(np.zeros_like(rim))
        costs = [float(halo_loss(self.painted(x)[1], content)) for x in (rim, patch)]
        assert halo_loss(plain, content) < 0.02 * costs[0]
        assert costs[1] < 0.2 * costs[0]
        # A part of the rim's variance, but not much more than all of it.
        assert 0.2 < costs[0] / np.square(rim).mean() < 1.5

    def test_it_is_what_edges_explain_beyond_the_content_s_colors(self):
        rng = np.random.default_rng(1)
        patches = np.kron(rng.random((4, 5, 3)), np.ones((20, 20, 1)))
        content = uniform_filter(patches, (5, 5, 0))
        image = uniform_filter(rng.random((80, 100, 3)), (7, 7, 0))
        fine, first, colors = (
            x[: 80 // s * s, : 100 // s * s].reshape(80 // s, s, 100 // s, s, 3)
            for x, s in ((content, 4), (content, 8), (image, 8))
        )
        fine, first, colors = (x.mean((1, 3)) for x in (fine, first, colors))
        # 80 x 100 pixels have 10 x 12 squares of 8; the last column of 4 is left over.
        steps = np.zeros(fine.shape[:2])
        steps[:-1] += np.square(fine[1:] - fine[:-1]).mean(2)
        steps[:, :-1] += np.square(fine[:, 1:] - fine[:, :-1]).mean(2)
        steps = steps[:, :24].reshape(10, 2, 12, 2).mean((1, 3))
        weight = (1e-3 / (1e-3 + steps)).reshape(-1, 1)
        near = [uniform_filter(np.sqrt(steps), n, mode="nearest") for n in (3, 5, 9)]
        near = np.stack(near, 2).reshape(-1, 3)
        first, colors = first.reshape(-1, 3), colors.reshape(-1, 3)
        squares = [
            first[:, i] * first[:, j]
            for i, j in itertools.combinations_with_replacement(range(3), 2)
        ]
        by_color = np.stack([np.ones(len(first)), *first.T, *squares], axis=1)

        def left_over(regressors):
            """The weighted squares that a fit by regressors leaves."""
            fit = np.linalg.lstsq(weight * regressors, weight * colors, rcond=None)[0]
            return np.square(weight * (colors - regressors @ fit)).sum()

        explained = left_over(by_color) - left_over(np.c_[by_color, near])
        expected = explained / (3 * np.square(weight).sum())
        found = halo_loss(np.float32(image)[None], np.float32(content)[None])
        # The loss adds a little to the diagonals of its equations.
        np.testing.assert_allclose(found, expected, rtol=0.05)

    def test_plain_contents_and_their_gradients_are_finite(self):
        content = np.full((2, 40, 48, 3), 0.5, np.float32)
        image = np.random.default_rng(2).random(content.shape).astype(np.float32)
        value, gradient = jax.value_and_grad(halo_loss)(image, content)
        np.testing.assert_allclose(value, 0, atol=1e-6)
        assert np.isfinite(gradient).all()
