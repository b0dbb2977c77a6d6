"""Strokes whose size is one of pixels, for methods of both kinds."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage import data

import nstjax
from nstjax.errors import NstjaxError
from nstjax.methods.optimization_methods import stroke_side
from nstjax.methods.styles import make_style, style_side

CONTENT = np.random.default_rng(0).random((64, 72, 3), np.float32)
STYLE = np.random.default_rng(1).random((40, 50, 3), np.float32)


def test_one_pass_sees_the_style_at_so_many_pixels():
    """Those of 512 times the scale, whatever the result's."""
    size = (96, 108)
    by_strokes = nstjax.stylize(CONTENT, STYLE, size=size, stroke_scale=0.125)
    by_share = nstjax.stylize(CONTENT, STYLE, size=size, style_scale=64 / 96)
    np.testing.assert_array_equal(by_strokes, by_share)
    for height in (64, 96, 2000):
        assert style_side((height, height), 1.0, stroke_scale=0.125) == 64


def _wavelength(image):
    """The mean length of waves along both axes, in pixels, by the power spectrum."""
    grey = image.mean(axis=2)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, grey.shape), indexing="ij"))
    return power.sum() / (power * frequency).sum()


def test_one_pass_paints_larger_strokes_than_its_decoder_has_seen():
    """Seen by a spectrum: what a flat grey turns into has longer waves."""
    grey = np.full((128, 128, 3), 0.5, np.float32)
    grey += np.random.default_rng(2).normal(0, 0.1, grey.shape).astype(np.float32)
    grey = grey.clip(0, 1)
    usual, large = (nstjax.stylize(grey, "night", stroke_scale=s) for s in (1.0, 3.0))
    assert _wavelength(large) > 1.5 * _wavelength(usual)
    assert large.std() > 0.5 * usual.std()


def test_without_strength_large_strokes_leave_the_content():
    plain, large = (
        nstjax.stylize(CONTENT, "night", alpha=0.0, stroke_scale=scale)
        for scale in (1.0, 3.0)
    )
    np.testing.assert_allclose(large, plain, atol=1e-5)


@pytest.mark.slow
def test_optimisation_sees_the_style_at_as_many():
    options = {"method": "gatys", "iterations": 2, "stages": (), "size": (64, 72)}
    by_strokes = nstjax.stylize(CONTENT, STYLE, **options, stroke_scale=0.25)
    by_share = nstjax.stylize(CONTENT, STYLE, **options, style_scale=2.0)
    np.testing.assert_array_equal(by_strokes, by_share)


def test_strokes_keep_their_size_where_the_result_is_enlarged():
    plan = SimpleNamespace(
        options={"stroke_scale": 0.5}, working_size=(300, 400), output_size=(600, 800)
    )
    # 256 pixels in the result, so half as many where it is painted.
    assert stroke_side(plan) == 128
    plan.options["stroke_scale"] = None
    assert stroke_side(plan) is None


@pytest.mark.parametrize("method", ["adain", "gatys"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stroke_scale": 0.0}, "above 0 and at most 4"),
        ({"stroke_scale": 5.0}, "above 0 and at most 4"),
        ({"stroke_scale": 1.0, "style_scale": 2.0}, "give only one of them"),
    ],
)
def test_scales_that_make_no_sense_are_refused(method, options, words):
    with pytest.raises(NstjaxError, match=words):
        nstjax.stylize(CONTENT, STYLE, method=method, **options)


def test_a_saved_style_has_strokes_of_its_own(tmp_path):
    from nstjax.methods.options import method_options
    from nstjax.methods.plan import load_networks

    networks = load_networks(method_options("adain"))
    saved = make_style(STYLE, name="saved", networks=networks)
    with pytest.raises(NstjaxError, match="keeps the strokes that it was saved with"):
        nstjax.stylize(CONTENT, saved, stroke_scale=1.0)


def test_large_strokes_leave_what_no_mask_covers_as_sharp_as_it_was():
    with Image.fromarray(data.astronaut()) as photograph:
        content = np.asarray(photograph.resize((192, 192)), np.float32) / 255
    mask = np.zeros((192, 192), np.float32)
    mask[:, :64] = 1
    plain, large = (
        nstjax.stylize(content, "wave", mask=mask, stroke_scale=scale)
        for scale in (1.0, 3.0)
    )
    # Beyond what a decoder sees around a pixel.
    of_plain, of_large = (_detail(image[:, 110:]) for image in (plain, large))
    assert of_large > 0.8 * of_plain
    assert abs(large[:, :60] - plain[:, :60]).mean() > 0.05


def _detail(image):
    """The variance of a picture's Laplacian."""
    grey = image.mean(axis=2)
    beside = sum(np.roll(grey, step, axis) for step in (-1, 1) for axis in (0, 1))
    return (4 * grey - beside)[1:-1, 1:-1].var()
