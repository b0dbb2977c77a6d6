"""Convolutions from and to few channels equal SciPy's and the plain form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate

from nstjax.ops.convolution import conv3x3
from nstjax.ops.cpu.rgb_conv import conv3x3_from_rgb, conv3x3_to_rgb


@pytest.mark.parametrize(
    ("form", "channels"), [(conv3x3_from_rgb, (3, 5)), (conv3x3_to_rgb, (5, 3))]
)
@pytest.mark.parametrize("size", [(6, 8), (5, 7), (3, 1), (1, 1)])
def test_same_as_scipy(form, channels, size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, size[0] + 2, size[1] + 2, channels[0]))
    kernel = rng.normal(size=(3, 3, *channels))
    expected = [
        [
            correlate(image, kernel[..., number], mode="valid")[..., 0]
            for number in range(channels[1])
        ]
        for image in x
    ]
    found = form(x.astype(np.float32), kernel.astype(np.float32))
    assert found.shape == (2, *size, channels[1])
    np.testing.assert_allclose(found, np.moveaxis(expected, 1, -1), atol=2e-5)


@pytest.mark.parametrize("channels", [(3, 12), (12, 3)])
@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_a_convolution_takes_them_with_its_gradients(channels, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 11, channels[0])).astype(np.float32)
    kernel = rng.normal(size=(3, 3, *channels)).astype(np.float32)
    mode = {"zero": "constant", "reflect": "reflect"}[padding]

    def plain(x, kernel):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
        return lax.conv_general_dilated(
            padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    fast = partial(conv3x3, padding=padding)
    text = jax.jit(fast).lower(x, kernel).compile().as_text()
    assert " convolution(" not in text

    def values(form):
        value, pull_back = jax.vjp(form, x, kernel)
        return value, *pull_back(jnp.cos(jnp.arange(value.size).reshape(value.shape)))

    for one, other in zip(values(fast), values(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
