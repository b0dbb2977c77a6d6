"""The switch: fast and plain forms are equal, and off means off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.ops import stats
from nstjax.ops.convolution import (
    conv3x3,
    conv3x3_stride2,
    conv7x7_stride2,
    upsample_reflect_conv3x3,
)
from nstjax.ops.cpu import forms
from nstjax.ops.cpu.depthwise import depthwise_conv
from nstjax.ops.cpu.sums import add_bias, sum_over_positions


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X, BIAS = draw(0, 2, 8, 6, 3), draw(1, 3)
K3, K7, DEEP = draw(2, 3, 3, 3, 3), draw(3, 7, 7, 3, 3), draw(4, 3, 3, 3)


def everything(x):
    """One number that depends on every operation that has a fast form."""
    outputs = (
        conv3x3(x, K3, padding="zero"),
        conv3x3(x, K3, padding="reflect"),
        conv3x3_stride2(x, K3),
        conv7x7_stride2(x, K7),
        upsample_reflect_conv3x3(x, K3),
        depthwise_conv(x, DEEP),
        depthwise_conv(x, DEEP, stride=2),
        add_bias(x, BIAS),
        sum_over_positions(x),
        *stats.channel_mean_std(x, eps=1e-5, ddof=1),
        stats.gram_matrix(x, normalisation="hw"),
    )
    sums = jnp.stack([jnp.sin(output).sum() for output in outputs])
    return sums.sum(), sums


@pytest.fixture(scope="module")
def traced():
    found = {}
    for plain in (False, True):
        with forms.plain_forms(on=plain):
            function = jax.jit(jax.value_and_grad(everything, has_aux=True))
            (_, sums), gradient = function(X)
            program = str(jax.make_jaxpr(everything)(X))
        found[plain] = np.asarray(sums), np.asarray(gradient), program
    return found


def test_both_forms_are_equal(traced):
    (fast, fast_gradient, _), (plain, plain_gradient, _) = traced[False], traced[True]
    np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fast_gradient, plain_gradient, rtol=1e-3, atol=1e-3)


def test_plain_means_no_detour(traced):
    for word in ("custom_vjp", "optimization_barrier", "platform_index"):
        assert word in traced[False][2] and word not in traced[True][2], word


def test_the_environment_decides_where_nobody_else_does(monkeypatch):
    monkeypatch.setenv("NSTJAX_PLAIN_FORMS", "1")
    assert forms.are_plain()
    with forms.plain_forms(on=False):
        assert not forms.are_plain()
    monkeypatch.setenv("NSTJAX_PLAIN_FORMS", "0")
    assert not forms.are_plain()
    monkeypatch.delenv("NSTJAX_PLAIN_FORMS")
    assert forms.are_plain() == (jax.default_backend() != "cpu")


def test_what_was_compiled_before_is_traced_anew():
    seen = []

    @jax.jit
    def function(x):
        seen.append(forms.are_plain())
        return x + 1

    function(1.0)
    with forms.plain_forms():
        function(1.0)
    function(1.0)
    assert seen == [False, True, False]
