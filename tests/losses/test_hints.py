"""Distances of features to a teacher's."""

import numpy as np

from nstjax.losses.hints import unexplained_variance


def test_unexplained_variance_by_numpy():
    rng = np.random.default_rng(0)
    target = rng.normal(3, 2, (2, 5, 5, 4)).astype(np.float32)
    prediction = target + rng.normal(0, 0.5, target.shape).astype(np.float32)
    spread = ((target - target.mean((0, 1, 2))) ** 2).sum()
    expected = ((prediction - target) ** 2).sum() / spread
    result = unexplained_variance(prediction, target)
    np.testing.assert_allclose(result, expected, rtol=1e-4)
