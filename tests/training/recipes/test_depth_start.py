"""The least-squares beginning of a depth network."""

import dataclasses

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.models import fast_depth, monodepth
from nstjax.training.recipes.depth_start import check_solvable, solve_network
from nstjax.training.recipes.depth_teacher import label

pytestmark = pytest.mark.slow

WIDTH = 5
SPEC = monodepth.MonodepthSpec(
    block="separable",
    layers=(2, 2, 6, 2),
    stem_width=WIDTH,
    widths=(WIDTH, WIDTH, 7, 4),
    decoder_widths=(4, 4),
    scales=(3,),
    input_size=(128, 128),
)


def linear_teacher():
    """A FastDepth without a negative number in it, so that no ReLU does anything.

    Its stem and first block together are then a 7x7 convolution, and every later
    block is a unit of the student's.
    """
    rng = np.random.default_rng(0)
    spec = fast_depth.FastDepthSpec(WIDTH, (WIDTH,) * 13, (WIDTH,) * 5)

    def fill(shape):
        spread = rng.random(shape)
        if len(shape) == 1:
            return 0.1 * spread
        if len(shape) == 3:  # 3x3 of each channel, mostly its middle
            spread[shape[0] // 2, shape[1] // 2] += 3
            return spread / spread.sum((0, 1))
        if len(shape) == 2:  # 1x1, mostly channel to channel
            spread = spread + 3 * np.eye(*shape)
        return spread / spread.sum(tuple(range(len(shape) - 1)))

    return jax.tree.map(
        lambda shape: fill(shape).astype(np.float32),
        fast_depth.param_shapes(spec),
        is_leaf=lambda node: isinstance(node, tuple),
    )


def explained(feature, target):
    """R^2 of the best linear map, off the border, where zeros are other colours."""
    margin = 2 if feature.shape[1] > 8 else 1
    inner = (slice(None), *(slice(margin, -margin),) * 2)
    flat = [np.asarray(x[inner], np.float64) for x in (feature, target)]
    design, wanted = (x.reshape(-1, x.shape[-1]) for x in flat)
    design = np.concatenate([design, np.ones((len(design), 1))], 1)
    rest = wanted - design @ np.linalg.lstsq(design, wanted)[0]
    return 1 - (rest**2).sum() / ((wanted - wanted.mean(0)) ** 2).sum()


def test_the_solved_encoder_explains_a_linear_teacher():
    rng = np.random.default_rng(1)
    pictures = [rng.random((6, 128, 128, 3), np.float32) for _ in range(2)]
    teacher = linear_teacher()
    begun = monodepth.init_params(jax.random.key(0), SPEC)
    encoder = solve_network(begun, SPEC, teacher, pictures)["encoder"]
    image = rng.random((16, 128, 128, 3), np.float32)
    # At the teacher's size the teacher does not resize.
    found = fast_depth.activations(teacher, image)
    ends = ("block1", "block3", "block5", "block11", "block13")
    targets = [np.maximum(found.encoder[name][1], 0) for name in ends]
    seen = monodepth.forward(begun | {"encoder": encoder}, image, spec=SPEC)
    shares = [explained(*pair) for pair in zip(seen.encoder, targets, strict=True)]
    # Of random features it is a twentieth at most. The border's zeros, of another
    # colour than the teacher's, keep it from all.
    assert min(shares) > 0.95, shares
    for feature in seen.encoder[:-1]:
        squares = np.square(np.asarray(feature)[..., :WIDTH]).mean((0, 1, 2))
        np.testing.assert_allclose(squares, 1, atol=0.1)
    # Channels that the teacher lacks are as they were, up to their size.
    for index in range(6):
        before, after = (
            np.asarray(params[f"layer3_{index}"]["conv2"]["kernel"][0, 0, :, WIDTH:])
            for params in (begun["encoder"], encoder)
        )
        factors = (before * after).sum(0) / (before**2).sum(0)
        np.testing.assert_allclose(after, factors * before, atol=1e-5)


def test_the_solved_decoder_says_what_the_teacher_says():
    rng = np.random.default_rng(1)
    spec = dataclasses.replace(SPEC, widths=(WIDTH,) * 4, decoder_widths=(WIDTH,) * 2)
    teacher = linear_teacher()

    def views(count):
        coarse = rng.random((count, 6, 6, 3), np.float32)
        return np.asarray(jax.image.resize(coarse, (count, 128, 128, 3), "linear"))

    begun = monodepth.init_params(jax.random.key(0), spec)
    solved = solve_network(begun, spec, teacher, [views(8) for _ in range(3)])
    image = views(16)
    found, before = (
        monodepth.disparities(params, image, spec=spec)[3] for params in (solved, begun)
    )
    expected = label(fast_depth.activations(teacher, image).depth, (16, 16))
    assert np.abs(before - expected).mean() > 0.2
    assert np.abs(found - expected).mean() < 0.1


@pytest.mark.parametrize("change", [{"block": "basic"}, {"layers": (2, 2, 5, 2)}])
def test_other_units_are_refused(change):
    with pytest.raises(NstjaxError, match="block=separable"):
        check_solvable(dataclasses.replace(SPEC, **change))
