"""Windows that cover an axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstjax.errors import NstjaxError
from nstjax.methods.tiling.spans import Span, count, read_window, spans, tiles


@given(st.integers(1, 300), st.integers(9, 60), st.integers(0, 4))
def test_cores_follow_one_another_and_keep_off_inner_borders(length, size, halo):
    found = spans(length, size, halo)
    assert [s.first for s in found] == [0, *(s.last for s in found[:-1])]
    assert found[-1].last == length
    for span in found:
        assert span.stop - span.start == min(size, length)
        assert 0 <= span.start <= span.first < span.last <= span.stop <= length
        assert span.start == 0 or span.first - span.start >= halo
        assert span.stop == length or span.stop - span.last >= halo


def test_windows_without_room_are_refused():
    with pytest.raises(NstjaxError, match="8 positions are too small for halos of 4"):
        spans(20, 8, 4)


def test_tiles_are_counted():
    found = list(tiles(20, 30, 12, 4))
    assert len(found) == count(20, 30, 12, 4) == 3 * 6


def test_a_window_beyond_the_picture_is_its_reflection():
    image = np.random.default_rng(0).random((19, 21, 3))
    padded = np.pad(image, ((0, 5), (0, 3), (0, 0)), mode="reflect")
    for rows, columns in ((Span(8, 24, 8, 24), Span(0, 24, 0, 24)),):
        window = read_window(image, rows, columns)
        np.testing.assert_array_equal(window[0], padded[8:24, 0:24])
    inside = read_window(image, Span(2, 9, 2, 9), Span(3, 8, 3, 8))
    np.testing.assert_array_equal(inside[0], image[2:9, 3:8])


def test_slices_of_a_span():
    span = Span(10, 30, 14, 26)
    assert span.inner == slice(4, 16)
    assert span.scaled(8) == Span(80, 240, 112, 208)
