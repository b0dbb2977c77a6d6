"""Distances of features to a teacher's."""

import numpy as np

from nstjax.losses.hints import hint_loss, unexplained_variance


def test_unexplained_variance_by_numpy():
    rng = np.random.default_rng(0)
    target = rng.normal(3, 2, (2, 5, 5, 4)).astype(np.float32)
    prediction = target + rng.normal(0, 0.5, target.shape).astype(np.float32)
    spread = ((target - target.mean((0, 1, 2))) ** 2).sum()
    expected = ((prediction - target) ** 2).sum() / spread
    result = unexplained_variance(prediction, target)
    np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_rectified_targets_by_numpy():
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(0, 1, (3, 4)), rng.normal(0, 1, 4)
    linear_map = {"kernel": np.float32(kernel), "bias": np.float32(bias)}
    feature = rng.normal(0, 1, (2, 5, 5, 3)).astype(np.float32)
    mapped = feature @ kernel + bias

    # What a ReLU makes of the mapped feature itself is explained in full.
    own = np.maximum(mapped, 0).astype(np.float32)
    assert hint_loss(linear_map, feature, own, rectified=True) < 1e-6
    assert hint_loss(linear_map, feature, own) > 0.1

    target = np.maximum(rng.normal(0, 1, mapped.shape), 0).astype(np.float32)
    # Both signs of the mapped value occur beside both kinds of target.
    for kind in (target > 0, target == 0):
        assert (mapped[kind] > 0).any() and (mapped[kind] < 0).any()
    error = np.where((target == 0) & (mapped < 0), 0, mapped - target)
    spread = ((target - target.mean((0, 1, 2))) ** 2).sum()
    np.testing.assert_allclose(
        hint_loss(linear_map, feature, target, rectified=True),
        (error**2).sum() / spread,
        rtol=1e-4,
    )
