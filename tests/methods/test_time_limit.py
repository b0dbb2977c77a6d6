"""Optimising for so many seconds."""

import numpy as np
import pytest

import nstjax
from nstjax.methods.per_image import Stage, _deadlines


def test_stages_share_the_time_by_what_they_cost():
    stages = [Stage((10, 10), 30), Stage((20, 20), 30)]
    first, last = _deadlines(stages, 5.0)
    assert last - first == pytest.approx(4.0)
    assert _deadlines(stages, None) == [float("inf")] * 2


def test_limits_that_make_no_sense_are_refused():
    image = np.full((32, 32, 3), 0.5, np.float32)
    with pytest.raises(nstjax.NstjaxError, match="above 0 seconds"):
        nstjax.stylize(image, image, method="gatys", time_limit=0)
    with pytest.raises(nstjax.NstjaxError, match="paints in a single pass"):
        nstjax.stylize(image, image, time_limit=1)


@pytest.mark.slow
def test_the_picture_so_far_is_what_comes_out():
    content, style = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    seen = []
    options = {"method": "gatys", "iterations": 10**6, "init": "adain"}
    image = nstjax.stylize(
        content, style, time_limit=1, on_progress=seen.append, **options
    )
    assert image.shape == content.shape and seen[-1].evaluations < 10**6
    assert len({progress.evaluations for progress in seen}) == len(seen)
