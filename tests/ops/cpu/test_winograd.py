"""Winograd's form equals the plain one, and is taken where it pays."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate

from nstjax.ops import convolution
from nstjax.ops.convolution import conv3x3, upsample_reflect_conv3x3
from nstjax.ops.cpu.winograd import winograd_conv3x3


@pytest.mark.parametrize("block", [2, 4])
@pytest.mark.parametrize("size", [(4, 8), (5, 8), (7, 3), (6, 13), (1, 1)])
def test_same_as_scipy(size, block):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, size[0] + 2, size[1] + 2, 3))
    kernel = rng.normal(size=(3, 3, 3, 4))
    expected = np.stack(
        [
            [
                correlate(image, kernel[..., number], mode="valid")[..., 0]
                for number in range(4)
            ]
            for image in x
        ]
    )
    found = winograd_conv3x3(
        x.astype(np.float32), kernel.astype(np.float32), block=block
    )
    assert found.shape == (2, *size, 4)
    np.testing.assert_allclose(found, np.moveaxis(expected, 1, -1), atol=2e-5)


@pytest.fixture(autouse=True)
def any_processor(monkeypatch):
    """The thresholds of processors without AVX-512 hold on all."""
    monkeypatch.setattr(convolution, "_WINOGRAD_OPERATIONS", 2e9)
    monkeypatch.setattr(convolution, "_WINOGRAD_PIXELS", 0)


def wide(padding, side=96):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, side, side + 1, 128)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 128, 128)).astype(np.float32) / 34
    return x, kernel, lambda x, kernel: conv3x3(x, kernel, padding=padding)


def plain(padding):
    mode = {"zero": "constant", "reflect": "reflect"}[padding]

    def convolve(x, kernel):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
        return lax.conv_general_dilated(
            padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    return convolve


def convolutions(function, *arguments) -> int:
    return (
        jax.jit(function).lower(*arguments).compile().as_text().count(" convolution(")
    )


def compare(fast, slow, x, kernel):
    """Values and both gradients."""

    @partial(jax.jit, static_argnums=0)
    def value_and_gradients(form, x, kernel):
        value, pull_back = jax.vjp(form, x, kernel)
        return value, *pull_back(jnp.sin(jnp.arange(value.size).reshape(value.shape)))

    found = value_and_gradients(fast, x, kernel)
    for one, other in zip(found, value_and_gradients(slow, x, kernel), strict=True):
        tolerance = 1e-5 * np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("pixels_of_large_blocks", [1, 10**6])
@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_wide_convolutions_and_gradients_equal_plain_ones(
    padding, pixels_of_large_blocks, monkeypatch
):
    monkeypatch.setattr(convolution, "_LARGE_BLOCK_PIXELS", pixels_of_large_blocks)
    x, kernel, fast = wide(padding)
    assert convolutions(fast, x, kernel) == 0
    compare(fast, plain(padding), x, kernel)


def test_small_and_narrow_ones_stay_plain():
    x, kernel, fast = wide("reflect", side=16)
    assert convolutions(fast, x, kernel) == 1
    x, kernel, fast = wide("reflect")
    assert convolutions(fast, x[..., :64], kernel[:, :, :64]) == 1
    half = jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16)
    assert convolutions(fast, *half) == 1


def test_wide_upsampling_and_gradients_equal_plain_ones():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 7, 64)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 64, 70)).astype(np.float32) / 24

    def upsampled(x, kernel):
        return plain("reflect")(x.repeat(2, axis=1).repeat(2, axis=2), kernel)

    assert convolutions(upsample_reflect_conv3x3, x, kernel) == 0
    assert convolutions(upsample_reflect_conv3x3, x[..., :8], kernel[:, :, :8]) > 0
    compare(upsample_reflect_conv3x3, upsampled, x, kernel)
