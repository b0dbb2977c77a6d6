"""Blocks of positions as channels, and back."""

import numpy as np

from nstjax.ops.blocks import depth_to_space, space_to_depth


def test_blocks_stand_side_by_side_and_come_back():
    x = np.random.default_rng(0).random((2, 16, 24, 3), np.float32)
    blocks = space_to_depth(x)
    assert blocks.shape == (2, 8, 12, 12)
    for row in range(2):
        for column in range(2):
            first = 3 * (2 * row + column)
            np.testing.assert_array_equal(
                blocks[..., first : first + 3], x[:, row::2, column::2]
            )
    np.testing.assert_array_equal(depth_to_space(blocks), x)
