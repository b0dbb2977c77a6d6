"""Training a painter against several networks."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import vgg
from nstjax.training.recipes.table import make_task
from nstjax.training.stages import stages_of

FEATURE_TERMS = ("content", "gram", "moments")


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """A narrow VGG-19 and a narrow VGG-16 with random weights."""
    folder = tmp_path_factory.mktemp("judges")
    paths = []
    for seed, (kind, blocks) in enumerate(vgg.KINDS.items()):
        spec = vgg.VGGSpec((4,) * sum(blocks), blocks=blocks)
        params = jax.device_get(vgg.init_params(jax.random.key(seed), spec))
        path = folder / f"{kind}.safetensors"
        metadata = WeightsMetadata(kind, kind, spec.to_dict(), "a test", "CC0-1.0")
        save_weights(path, params, metadata)
        paths.append(str(path))
    return paths


def make_config(judges, **leaves):
    options = ["--config.data=demo", f"--config.loss_encoders={tuple(judges)}"]
    config = load_config("painter", options)
    leaves = {
        "encoder_widths": ((4, 6), (8,)),
        "decoder_widths": ((8,), (6,)),
        "style_width": 4,
        "loss_dtype": "float32",
        "crop_size": 32,
        "lap_pools": (4,),
        "lap_pool_weights": (1.0,),
        "style_crop_size": 32,
        "short_side": 32,
        "style_short_side": 32,
        "batch_size": 4,
        "identity_pictures": 0,
        "exchanged_share": 0.0,
        "grey_share": 0.0,
        **leaves,
    }
    with config.unlocked():
        for name, value in leaves.items():
            config[name] = value
    return next(stages_of(config, Path("unused"))).config


def test_each_network_compares_its_share_of_a_batch(judges):
    """The terms are the mean of what each network says of its own pictures."""
    random = np.random.default_rng(0)
    batch = {
        name: random.integers(0, 256, (4, 32, 32, 3), np.uint8)
        for name in ("content", "style")
    }
    key = jax.random.key(0)
    both = make_task(make_config(judges))
    params = both.init(jax.random.key(1))
    _, values = both.loss(params, both.frozen, batch, key)
    alone = []
    for number, judge in enumerate(judges):
        task = make_task(make_config([judge]))
        part = {name: pictures[number::2] for name, pictures in batch.items()}
        _, found = task.loss(params, task.frozen, part, key)
        alone.append(found)
    for name in FEATURE_TERMS:
        expected = (float(alone[0][name]) + float(alone[1][name])) / 2
        assert expected > 0
        np.testing.assert_allclose(float(values[name]), expected, rtol=1e-5)
    assert set(values) == set(alone[0])


def test_layers_that_a_network_lacks_are_refused(judges):
    config = make_config(judges)
    with config.unlocked():
        config.vgg16.content_layers = {"relu4_4": 1.0}
    with pytest.raises(NstjaxError, match="relu4_4"):
        make_task(config)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (2.0, 1.0), (1.0,)])
def test_impossible_bounds_of_texture_are_refused(judges, bounds):
    config = make_config(judges, style_texture_bounds=bounds)
    with pytest.raises(NstjaxError, match="style_texture_bounds.*smaller one first"):
        make_task(config)


def test_convolutions_compute_in_the_dtype_that_is_asked_for(judges):
    """Of pictures, weights and losses in float32."""
    config = make_config(judges, compute_dtype="bfloat16", loss_dtype="bfloat16")
    task = make_task(config)
    key = jax.random.key(0)
    params = task.init(key)
    batch = {name: np.zeros((4, 32, 32, 3), np.uint8) for name in ("content", "style")}
    traced = jax.make_jaxpr(task.loss)(params, task.frozen, batch, key)
    convolutions = [
        equation.invars[0].aval.dtype
        for equation in equations_of(traced.jaxpr)
        if equation.primitive.name == "conv_general_dilated"
    ]
    assert len(convolutions) > 20
    assert set(convolutions) == {jnp.dtype("bfloat16")}
    total, terms = traced.out_avals[0], traced.out_avals[1:]
    assert {value.dtype for value in (total, *terms)} == {jnp.dtype("float32")}


def equations_of(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations_of(inner)


def test_pools_that_do_not_fit_the_crop_are_refused_before_the_first_stage(judges):
    config = make_config(judges, lap_pools=(4, 16), lap_pool_weights=(1.0, 0.1))
    assert config.lap_weight == 0
    with pytest.raises(NstjaxError, match="pool 16 needs a crop of 48 pixels"):
        make_task(config)
