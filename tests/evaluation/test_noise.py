"""Noise in flat areas and grids, against NumPy."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from nstjax.evaluation.pixels import make_noise_metric

METRIC = make_noise_metric()


def energy(picture):
    picture = picture.astype(np.float64)
    detail = (picture - uniform_filter(picture, (3, 3, 1)))[1:-1, 1:-1]
    squares = (detail**2).mean(2)
    side = len(squares) // 4
    return squares[: side * 4, : side * 4].reshape(side, 4, side, 4).mean((1, 3))


def measure(result, content, style):
    return METRIC.measure(result, METRIC.of_content(content), METRIC.of_style(style))


@pytest.fixture
def landscape(paint):
    """A flat sky above, texture below."""
    content = paint(0, 1.0)
    content[:32] = (0.4, 0.6, 0.8)
    return content


def noise(scale, rows=slice(None), seed=5):
    field = np.zeros((64, 64, 3), np.float32)
    field[rows] = np.random.default_rng(seed).normal(size=(64, 64, 3))[rows]
    return scale * field


def test_the_definitions(landscape, paint):
    result = landscape + noise(0.1)
    style = paint(1, 2.0)
    flat = 1e-4 / (1e-4 + energy(landscape))
    excess = np.maximum(energy(result) - energy(style).mean(), 0)
    found = measure(result, landscape, style)
    # The loss adds one cell to the flat area, so that it is never empty.
    expected = 255 * np.sqrt((flat * excess).sum() / (flat.sum() + 1))
    assert expected > 1
    assert found["flat_noise"] == pytest.approx(expected, rel=1e-3)
    ratio = (flat * energy(result)).sum() / flat.sum() / energy(style).mean()
    assert found["flat_ratio"] == pytest.approx(ratio, rel=1e-3)


def test_a_flat_content_itself_has_none(landscape, paint):
    flat = np.full((64, 64, 3), 0.5, np.float32)
    found = measure(flat, flat, paint(1))
    assert found["flat_noise"] == 0
    assert found["flat_ratio"] == pytest.approx(0, abs=1e-6)


def test_noise_in_the_sky_counts_more_the_stronger_it_is(landscape, paint):
    style = paint(1, 6.0)
    found = [
        measure(landscape + noise(s, slice(0, 32)), landscape, style)
        for s in (0.02, 0.05, 0.2)
    ]
    for name in ("flat_noise", "flat_ratio"):
        assert found[0][name] < found[1][name] < found[2][name]


def test_noise_in_the_texture_hardly_counts(landscape, paint):
    style = paint(1, 6.0)
    sky, ground = (
        measure(landscape + noise(0.1, rows), landscape, style)["flat_noise"]
        for rows in (slice(0, 32), slice(32, 64))
    )
    assert sky > 2 * ground


def test_a_rough_style_may_be_rough(landscape):
    rough = 0.5 + noise(0.2, seed=9)
    found = measure(landscape + noise(0.1), landscape, rough)
    assert found["flat_noise"] == 0
    assert 0 < found["flat_ratio"] < 1


def test_what_repeats_from_cell_to_cell_is_a_grid(landscape, paint):
    tile = np.random.default_rng(2).normal(0, 0.1, (8, 8, 3)).astype(np.float32)
    grid = 0.5 + np.tile(tile, (8, 8, 1))
    found = measure(grid, landscape, paint(1))
    assert 95 < found["grid"] < 100.1
    assert measure(0.5 + noise(0.1), landscape, paint(1))["grid"] < 5
