"""The inverse network's training: its terms, presets, a resumed run, its export."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights, sha256_of
from nstjax.models import decoders, vgg
from nstjax.training import trainer
from nstjax.training.recipes.table import make_task
from nstjax.transforms.style_swap import style_swap

# Compiled: one operation after another takes seconds.
decode = jax.jit(decoders.decode, static_argnames="spec")
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

WIDTHS = (4, 5, 6, 7, 8)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoder") / "tiny.safetensors"
    spec = vgg.VGGSpec(widths=WIDTHS, padding="reflect")
    params = jax.tree.map(np.asarray, vgg.init_params(jax.random.key(0), spec))
    save_weights(path, params, WeightsMetadata("vgg19", "tiny", spec.to_dict(), "", ""))
    return path


def make_config(encoder, preset="best", **leaves):
    config = load_config(f"style_swap_net:{preset}")
    leaves = {
        "encoder": str(encoder),
        "data": "demo",
        "decoder_widths": (8, 7, 6, 4, 3),
        "short_side": 40,
        "crop_size": 32,
        "batch_size": 2,
        "steps": 4,
        "warmup_steps": 0,
        "validation_every_nth": 2,
        "validation_batches": 1,
        "log_every": 1,
        "checkpoint_every": 2,
        "threads": 1,
        "export_dtype": "float32",
    } | leaves
    with config.unlocked():
        config.update(leaves)
    return config


def make_batch(seed=0, shape=(2, 16, 24, 3)):
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(0, 256, shape, np.uint8) for name in ("content", "style")
    }


# ImageNet's standard deviations, by which irasin's pixels are divided.
DEVIATIONS = np.array([0.229, 0.224, 0.225])


def numpy_terms(encoder, params, batch, spec, *, relative, pairs=None, deviations=1.0):
    """The terms, from the networks' outputs on, in NumPy."""
    weights, metadata = load_weights(encoder)
    encoder_spec = vgg.VGGSpec.from_dict(metadata.spec)

    def encode(image):
        features = vgg_features(weights, image, ("relu3_1",), spec=encoder_spec)
        return np.asarray(features["relu3_1"], np.float64)

    def distance(image, target):
        squares = (encode(image) - target) ** 2
        if not relative:
            return squares.mean()
        return np.mean(
            [
                a.mean() / ((b**2).mean() + 1e-8)
                for a, b in zip(squares, target, strict=True)
            ]
        )

    pictures = {n: batch[n].astype(np.float32) / 255 for n in ("content", "style")}
    features = {n: encode(p) for n, p in pictures.items()}
    left, right = pairs or ([0, 1], [0, 1])
    features["swapped"] = np.asarray(
        style_swap(features["content"][left], features["style"][right]), np.float64
    )
    images = {
        n: np.asarray(decode(params, jnp.float32(f), spec=spec), np.float64)
        for n, f in features.items()
    }
    variations = [
        (np.diff(x, axis=0) ** 2, np.diff(x, axis=1) ** 2)
        for image in images.values()
        for x in image / deviations
    ]
    reduce = np.mean if relative else np.sum
    distances = {n: distance(images[n], features[n]) for n in images}
    return {
        "image": sum(
            (((images[n] - pictures[n]) / deviations) ** 2).mean() for n in pictures
        ),
        "feature": distances["content"] + distances["style"],
        "swapped": distances["swapped"],
        "tv": np.mean([reduce(a) + reduce(b) for a, b in variations]),
    }


@pytest.mark.parametrize("preset", ["best", "chen", "irasin"])
def test_terms_equal_numpy(encoder, preset):
    # The patches of irasin's preset would not fit the small picture.
    config = make_config(encoder, preset, patch_size=3)
    task = make_task(config)
    params = jax.jit(task.init)(jax.random.key(1))
    batch = make_batch()
    total, terms = jax.jit(task.loss)(params, task.frozen, batch, jax.random.key(0))
    _, metadata = task.export(params, "")
    spec = decoders.DecoderSpec.from_dict(metadata.spec)
    assert spec.output_map == ("imagenet" if preset == "irasin" else "unit")
    expected = numpy_terms(
        encoder,
        params,
        batch,
        spec,
        relative=preset == "best",
        pairs=([0, 0, 1, 1], [0, 1, 0, 1]) if preset == "chen" else None,
        **({"deviations": DEVIATIONS} if preset == "irasin" else {}),
    )
    assert set(terms) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)
    weighted = sum(config[f"{name}_weight"] * value for name, value in expected.items())
    np.testing.assert_allclose(total, weighted, rtol=1e-4)


def test_published_weights_per_picture():
    """A picture's variation counts 1e-6 in both publications' own pixels."""
    chen, irasin = (load_config(f"style_swap_net:{n}") for n in ("chen", "irasin"))
    # Two contents, two styles and four swaps; four of each.
    np.testing.assert_allclose(chen.tv_weight / (2 + 2 + 4), 1e-6 * 255**2)
    np.testing.assert_allclose(irasin.tv_weight / (3 * 4), 1e-6)
    assert irasin.image_weight == 1 and irasin.pixel_map == "imagenet"
    # Eight pictures' mean: a quarter is contents, a quarter styles.
    assert (chen.feature_weight, chen.swapped_weight) == (0.25, 0.5)
    for config in (chen, irasin):
        assert config.layer == "relu3_1" and config.decoder_widths == ()
        assert not config.flip and config.export_dtype == "float32"


def test_only_the_decoder_is_trained(encoder):
    task = make_task(make_config(encoder))
    params = jax.jit(task.init)(jax.random.key(1))
    assert set(params) == {"conv3_1", "conv2_2", "conv2_1", "conv1_2", "conv1_1"}
    loss = partial(task.loss, batch=make_batch(), key=jax.random.key(0))
    gradients = jax.jit(jax.grad(lambda p: loss(p, task.frozen)[0]))(params)
    for leaf in jax.tree.leaves(gradients):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0


def test_samples_show_content_style_swap_and_content_again(encoder):
    task = make_task(make_config(encoder))
    params = jax.jit(task.init)(jax.random.key(1))
    batch = make_batch()
    sample = np.asarray(jax.jit(task.sample)(params, task.frozen, batch))
    assert sample.shape == (2, 4 * 16, 24, 3)
    assert 0 <= sample.min() and sample.max() <= 1
    for row, name in enumerate(("content", "style")):
        shown = sample[:, 16 * row : 16 * (row + 1)]
        np.testing.assert_allclose(shown, batch[name] / 255, atol=1e-6)


def test_stopped_and_resumed_equals_a_whole_run(encoder, tmp_path):
    def train(workdir, steps):
        config = make_config(encoder, steps=steps, schedule_steps=4)
        reports = []
        path = trainer.train(
            make_task(config),
            config,
            workdir,
            on_progress=reports.append,
            recipe="python train.py",
        )
        return path, reports

    whole, reports = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 2)
    parts, _ = train(tmp_path / "parts", 4)
    ours, theirs = load_file(whole), load_file(parts)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    assert reports[-1].sample is not None
    assert {"image", "feature", "swapped", "tv", "total"} <= {
        name for report in reports for name in report.report
    }
    params, metadata = load_weights(whole)
    assert metadata.kind == "decoder" and metadata.recipe == "python train.py"
    assert metadata.notes["transform"] == "style_swap"
    assert metadata.notes["encoder"] == "tiny"
    assert metadata.notes["encoder_sha256"] == sha256_of(encoder)
    spec = decoders.DecoderSpec.from_dict(metadata.spec)
    assert (spec.layer, spec.input_width) == ("relu3_1", WIDTHS[-1])
    assert params["conv3_1"]["kernel"].shape == (3, 3, 8, 8)


def test_begins_from_an_earlier_export(encoder, tmp_path):
    config = make_config(encoder, steps=1)
    path = trainer.train(
        make_task(config), config, tmp_path, on_progress=lambda _: None, recipe=""
    )
    task = make_task(make_config(encoder, initial=str(path)))
    begun = task.begin(jax.jit(task.init)(jax.random.key(5)))
    expected, _ = load_weights(path)
    np.testing.assert_array_equal(
        begun["conv3_1"]["kernel"], expected["conv3_1"]["kernel"]
    )


@pytest.mark.parametrize(
    ("leaves", "sentence"),
    [
        (dict(tv_weight=-1.0), "--config.tv_weight must be 0 or more"),
        (dict(image_weight=float("nan")), "--config.image_weight must be 0 or more"),
        (dict(feature_normalisation="sum"), "--config.feature_normalisation must be"),
        (dict(tv_kind="l2"), "--config.tv_kind must be one of mean_squares"),
        (dict(crop_size=30), "--config.crop_size must be a multiple of 4"),
        (dict(crop_size=8), "12 or more, not 8"),
        (dict(stride=4), "--config.stride must be from 1 to --config.patch_size"),
        (dict(layer="relu4_1"), "these VGG-19 weights end at relu3_1"),
    ],
)
def test_impossible_options_are_refused(encoder, leaves, sentence):
    with pytest.raises(NstjaxError) as raised:
        make_task(make_config(encoder, **leaves))
    assert sentence in str(raised.value)
