"""Colour matching against scikit-image, SciPy and the definitions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from skimage.color import rgb2yiq, yiq2rgb

from nstjax.ops.color import luminance, luminance_transfer, match_color


def picture(shape, seed, low=0.3, high=0.7):
    """A picture with correlated channels that leaves room before clipping."""
    random = np.random.default_rng(seed)
    mixed = random.random(shape) @ (np.eye(3) + random.random((3, 3)))
    mixed = (mixed - mixed.min()) / (mixed.max() - mixed.min())
    return (low + (high - low) * mixed).astype(np.float32)


def moments(image):
    pixels = np.asarray(image, np.float64).reshape(-1, 3)
    return pixels.mean(axis=0), np.cov(pixels.T, bias=True)


# Jitted, since op by op the linear algebra compiles for every shape.
matched_to = jax.jit(match_color)


class ColorVariantsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_luminance_is_y_of_yiq(self):
        image = picture((2, 7, 5, 3), 0)
        expected = rgb2yiq(image)[..., :1]
        np.testing.assert_allclose(self.variant(luminance)(image), expected, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_luminance_transfer_swaps_y_of_yiq(self):
        image, content = picture((2, 7, 5, 3), 0), picture((2, 7, 5, 3), 1)
        swapped = rgb2yiq(content)
        swapped[..., 0] = rgb2yiq(image)[..., 0]
        expected = yiq2rgb(swapped)
        assert expected.min() > 0 and expected.max() < 1
        transferred = self.variant(luminance_transfer)(image, content)
        np.testing.assert_allclose(transferred, expected, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_match_color_is_the_papers_transform(self):
        source, reference = picture((9, 8, 3), 0), picture((20, 6, 3), 1, 0.45, 0.55)
        source_mean, source_covariance = moments(source)
        reference_mean, reference_covariance = moments(reference)
        roots = [
            scipy.linalg.sqrtm(covariance).real
            for covariance in (reference_covariance, source_covariance)
        ]
        matrix = roots[0] @ np.linalg.inv(roots[1])
        expected = (source - source_mean) @ matrix.T + reference_mean
        matched = self.variant(match_color)(source, reference)
        np.testing.assert_allclose(matched, expected, atol=1e-5)


def test_luminance_transfer_clips():
    white, red = jnp.ones((1, 1, 3)), jnp.asarray([[[1.0, 0.0, 0.0]]])
    # Red and white differ by 1 - 0.299 in luminance.
    np.testing.assert_allclose(luminance_transfer(white, red), [[[1, 0.701, 0.701]]])


def test_luminance_transfer_of_a_picture_to_itself():
    image = picture((6, 5, 3), 0, low=0, high=1)
    np.testing.assert_allclose(luminance_transfer(image, image), image, atol=1e-6)


def test_match_color_matches_mean_and_covariance():
    source, reference = picture((9, 8, 3), 0), picture((20, 6, 3), 1, 0.4, 0.6)
    mean, covariance = moments(matched_to(source, reference))
    expected_mean, expected_covariance = moments(reference)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-6)
    np.testing.assert_allclose(covariance, expected_covariance, rtol=1e-3, atol=1e-7)


def test_match_color_to_itself_changes_nothing():
    image = picture((9, 8, 3), 0, low=0, high=1)
    np.testing.assert_allclose(matched_to(image, image), image, atol=1e-5)


def test_match_color_does_not_depend_on_the_order_of_channels():
    source, reference = picture((9, 8, 3), 0), picture((20, 6, 3), 1, 0.4, 0.6)
    straight = matched_to(source, reference)
    turned = matched_to(source[..., ::-1], reference[..., ::-1])
    np.testing.assert_allclose(straight, turned[..., ::-1], atol=1e-5)


def test_pictures_of_a_batch_are_matched_one_by_one():
    source, reference = picture((3, 9, 8, 3), 0), picture((3, 5, 6, 3), 1)
    matched = matched_to(source, reference)
    each = [matched_to(s, r) for s, r in zip(source, reference, strict=True)]
    np.testing.assert_allclose(matched, np.stack(each), atol=1e-6)
    one_for_all = matched_to(source, reference[:1])
    np.testing.assert_allclose(one_for_all[0], each[0], atol=1e-6)


class TestSingularCovariance:
    def grey(self, seed):
        return picture((9, 8, 3), seed)[..., :1].repeat(3, axis=-1)

    def test_grey_reference_makes_the_source_grey(self):
        matched = matched_to(picture((9, 8, 3), 0), self.grey(1))
        # The floor leaves one step of 8 bits of colour as standard deviation.
        chroma = matched - matched.mean(axis=-1, keepdims=True)
        assert np.std(chroma) < 1 / 255
        expected_mean, _ = moments(self.grey(1))
        np.testing.assert_allclose(moments(matched)[0], expected_mean, atol=1e-3)

    def test_grey_source_stays_on_one_line_of_colors(self):
        source, reference = self.grey(0), picture((20, 6, 3), 1, 0.4, 0.6)
        matched = np.asarray(matched_to(source, reference))
        np.testing.assert_allclose(
            moments(matched)[0], moments(reference)[0], atol=1e-4
        )
        centred = (matched - matched.mean(axis=(0, 1))).reshape(-1, 3)
        singular_values = np.linalg.svd(centred, compute_uv=False)
        assert singular_values[1] < 1e-3 * singular_values[0]

    def test_flat_pictures(self):
        flat = np.broadcast_to(np.float32([0.2, 0.4, 0.6]), (9, 8, 3))
        other = np.broadcast_to(np.float32([0.9, 0.1, 0.5]), (4, 5, 3))
        matched = matched_to(flat, other)
        expected = np.broadcast_to([0.9, 0.1, 0.5], (9, 8, 3))
        np.testing.assert_allclose(matched, expected, atol=1e-5)
        varied = matched_to(picture((9, 8, 3), 0), other)
        np.testing.assert_allclose(varied, expected, atol=0.02)


def test_match_color_clips():
    source = picture((9, 8, 3), 0)
    reference = np.random.default_rng(1).integers(0, 2, (9, 9, 3)).astype(np.float32)
    matched = matched_to(source, reference)
    assert matched.min() == 0 and matched.max() == 1


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_dtype_is_kept(dtype):
    source, reference = (jnp.asarray(picture((9, 8, 3), i), dtype) for i in (0, 1))
    for function in (luminance_transfer, matched_to):
        exact = function(source.astype(jnp.float32), reference.astype(jnp.float32))
        result = function(source, reference)
        assert result.dtype == dtype
        np.testing.assert_allclose(result.astype(jnp.float32), exact, atol=0.02)


def test_luminance_transfer_is_differentiable():
    image, content = picture((5, 4, 3), 0), picture((5, 4, 3), 1)
    weights = np.random.default_rng(2).random((5, 4, 3))
    gradient = jax.grad(lambda x: jnp.sum(weights * luminance_transfer(x, content)))
    # Each output channel is the same weighted sum of the input's channels.
    expected = weights.sum(axis=-1, keepdims=True) * [0.299, 0.587, 0.114]
    np.testing.assert_allclose(gradient(image), expected, rtol=1e-5)
