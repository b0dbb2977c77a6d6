"""Sheets of pictures."""

import numpy as np

from nstjax.evaluation.figures import busiest_square, close_up, comparison


def plain(level, side=64):
    return np.full((side, side, 3), level, np.float32)


def test_cells_stand_in_their_rows_and_columns():
    rows = [[plain(0.2), plain(0.4, 32)], [None, plain(0.8)]]
    sheet = comparison(rows, columns=["one", "two"], labels=["first", "x" * 200])
    assert sheet.shape == (26 + 2 * 262, 26 + 2 * 262, 3)
    middles = sheet[26 + 128 :: 262, 26 + 128 :: 262, 0]
    np.testing.assert_allclose(middles, [[0.2, 0.4], [1, 0.8]], atol=0.01)
    # Labels: some ink over each column and beside each row, none in the corner.
    assert sheet[:26, 26:288].min() < 0.5 and sheet[:26, 288:].min() < 0.5
    # The second row's label is long, so small and pale.
    assert sheet[26:288, :26].min() < 0.5 and sheet[288:, :26].min() < 0.9
    assert sheet[:26, :26].min() == 1


def test_the_busiest_square_is_found():
    content = plain(0.5, 128)
    noise = np.random.default_rng(0).uniform(0, 1, (32, 32, 3))
    content[70:102, 20:52] = noise
    top, left, side = busiest_square(content)
    assert side == 32
    assert abs(top - 70) <= 2 and abs(left - 20) <= 2


def test_the_busiest_square_lies_in_the_picture():
    for row in (0, 96):
        for column in (0, 96):
            content = plain(0.5, 128)
            patch = np.random.default_rng(0).uniform(0, 1, (32, 32, 3))
            content[row : row + 32, column : column + 32] = patch
            top, left, side = busiest_square(content)
            assert 0 <= top <= 128 - side and 0 <= left <= 128 - side
            assert abs(top - row) <= 3 and abs(left - column) <= 3


def test_a_close_up_shows_the_same_place_of_each():
    content = plain(0.5)
    content[10:20, 30:40] = np.random.default_rng(0).uniform(0, 1, (10, 10, 3))
    results = [plain(0.1), plain(0.9)]
    pictures, crops = close_up(plain(0.3), content, results)
    assert len(pictures) == len(crops) == 4
    assert crops[0] is None and (pictures[0] == plain(0.3)).all()
    top, left, side = busiest_square(content)
    assert (crops[1] == content[top : top + side, left : left + side]).all()
    assert (crops[2] == plain(0.1, side)).all()
    # A frame of another colour around the place, nothing else.
    changed = np.argwhere(np.abs(pictures[2] - 0.1).max(2) > 0.01)
    assert (changed.min(0) == (top, left)).all()
    assert (changed.max(0) == (top + side - 1, left + side - 1)).all()
