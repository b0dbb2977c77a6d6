"""Colours and fringes against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.losses.base import Picture
from nstjax.losses.palette import Palette, fringe_loss, fringe_ratio, palette_loss

palette = jax.jit(palette_loss, static_argnames=("directions", "samples"))
ratio = jax.jit(fringe_ratio)


def plain(*colour, size=8):
    return np.broadcast_to(np.float32(colour), (1, size, size, 3))


def test_plain_colours_are_as_far_apart_as_their_squared_distance_over_3():
    # The mean square of a vector's part along a random direction.
    found = palette(
        plain(0.2, 0.4, 0.6),
        plain(0.5, 0.4, 0.2),
        key=jax.random.key(0),
        directions=4096,
        samples=16,
    )
    assert float(found) == pytest.approx((0.3**2 + 0.4**2) / 3, rel=0.05)


def test_where_colours_lie_does_not_matter():
    rng = np.random.default_rng(0)
    image = rng.random((2, 16, 16, 3), np.float32)
    moved = image.reshape(2, 256, 3)[:, rng.permutation(256)].reshape(image.shape)
    same, other = (
        float(palette(image, x, key=jax.random.key(1))) for x in (moved, image**3)
    )
    assert same < 0.05 * other


def test_all_pixels_are_those_of_numpy_and_all_of_them_move():
    rng = np.random.default_rng(0)
    image, style = rng.random((1, 9, 7, 3), "f4"), rng.random((1, 6, 8, 3), "f4")

    def loss(image):
        return palette(image, style, key=jax.random.key(0), samples=None)

    axes = jax.random.normal(jax.random.split(jax.random.key(0), 3)[0], (3, 8))
    axes = np.asarray(axes / jnp.linalg.norm(axes, axis=0))
    projected = np.sort(image.reshape(-1, 3) @ axes, axis=0)
    # Hazen's quantiles: of the middles of as many equal parts.
    shares = (np.arange(len(projected)) + 0.5) / len(projected)
    wanted = np.quantile(style.reshape(-1, 3) @ axes, shares, axis=0, method="hazen")
    value, gradient = jax.value_and_grad(loss)(image)
    np.testing.assert_allclose(value, np.square(projected - wanted).mean(), rtol=1e-4)
    assert (np.abs(gradient).sum(axis=3) > 0).all()


def test_without_a_key_every_pixel_moves():
    rng = np.random.default_rng(0)
    image, style = (Picture(rng.random((1, 80, 90, 3), "f4"), {}) for _ in range(2))
    term = Palette()

    def loss(pixels):
        return term.loss(Picture(pixels, {}), term.target(image, style))

    gradient = jax.grad(loss)(image.image)
    assert (np.abs(gradient).sum(axis=3) > 0).mean() > 0.99


def test_grey_has_no_fringes_and_a_colour_edge_has_its_own():
    edge = np.zeros((1, 12, 12, 1), np.float32)
    edge[:, :, 6:] = 1
    grey = np.repeat(edge, 3, axis=3)
    assert float(ratio(grey)[0]) == 0
    # Red alone: R - G has 1 of the edge, (R + G) / 2 - B half, grey a third.
    red = grey * np.float32([1, 0, 0])
    expected = (1 + 0.25) / 2 / (1 / 3) ** 2
    assert float(ratio(red)[0]) == pytest.approx(expected, rel=1e-3)


def test_only_what_goes_beyond_the_style_costs():
    rng = np.random.default_rng(0)
    noise = rng.random((2, 16, 16, 3), np.float32)
    grey = np.repeat(noise.mean(axis=3, keepdims=True), 3, axis=3)
    loss = jax.jit(fringe_loss)
    assert float(loss(noise, noise)) == 0 and float(loss(grey, noise)) == 0
    excess = float(loss(noise, grey))
    assert excess == pytest.approx(float(jnp.mean(ratio(noise))), rel=1e-5)


def test_more_brightness_is_no_way_to_lower_it():
    rng = np.random.default_rng(0)
    image = rng.random((1, 16, 16, 3), np.float32)
    gradient = jax.jit(jax.grad(lambda x: fringe_ratio(x).sum()))(image)
    # A change of all channels alike has no slope.
    np.testing.assert_allclose(gradient.sum(axis=3), 0, atol=1e-5)
