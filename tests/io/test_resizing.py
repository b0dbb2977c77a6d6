"""Sizes in closed form; resizing against jax.image and simple pictures."""

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.resizing import fit_size, resize_image


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((100, 200), {}, (100, 200)),
        ((100, 200), {"short_side": 50}, (50, 100)),
        ((200, 100), {"short_side": 50}, (100, 50)),
        ((100, 200), {"long_side": 50}, (25, 50)),
        ((100, 200), {"short_side": 400}, (400, 800)),
        ((7, 7), {"long_side": 3}, (3, 3)),
        # 5 / 2 = 2.5 and 3 / 2 = 1.5 go up; 10 / 3 = 3.33 goes down.
        ((5, 10), {"long_side": 5}, (3, 5)),
        ((3, 10), {"long_side": 5}, (2, 5)),
        ((10, 30), {"long_side": 10}, (3, 10)),
        # 0.1 rounds to 0, which is no picture.
        ((1, 1000), {"long_side": 100}, (1, 100)),
    ],
)
def test_fit_size(size, options, expected):
    assert fit_size(*size, **options) == expected


def test_fit_size_keeps_the_side_asked_for():
    random = np.random.default_rng(0)
    for height, width, side in random.integers(1, 5000, (200, 3)).tolist():
        short = fit_size(height, width, short_side=side)
        assert min(short) == side
        assert abs(max(short) - side * max(height, width) / min(height, width)) <= 0.5
        long = fit_size(height, width, long_side=side)
        assert max(long) == side


def test_fit_size_refusals():
    for side in (0, -5):
        with pytest.raises(NstjaxError, match="at least 1 pixel"):
            fit_size(10, 20, short_side=side)
    with pytest.raises(ValueError, match="not both"):
        fit_size(10, 20, short_side=5, long_side=5)


@pytest.mark.parametrize("size", [(17, 50), (80, 61), (13, 7), (40, 90), (1, 1)])
def test_resize_is_antialiased_lanczos(size):
    image = np.random.default_rng(0).random((40, 30, 3), dtype=np.float32)
    expected = jax.image.resize(
        image, (*size, 3), "lanczos3", antialias=True, precision="highest"
    )
    resized = resize_image(image, size)
    assert resized.shape == (*size, 3) and resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.clip(expected, 0, 1), atol=1e-5)


def test_resize_to_the_same_size_changes_nothing():
    image = np.random.default_rng(0).random((9, 14, 3), dtype=np.float32)
    np.testing.assert_array_equal(resize_image(image, (9, 14)), image)


def test_a_flat_picture_stays_flat():
    image = np.broadcast_to(np.float32([0.1, 0.5, 0.9]), (31, 20, 3))
    for size in ((7, 5), (64, 33)):
        expected = np.broadcast_to([0.1, 0.5, 0.9], (*size, 3))
        np.testing.assert_allclose(resize_image(image, size), expected, atol=1e-6)


def test_the_finest_stripes_average_out_instead_of_aliasing():
    image = np.zeros((64, 64, 3), np.float32)
    image[:, ::2] = 1
    reduced = resize_image(image, (21, 21))
    np.testing.assert_allclose(reduced[:, 3:-3], 0.5, atol=0.02)


def test_overshoot_is_clipped_and_other_channel_counts_work():
    edge = np.zeros((16, 16, 1))
    edge[:, 8:] = 1
    enlarged = resize_image(edge, (64, 64))
    assert enlarged.shape == (64, 64, 1) and enlarged.dtype == np.float32
    assert enlarged.min() == 0 and enlarged.max() == 1
