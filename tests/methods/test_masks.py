"""Masks as files: what is transparent is not there."""

import warnings

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.methods.images import read_mask
from nstjax.methods.options import method_options
from nstjax.methods.plan import make_plan


def saved(tmp_path, levels, mode):
    path = tmp_path / "mask.png"
    Image.fromarray(np.asarray(levels, np.uint8), mode).save(path)
    return str(path)


def strokes(inside, outside):
    levels = np.full((20, 30, len(inside)), outside)
    levels[5:15, 5:15] = inside
    return levels


def test_white_strokes_on_a_transparent_layer(tmp_path):
    expected = strokes((1,), (0,)).astype(np.float32)
    with warnings.catch_warnings(action="error"):
        for outside in ((255, 255, 255, 0), (0, 0, 0, 0)):
            path = saved(tmp_path, strokes((255, 255, 255, 255), outside), "RGBA")
            np.testing.assert_array_equal(read_mask(path), expected)
            with Image.open(path) as picture:
                np.testing.assert_array_equal(read_mask(picture), expected)
        path = saved(tmp_path, strokes((255, 128), (255, 0)), "LA")
        np.testing.assert_allclose(read_mask(path), expected * 128 / 255, atol=1e-6)
        path = saved(tmp_path, strokes((255, 255, 255), (0, 0, 0)), "RGB")
        np.testing.assert_array_equal(read_mask(path), expected)


@pytest.mark.parametrize(
    ("pixel", "shade"), [((0, 0, 0, 255), "black"), ((255, 255, 255, 255), "white")]
)
def test_a_mask_of_one_value_gets_a_word(tmp_path, pixel, shade):
    path = saved(tmp_path, strokes(pixel, pixel), "RGBA")
    with pytest.warns(NstjaxWarning, match=f"is {shade} nearly everywhere"):
        read_mask(path)


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999999999999])
def test_seeds_that_would_be_cut_are_refused(seed):
    picture = np.zeros((64, 64, 3), np.float32)
    with pytest.raises(NstjaxError, match="the seed must be from 0 to 4294967295"):
        make_plan(picture, [picture], options=method_options("adain"), seed=seed)
