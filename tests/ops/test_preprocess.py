"""Input maps against the numbers their publishers print."""

import chex
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.ops.preprocess import INPUT_MAPS, from_network, input_map, to_network

COLOR = np.float32([0.2, 0.5, 0.9])


def learned_params():
    kernel = np.random.default_rng(0).normal(0, 100, (1, 1, 3, 3)).astype(np.float32)
    return {"conv0": {"kernel": kernel, "bias": np.float32([-104.0, -117.0, -124.0])}}


EXPECTED = {
    # torchvision.transforms.Normalize in its documented form.
    "imagenet": (COLOR - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    # BGR, times 255, minus Caffe's mean pixel 103.939, 116.779, 123.68.
    "caffe": COLOR[::-1] * 255 - [103.939, 116.779, 123.68],
    "unit": COLOR,
    "learned": COLOR @ learned_params()["conv0"]["kernel"][0, 0]
    + learned_params()["conv0"]["bias"],
}


class PreprocessTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_published_values(self):
        image = np.broadcast_to(COLOR, (2, 4, 5, 3))
        for name in INPUT_MAPS:
            pixels = self.variant(lambda x, p, name=name: to_network(x, name, p))(
                image, learned_params()
            )
            assert pixels.shape == image.shape
            np.testing.assert_allclose(
                pixels, np.broadcast_to(EXPECTED[name], image.shape), rtol=1e-5
            )

    @chex.variants(with_jit=True, without_jit=True)
    def test_there_and_back(self):
        image = np.random.default_rng(1).uniform(-0.5, 1.5, (1, 6, 4, 3))
        image = image.astype(np.float32)
        for name in INPUT_MAPS:
            params = learned_params()

            def round_trip(image, params, name=name):
                return from_network(to_network(image, name, params), name, params)

            np.testing.assert_allclose(
                self.variant(round_trip)(image, params), image, atol=1e-5
            )

    def test_dtype_is_kept(self):
        image = jnp.ones((1, 2, 2, 3), jnp.bfloat16)
        assert to_network(image, "caffe").dtype == jnp.bfloat16
        assert from_network(image, "imagenet").dtype == jnp.bfloat16

    def test_unusable_maps_are_refused(self):
        with pytest.raises(ValueError, match="'imagenet'"):
            input_map("torch")
        with pytest.raises(ValueError, match="weights"):
            input_map("learned")
