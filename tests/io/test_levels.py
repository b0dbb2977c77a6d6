"""8-bit levels: the nearest one, and back."""

import numpy as np
import pytest

from nstjax.io.levels import to_float, to_uint8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_nearest_level_of_what_is_in_range(dtype):
    image = np.array([[-0.5, 0, 0.49 / 255], [0.51 / 255, 254.6 / 255, 2]], dtype)
    before = image.copy()
    levels = to_uint8(image)
    assert levels.dtype == np.uint8
    assert levels.tolist() == [[0, 0, 0], [1, 255, 255]]
    np.testing.assert_array_equal(image, before)


def test_levels_come_back():
    levels = np.arange(256, dtype=np.uint8)
    image = to_float(levels)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.arange(256) / 255, rtol=1e-7)
    np.testing.assert_array_equal(to_uint8(image), levels)
