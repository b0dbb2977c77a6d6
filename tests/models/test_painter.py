"""The painter: shapes, what a style may change, and files."""

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.models import painter
from nstjax.models.painter import PainterSpec
from nstjax.ops.stats import Statistics

SPEC = PainterSpec(((4, 6), (8,), (10,)), ((9,), (8, 7), (6,)), 5)
encode = jax.jit(painter.encode, static_argnames="spec")
decode = jax.jit(painter.decode, static_argnames="spec")


@pytest.fixture(scope="module")
def params():
    found = jax.device_get(painter.init_params(jax.random.key(0), SPEC))
    rng = np.random.default_rng(0)
    for name in SPEC.styled:
        shape = found["style"][name]["kernel"].shape
        found["style"][name]["kernel"] = rng.standard_normal(shape).astype(np.float32)
    return found


def image(seed=0, size=(16, 24)):
    return np.random.default_rng(seed).random((1, *size, 3)).astype(np.float32)


def style(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return {
        level: Statistics(
            *(scale * rng.random((1, 1, 1, width), np.float32) for _ in range(2))
        )
        for level, width in SPEC.level_widths.items()
    }


def test_levels_have_their_strides_and_widths(params):
    features = encode(params, image(), spec=SPEC)
    assert set(features) == {"half", "quarter", "eighth"}
    for level, value in features.items():
        side = {"half": 2, "quarter": 4, "eighth": 8}[level]
        expected = (1, 16 // side, 24 // side, SPEC.level_widths[level])
        assert value.shape == expected and value.min() >= 0


def test_the_weights_have_the_shapes_that_are_said(params):
    shapes = jax.tree.map(np.shape, params)
    assert shapes == painter.param_shapes(SPEC)


def test_a_fresh_painter_paints_nearly_grey():
    fresh = painter.init_params(jax.random.key(1), SPEC)
    features = encode(fresh, image(), spec=SPEC)
    pixels = np.asarray(decode(fresh, features, [style()], spec=SPEC))
    assert pixels.shape == (1, 16, 24, 3)
    assert abs(pixels.mean() - 0.5) < 0.1 and pixels.std() < 0.2


def test_a_style_alone_changes_the_picture_within_bounds(params):
    features = encode(params, image(), spec=SPEC)
    pictures = [
        np.asarray(decode(params, features, [style(1, scale)], spec=SPEC))
        for scale in (0, 1, 1e6)
    ]
    assert np.abs(pictures[1] - pictures[0]).max() > 1e-3
    assert np.isfinite(pictures[2]).all() and np.abs(pictures[2]).max() < 100


def test_shares_of_one_style_are_that_style(params):
    features = encode(params, image(), spec=SPEC)
    share = np.random.default_rng(5).random((1, 8, 12, 1), np.float32)
    alone = decode(params, features, [style(1)], spec=SPEC)
    shared = decode(
        params, features, [style(1), style(1)], [share, 1 - share], spec=SPEC
    )
    np.testing.assert_allclose(shared, alone, atol=1e-4)


def test_a_spec_survives_json():
    assert PainterSpec.from_dict(SPEC.to_dict()) == SPEC
    with pytest.raises(NstjaxError, match="has the fields"):
        PainterSpec.from_dict(SPEC.to_dict() | {"trunk_blocks": 1})
    for wrong in (
        {"style_width": 0},
        {"encoder_widths": ((1,),)},
        {"decoder_widths": ()},
    ):
        with pytest.raises(NstjaxError, match="no width below 1"):
            PainterSpec(**wrong)
    with pytest.raises(NstjaxError, match="malformed"):
        PainterSpec(decoder_widths=3)


@pytest.mark.parametrize("size", [(8, 16), (16, 20)])
def test_sizes_that_do_not_fit_are_refused(params, size):
    with pytest.raises(NstjaxError, match="multiples of 8, 16 or more"):
        painter.encode(params, image(size=size), spec=SPEC)
