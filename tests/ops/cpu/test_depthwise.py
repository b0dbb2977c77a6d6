"""Depthwise convolutions against XLA's grouped ones, gradients included."""

import jax
import numpy as np
import pytest
from jax import lax

from nstjax.ops.cpu.depthwise import depthwise_conv


def grouped(x, kernel, stride):
    margin = (kernel.shape[0] // 2,) * 2
    return lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (stride, stride),
        (margin, margin),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


# Rows that are summed at once: all, seven (of 28), one (of 17 and of 1).
@pytest.mark.parametrize("sides", [(7, 8), (28, 9), (17, 6), (34, 6), (1, 2)])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("batch", [1, 2])
def test_same_as_a_grouped_convolution(sides, size, stride, batch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *sides, 6)).astype(np.float32)
    kernel = rng.normal(size=(size, size, 6)).astype(np.float32)
    found = depthwise_conv(x, kernel, stride=stride)
    expected, pull = jax.vjp(lambda x, k: grouped(x, k, stride), x, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    cotangent = rng.normal(size=expected.shape).astype(np.float32)
    differentiated, pull_found = jax.vjp(
        lambda x, k: depthwise_conv(x, k, stride=stride), x, kernel
    )
    np.testing.assert_allclose(differentiated, expected, atol=1e-5)
    for one, other in zip(pull_found(cotangent), pull(cotangent), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
