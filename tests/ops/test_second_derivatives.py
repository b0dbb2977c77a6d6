"""Products with the Hessian, which curvature-aware optimisers and analyses need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nstjax
from nstjax.ops.convolution import conv3x3, conv3x3_stride2, upsample_reflect_conv3x3
from nstjax.ops.cpu.depthwise import depthwise_conv
from nstjax.ops.stats import channel_mean_std, gram_matrix

RNG = np.random.default_rng(0)
KERNEL = jnp.asarray(RNG.normal(size=(3, 3, 6, 6)).astype("f4"))
FUNCTIONS = {
    "gram": lambda x: gram_matrix(x, normalisation="hw"),
    "moments": lambda x: jnp.stack(channel_mean_std(x, eps=1e-5)),
    "convolution": lambda x: conv3x3(x, KERNEL, padding="reflect"),
    "stride": lambda x: conv3x3_stride2(x, KERNEL),
    "upsampling": lambda x: upsample_reflect_conv3x3(x, KERNEL),
    "depthwise": lambda x: depthwise_conv(x, KERNEL[..., 0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_over_reverse_is_that_of_the_plain_forms(name):
    x, along = (jnp.asarray(RNG.normal(size=(2, 8, 10, 6)), "f4") for _ in range(2))

    def total(x):
        return (FUNCTIONS[name](x) ** 3).sum()

    def product():
        return jax.jvp(jax.grad(total), (x,), (along,))[1]

    with nstjax.plain_forms(on=False):
        found = product()
    with nstjax.plain_forms():
        expected = product()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
