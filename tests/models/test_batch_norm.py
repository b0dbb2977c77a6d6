"""Batch normalisation, and its way into and out of convolutions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.models import batch_norm, monodepth
from nstjax.models.modules.monodepth import Convolution
from nstjax.models.monodepth import MonodepthSpec

SPEC = MonodepthSpec(
    layers=(1, 1, 1, 1),
    stem_width=4,
    widths=(4, 6, 8, 8),
    decoder_widths=(8, 8),
    scales=(3,),
    input_size=(64, 96),
)


def test_moments_by_numpy():
    x = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 7)).astype(np.float32)
    mean, deviation = batch_norm.moments(jnp.asarray(x))
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(deviation, x.std((0, 1, 2)), rtol=1e-4)


def test_a_normalised_convolution_by_numpy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    layer = {
        "kernel": rng.normal(size=(1, 1, 5, 6)),
        "bias": rng.normal(size=6),
        "scale": rng.normal(size=6),
    }
    y = x @ layer["kernel"][0, 0]
    y = (y - y.mean((0, 1, 2))) / np.sqrt(y.var((0, 1, 2)) + 1e-5)
    found = Convolution(6, 1, normalise=True).apply({"params": layer}, x)
    np.testing.assert_allclose(found, y * layer["scale"] + layer["bias"], atol=1e-4)


def networks(block="basic"):
    spec = dataclasses.replace(SPEC, block=block)
    params = monodepth.init_params(jax.random.key(0), spec, normalise=True)
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: leaf + rng.normal(0, 0.2, leaf.shape).astype(np.float32), params
    )
    image = rng.random((4, 64, 96, 3)).astype(np.float32)
    return spec, params, image


@pytest.mark.parametrize("block", ["basic", "bottleneck", "separable"])
def test_folded_network_computes_the_same_on_that_batch(block):
    spec, params, image = networks(block)
    trained = monodepth.forward(params, image, spec=spec, normalise=True)
    moments = monodepth.encoder_moments(params, image, spec=spec, normalise=True)
    encoder = batch_norm.fold(params["encoder"], moments)
    folded = params | {"encoder": encoder}
    expected = jax.tree.map(lambda x: x.shape, folded)
    assert expected == monodepth.param_shapes(spec)
    found = monodepth.forward(folded, image, spec=spec)
    for one, other in zip(found.encoder, trained.encoder, strict=True):
        assert np.asarray(other).std() > 0.05
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found.disparities[3], trained.disparities[3], atol=1e-3)


@pytest.mark.parametrize("block", ["basic", "separable"])
def test_unfolding_goes_back(block):
    spec, params, image = networks(block)
    moments = monodepth.encoder_moments(params, image, spec=spec, normalise=True)
    folded = params | {"encoder": batch_norm.fold(params["encoder"], moments)}
    moments = monodepth.encoder_moments(folded, image, spec=spec, normalise=False)
    encoder = batch_norm.unfold(folded["encoder"], moments)
    again = monodepth.forward(
        folded | {"encoder": encoder}, image, spec=spec, normalise=True
    )
    expected = monodepth.forward(folded, image, spec=spec)
    np.testing.assert_allclose(again.disparities[3], expected.disparities[3], atol=1e-3)
