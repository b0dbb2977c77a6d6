"""A distilled encoder's least squares, where the right result is the teacher itself."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.models import vgg
from nstjax.training.recipes.warm_start import (
    select_channels,
    solve_maps,
    solve_student,
)

_WIDTHS = (8, 6, 10)  # to relu2_1, behind a pooling


def _spec(widths):
    return vgg.VGGSpec(
        widths=widths,
        padding="reflect",
        pooling="max",
        rounding="floor",
        input_map="imagenet",
    )


def _images(key):
    noise = jax.random.uniform(key, (2, 12, 12, 3))
    return jax.image.resize(noise, (2, 48, 48, 3), "cubic").clip(0, 1)


def test_a_student_of_the_teacher_s_widths_becomes_the_teacher():
    spec = _spec(_WIDTHS)
    keys = jax.random.split(jax.random.key(0), 4)
    teacher = vgg.init_params(keys[0], spec)

    @partial(jax.jit, static_argnums=1)
    def teach(image, convolution):
        return vgg.features(teacher, image, (convolution,), spec=spec)[convolution]

    images = [_images(key) for key in keys[1:3]]
    student = solve_student(vgg.init_params(keys[3], spec), spec, teach, images)

    both = [
        vgg.features(params, images[0], spec.layers, spec=spec)
        for params in (student, teacher)
    ]
    for layer in spec.layers:
        ours, theirs = (np.asarray(features[layer]) for features in both)
        # The teacher's channels in another order: each is the one it is nearest to.
        difference = np.square(ours[..., None] - theirs[..., None, :]).mean((0, 1, 2))
        nearest = difference.argmin(axis=1)
        assert sorted(nearest) == list(range(theirs.shape[-1]))
        energy = np.square(theirs).mean((0, 1, 2))[nearest]
        assert (difference.min(axis=1) <= 1e-2 * energy + 1e-6).all(), layer


def test_maps_find_a_linear_relation():
    kernel = jax.random.normal(jax.random.key(1), (3, 4))
    bias = jnp.array([1.0, -2.0, 0.5, 3.0])
    images = [_images(key) for key in jax.random.split(jax.random.key(2), 2)]
    maps = solve_maps(
        lambda image: {"relu1_1": image},
        lambda image: {"relu1_1": image @ kernel + bias},
        images,
    )
    # But for the ridge.
    np.testing.assert_allclose(maps["relu1_1"]["kernel"], kernel, atol=5e-2)
    np.testing.assert_allclose(maps["relu1_1"]["bias"], bias, atol=5e-2)


def test_channels_that_tell_most_are_chosen_first():
    random = np.random.default_rng(0)
    free = random.standard_normal((1000, 2)) * [3.0, 1.0]
    # The third repeats the first, so that it adds nothing once that one is chosen.
    values = np.concatenate([free, 0.9 * free[:, :1]], axis=1)
    assert list(select_channels(np.cov(values.T), 2)) == [0, 1]
