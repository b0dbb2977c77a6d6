"""How the published presets bring pictures to size, and what a stage begins with."""

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.errors import NstjaxError
from nstjax.io.resizing import resize_image
from nstjax.methods.options import method_options
from nstjax.methods.per_image import for_encoder
from nstjax.methods.plan import make_plan
from nstjax.models.vgg import VGGSpec

RNG = np.random.default_rng(0)
PICTURE = RNG.random((70, 90, 3), np.float32)


def test_published_presets_are_of_caffe_s_vgg_and_scale_torchvision_s_to_it():
    for method in ("gatys", "lapstyle", "gatys-depth", "style-swap"):
        for preset in ("reference", "paper"):
            options = method_options(method, preset)
            assert options["encoder"] == "vgg19"
            for input_map, scale in (("caffe", 1.0), ("imagenet", 57.0)):
                used = for_encoder(options, VGGSpec(input_map=input_map))
                assert used["feature_scale"] == scale
            told = dict(options) | {"feature_scale": 3.0}
            assert for_encoder(told, VGGSpec())["feature_scale"] == 3.0
        best = method_options(method, "best")
        assert for_encoder(best, VGGSpec(input_map="caffe"))["feature_scale"] == 1.0


def test_the_plan_says_which_scale_is_used():
    options = method_options("gatys", "reference", options={"encoder": "vgg19-slim"})
    plan = make_plan(PICTURE, [PICTURE], options=options)
    assert plan.options["feature_scale"] == 57.0


def test_bilinear_is_pil_s():
    found = resize_image(PICTURE, (31, 44), resampling="bilinear")
    for channel in range(3):
        expected = Image.fromarray(PICTURE[..., channel]).resize(
            (44, 31), Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-6)
    with pytest.raises(NstjaxError, match="lanczos or bilinear"):
        resize_image(PICTURE, (31, 44), resampling="nearest")


def test_a_stage_can_begin_with_the_last_one_s_picture():
    """Steps so small that pictures stay what they begin as."""
    options = dict(
        method="gatys",
        optimizer="adam",
        learning_rate=1e-7,
        iterations=1,
        resampling="bilinear",
        size=(144, 192),
        stages=((0.5, 1.0),),
    )
    found = nstjax.stylize(PICTURE, PICTURE, stage_start="picture", **options)
    small = resize_image(PICTURE, (72, 96), resampling="bilinear")
    # torchvision's ToPILImage truncates.
    levels = np.floor(255 * small) / 255
    expected = resize_image(levels.astype("f4"), (144, 192), resampling="bilinear")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    other = nstjax.stylize(PICTURE, PICTURE, **options)
    assert np.abs(other - expected).max() > 0.01
    with pytest.raises(NstjaxError, match="pixels or picture"):
        nstjax.stylize(PICTURE, PICTURE, stage_start="file", **options)


def test_the_notebook_s_sizes():
    reference = method_options("gatys", "reference")
    assert reference["resampling"] == "bilinear"
    assert reference["stage_start"] == "picture"
    assert method_options("gatys", "best")["stage_start"] == "pixels"
