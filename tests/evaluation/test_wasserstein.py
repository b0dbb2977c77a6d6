"""Sliced Wasserstein distances against SciPy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import wasserstein_distance
from skimage.color import rgb2lab

from nstjax.evaluation.pixels import (
    compare_style,
    derivatives,
    describe_style,
    directions,
    make_wasserstein_metric,
    project,
)

WEIGHTS = np.array([0.299, 0.587, 0.114])


def sliced(first, second, vectors):
    return np.mean([wasserstein_distance(first @ v, second @ v) for v in vectors])


def test_color_is_the_sliced_distance_in_lab(paint):
    result, style = paint(0), np.clip(paint(1) * [1, 0.7, 0.4], 0, 1).astype("f")
    lab = [rgb2lab(x).reshape(-1, 3) for x in (result, style)]
    found = compare_style(result, describe_style(style))["color"]
    assert found == pytest.approx(sliced(*lab, directions(3)), rel=5e-3)


def test_texture_is_the_sliced_distance_of_derivatives(paint):
    result, style = paint(0, 1.0), paint(1, 2.0)
    deviations = derivatives(style).std(0)
    responses = [derivatives(x) / deviations for x in (result, style)]
    found = compare_style(result, describe_style(style))["texture"]
    assert found == pytest.approx(sliced(*responses, directions(15)), rel=5e-3)


def test_derivatives_are_those_of_gaussians(paint):
    picture = paint(0)
    grey = picture.astype(np.float64) @ WEIGHTS
    found = derivatives(picture).reshape(64, 64, 15)
    # The second scale's first derivative across, and its mixed one.
    across = gaussian_filter1d(gaussian_filter1d(grey, 2, axis=0), 2, axis=1, order=1)
    mixed = gaussian_filter1d(grey, 2, axis=0, order=1)
    mixed = gaussian_filter1d(mixed, 2, axis=1, order=1)
    np.testing.assert_allclose(found[..., 5], 2 * across, atol=1e-5)
    np.testing.assert_allclose(found[..., 8], 4 * mixed, atol=1e-5)


def test_quantiles_of_fewer_and_of_more_samples():
    samples = np.random.default_rng(0).normal(size=(2048, 3)).astype("f")
    exact = np.sort(directions(3) @ samples.T, axis=1)
    np.testing.assert_allclose(project(samples), exact, atol=1e-6)
    for count in (500, 20_000):
        some = np.random.default_rng(1).normal(size=(count, 3)).astype("f")
        found = project(some)
        ranks = (np.arange(2048) + 0.5) / 2048
        first = directions(3)[0] @ some.T
        expected = np.quantile(first, ranks, method="hazen")
        np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_directions_are_fixed_unit_vectors():
    for dimensions, count in ((3, 32), (15, 64)):
        vectors = directions(dimensions)
        assert vectors.shape == (count, dimensions)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    # Written down once: values of different releases stay comparable.
    random = np.random.Generator(np.random.PCG64(2017))
    drawn = random.normal(size=(32, 3))[0]
    np.testing.assert_allclose(directions(3)[0], drawn / np.linalg.norm(drawn), 1e-5)


def test_the_style_itself_has_the_styles_colors_and_strokes(paint):
    metric = make_wasserstein_metric()
    style = paint(0)
    found = metric.measure(style, None, metric.of_style(style))
    assert found == {"color": 0, "texture": 0}


def test_moved_pixels_keep_the_colors_and_lose_the_strokes(paint):
    style = paint(0)
    shuffled = np.random.default_rng(0).permutation(style.reshape(-1, 3))
    found = compare_style(shuffled.reshape(style.shape), describe_style(style))
    assert found["color"] == pytest.approx(0, abs=1e-3)
    assert found["texture"] > 0.2


def test_other_colors_of_one_luminance_keep_the_strokes(paint):
    style = 0.3 + 0.4 * paint(0)
    # Orthogonal to the luminance's weights.
    shift = np.cross(WEIGHTS, (0, 0, 1))
    shifts = [style + np.float32(s * shift / np.abs(shift).max()) for s in (0.05, 0.2)]
    first, second = (compare_style(x, describe_style(style)) for x in shifts)
    assert 0.5 < first["color"] < second["color"]
    assert second["texture"] == pytest.approx(0, abs=1e-3)


def test_strokes_that_lie_across_are_other_strokes():
    wave = 0.5 + 0.4 * np.sin(np.arange(64) / 3)
    stripes = np.repeat(np.broadcast_to(wave, (64, 64))[..., None], 3, 2).astype("f")
    turned = np.ascontiguousarray(stripes.swapaxes(0, 1))
    found = compare_style(turned, describe_style(stripes))
    assert found["color"] == pytest.approx(0, abs=1e-3)
    assert found["texture"] > 0.3


def test_a_plain_style_gives_finite_figures(paint):
    plain = np.full((64, 64, 3), 0.5, np.float32)
    found = compare_style(paint(0), describe_style(plain))
    assert np.isfinite(list(found.values())).all()
