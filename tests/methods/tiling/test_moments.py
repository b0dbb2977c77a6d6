"""Moments of parts, put together."""

import numpy as np
import pytest

from nstjax.methods.tiling.moments import merge, moments_of, to_statistics


def _merged(parts, weights=None):
    found = None
    for i, part in enumerate(parts):
        shares = None if weights is None else weights[i]
        found = merge(found, moments_of(part, shares))
    return found


@pytest.mark.parametrize("ddof", [0, 1])
def test_parts_have_the_variance_of_the_whole_far_from_zero(ddof):
    rng = np.random.default_rng(0)
    # In single precision, sums of squares would have lost this variance.
    values = (1000 + rng.standard_normal((400, 3))).astype(np.float32)
    mean, std = to_statistics(
        _merged([values[:7], values[7:150], values[150:]]), eps=1e-5, ddof=ddof
    )
    exact = values.astype(np.float64)
    np.testing.assert_allclose(mean.ravel(), exact.mean(axis=0), rtol=1e-7)
    expected = np.sqrt(exact.var(axis=0, ddof=ddof) + 1e-5)
    np.testing.assert_allclose(std.ravel(), expected, rtol=1e-6)
    assert mean.shape == std.shape == (1, 1, 1, 3) and mean.dtype == np.float32


def test_weights_count_positions_as_often():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((50, 2)).astype(np.float32)
    times = rng.integers(0, 4, 50)
    repeated = np.repeat(values, times, axis=0).astype(np.float64)
    weights = times[:, None].astype(np.float32)
    found = _merged([values[:20], values[20:]], [weights[:20], weights[20:]])
    mean, std = to_statistics(found, eps=1e-5)
    np.testing.assert_allclose(mean.ravel(), repeated.mean(axis=0), rtol=1e-5)
    expected = np.sqrt(repeated.var(axis=0) + 1e-5)
    np.testing.assert_allclose(std.ravel(), expected, rtol=1e-5)


def test_no_positions_have_finite_statistics():
    values = np.ones((4, 2), np.float32)
    found = _merged([values, values], [np.zeros((4, 1))] * 2)
    mean, std = to_statistics(found, eps=1e-4)
    np.testing.assert_array_equal(mean.ravel(), 0)
    np.testing.assert_allclose(std.ravel(), 1e-2)
