"""Adversarial pictures for depth networks."""

import jax
import numpy as np
import pytest

from nstjax.training.recipes.adversarial import adversarial_step

pytestmark = pytest.mark.slow


def look(image):
    """A network whose disparity is a pixel's red."""
    return image[..., :1]


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    image, other = random.uniform(0.3, 0.7, (2, 3, 8, 10, 3)).astype(np.float32)
    return image, other


def error(image, other):
    maps = [x[..., 0] / x[..., 0].mean((1, 2), keepdims=True) for x in (image, other)]
    return np.abs(maps[0] - maps[1]).mean((1, 2))


def test_steps_have_the_size_that_is_asked_for(pictures):
    image, other = pictures
    found = adversarial_step(
        look, image, other, jax.random.key(0), steps=1, sizes=(0.02, 0.02)
    )
    moved = np.sqrt(np.square(found - image).mean((1, 2, 3)))
    np.testing.assert_allclose(moved, 0.02, rtol=1e-5)


def test_sizes_lie_between_the_ends_and_differ(pictures):
    image, other = (np.tile(x[:1], (64, 1, 1, 1)) for x in pictures)
    found = adversarial_step(
        look, image, other, jax.random.key(0), steps=1, sizes=(0.001, 0.1)
    )
    sizes = np.sqrt(np.square(found - image).mean((1, 2, 3)))
    assert sizes.min() > 0.000999 and sizes.max() < 0.1001
    # Uniform in the logarithm: half of them below the geometric mean.
    assert 0.3 < np.mean(sizes < 0.01) < 0.7


def test_a_step_goes_down_the_error_s_slope(pictures):
    image, other = (x[:1].astype(np.float64) for x in pictures)
    slope = np.zeros_like(image)
    for place in np.ndindex(image.shape):
        ends = []
        for change in (1e-6, -1e-6):
            changed = image.copy()
            changed[place] += change
            ends.append(error(changed, other)[0])
        slope[place] = (ends[0] - ends[1]) / 2e-6
    expected = image - 0.01 * slope / np.sqrt(np.square(slope).mean())
    with jax.enable_x64(True):
        found = adversarial_step(
            look, image, other, jax.random.key(0), steps=1, sizes=(0.01, 0.01)
        )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_more_steps_go_further_and_stay_pictures(pictures):
    image, other = pictures
    errors = [error(image, other)]
    for steps in (1, 4):
        found = adversarial_step(
            look, image, other, jax.random.key(0), steps=steps, sizes=(0.02, 0.03)
        )
        errors.append(error(np.asarray(found), other))
    assert (np.diff(errors, axis=0) < 0).all()
    found = adversarial_step(
        look, image, other, jax.random.key(0), steps=4, sizes=(1, 2)
    )
    assert found.min() >= 0 and found.max() <= 1


def test_no_gradient_leads_back(pictures):
    image, other = pictures

    def total(scale):
        return adversarial_step(
            lambda x: scale * look(x) + 0.1,
            scale * image,
            other,
            jax.random.key(0),
            steps=1,
            sizes=(0.01, 0.02),
        ).sum()

    assert jax.grad(total)(1.0) == 0
