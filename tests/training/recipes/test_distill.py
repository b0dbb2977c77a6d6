"""What a distilled encoder is exported as, and what runs begin from."""

import jax
import numpy as np
import pytest

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.models import vgg
from nstjax.training.recipes.distill import (
    make_task,
    normalise_activations,
    with_layers_of_size_1,
)

# Compiled: one operation after another takes seconds.
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

pytestmark = pytest.mark.slow

SPEC = vgg.VGGSpec(
    widths=(6, 6, 8, 8, 10),
    padding="reflect",
    pooling="max",
    rounding="floor",
    input_map="imagenet",
)


@pytest.fixture(scope="module")
def networks():
    params = jax.device_get(vgg.init_params(jax.random.key(0), SPEC))
    # One channel that hardly ever fires, one that never does.
    # All others fire often.
    for name in vgg.CONVOLUTIONS[: len(SPEC.widths)]:
        params[name]["bias"] = params[name]["bias"] + 0.5
    image = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)
    sparse = vgg_features(params, image, ("conv2_1",), spec=SPEC)["conv2_1"]
    highest = np.sort(np.asarray(sparse)[..., :2].reshape(-1, 2), axis=0)
    params["conv2_1"]["bias"] = np.array(params["conv2_1"]["bias"])
    params["conv2_1"]["bias"][0] -= highest[-2, 0]
    params["conv2_1"]["bias"][1] -= highest[-1, 1] + 1
    return params, normalise_activations(params, image, SPEC), image


def test_every_channel_keeps_its_activations_but_for_a_factor(networks):
    params, normalised, _ = networks
    image = np.random.default_rng(1).random((2, 40, 24, 3)).astype(np.float32)
    for layer in SPEC.layers:
        before, after = (
            np.asarray(vgg_features(p, image, (layer,), spec=SPEC)[layer], np.float64)
            for p in (params, normalised)
        )
        for channel in range(before.shape[-1]):
            one, other = before[..., channel], after[..., channel]
            if not one.any():
                assert not other.any()
                continue
            factor = (one * other).sum() / (one * one).sum()
            assert factor > 0
            np.testing.assert_allclose(other, factor * one, atol=1e-4 * other.max())


def test_channels_have_a_mean_of_1_unless_they_are_sparse(networks):
    params, normalised, image = networks
    raw, features = (
        vgg_features(p, image, SPEC.layers, spec=SPEC) for p in (params, normalised)
    )
    for layer, activation in features.items():
        activation, before = np.asarray(activation), np.asarray(raw[layer])
        mean, peak = activation.mean((0, 1, 2)), activation.max((0, 1, 2))
        assert (mean < 1 + 1e-4).all() and (peak < 30.01).all()
        level = before.mean((0, 1, 2))
        lively = level > before.max((0, 1, 2)) / 30
        lively &= level > 0.5 * np.median(level[level > 0])
        assert lively.sum() >= 3
        np.testing.assert_allclose(mean[lively], 1, rtol=1e-3)
    # The one that fired in a single cell did not become the loudest by far.
    assert 0 < np.asarray(features["relu2_1"])[..., 0].max() <= 30.01
    assert np.asarray(features["relu2_1"])[..., 1].max() == 0


def test_layers_of_size_1_are_the_same_layers(networks):
    params, _, image = networks
    params = params | {"conv1_2": jax.tree.map(lambda x: 300 * x, params["conv1_2"])}
    scaled = with_layers_of_size_1(params, image, SPEC)
    before, after = (
        vgg_features(p, image, SPEC.layers, spec=SPEC) for p in (params, scaled)
    )
    for layer, activation in before.items():
        size = np.sqrt(np.mean(np.square(activation, dtype=np.float64)))
        np.testing.assert_allclose(after[layer], activation / size, atol=1e-4)
    assert np.sqrt(np.mean(np.square(before["relu2_1"]))) > 50


def test_beginning_from_a_file_needs_pictures_to_fit_the_maps_on():
    config = load_config("distill_vgg_slim", ["--config.data=demo"])
    config.initial, config.warm_start_batches = "any.safetensors", 0
    with pytest.raises(NstjaxError, match="warm_start_batches"):
        make_task(config)


def test_layers_of_no_weight_get_no_map():
    config = load_config("distill_vgg_slim", ["--config.data=demo"])
    config.teacher, config.widths = "vgg19-slim", (4,) * 13
    maps = jax.eval_shape(make_task(config).init, jax.random.key(0))["maps"]
    assert sorted(maps) == [n for n in vgg.LAYERS[:13] if n != "relu1_2"]
