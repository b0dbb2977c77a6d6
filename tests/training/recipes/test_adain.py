"""Training AdaIN decoders: one step against PyTorch, short real runs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.models import decoders, monodepth, vgg
from nstjax.training.recipes.adain import make_task
from nstjax.training.trainer import train
from nstjax.weights.pretrained import load_depth

# Compiled: one operation after another takes seconds.
decode = jax.jit(decoders.decode, static_argnames="spec")
disparity = jax.jit(monodepth.disparity, static_argnames="spec")

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


@pytest.fixture
def pictures(tmp_path):
    """Folders of a few small pictures."""
    rng = np.random.default_rng(0)
    for name in ("content", "style"):
        (tmp_path / name).mkdir()
        for number in range(4):
            coarse = rng.integers(0, 256, (6, 6, 3), np.uint8)
            image = Image.fromarray(coarse).resize((80, 64), Image.Resampling.BICUBIC)
            image.save(tmp_path / name / f"{number}.png")
    return tmp_path


def make_encoder(path, *, params=None, seed=0):
    """A random VGG-19 to relu4_1, of a few channels."""
    spec = vgg.VGGSpec(
        widths=(4, 4, 8, 8, 16, 16, 16, 16, 32),
        padding="reflect",
        pooling="max",
        rounding="floor",
        input_map="imagenet",
    )
    params = params or vgg.init_params(jax.random.key(seed), spec)
    metadata = WeightsMetadata(
        kind="vgg19", name="random", spec=spec.to_dict(), source="test", licence="none"
    )
    save_weights(path, params, metadata)
    return path


def make_decoder(path, **changed):
    """A random decoder for `make_encoder`'s features."""
    spec = decoders.DecoderSpec.mirror("relu4_1", (4, 4, 8, 8, 16, 16, 16, 16, 32))
    spec = dataclasses.replace(spec, **changed)
    params = jax.device_get(decoders.init_params(jax.random.key(7), spec))
    metadata = WeightsMetadata(
        kind="decoder", name="d", spec=spec.to_dict(), source="test", licence="none"
    )
    save_weights(path, params, metadata)
    return params


def make_config(folder, *, config="adain", **leaves):
    config = load_config(config)
    with config.unlocked():
        config.update(
            {
                "encoder": str(folder / "encoder.safetensors"),
                "content": str(folder / "content"),
                "style": str(folder / "style"),
                "style_layers": LAYERS,
                "decoder_widths": (),
                "short_side": 48,
                "crop_size": 32,
                "style_short_side": 48,
                "style_crop_size": 32,
                "batch_size": 4,
                "steps": 2,
                "warmup_steps": 0,
                "validation_every_nth": 2,
                "validation_batches": 1,
                "threads": 0,
            }
            | leaves
        )
    return config


def batch(rng, size=32, count=4):
    return {
        name: rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
        for name in ("content", "style")
    }


@pytest.mark.parametrize("publisher", ["naoto0804", "huang", "irasin"])
def test_a_steps_gradients_same_as_torch(publisher, pictures, torch_reference):
    import torch

    torch_vgg, torch_adain = map(torch_reference, ("torch_vgg", "torch_adain"))
    weights = dict(list(torch_vgg.he_weights(shrink=16).items())[:9])
    make_encoder(pictures / "encoder.safetensors", params=torch_vgg.to_params(weights))
    task = make_task(make_config(pictures, config=f"adain:{publisher}"))
    params = task.init(jax.random.key(1))
    # The untrained decoder's picture is next to grey; this one is not.
    params["conv1_1"]["kernel"] *= 5
    pair = batch(np.random.default_rng(3))
    (total, terms), gradients = jax.value_and_grad(task.loss, has_aux=True)(
        params, task.frozen, pair, jax.random.key(0)
    )

    encoder = torch_vgg.VGG19(
        weights,
        padding="reflect",
        pooling="max",
        rounding="floor",
        input_map=torch_vgg.InputMap("imagenet"),
    )
    names = (
        "conv4_1",
        "conv3_4",
        "conv3_3",
        "conv3_2",
        "conv3_1",
        "conv2_2",
        "conv2_1",
        "conv1_2",
        "conv1_1",
    )
    decoder = torch_adain.Decoder(
        [
            torch.from_numpy(np.array(params[n]["kernel"]).transpose(3, 2, 0, 1).copy())
            for n in names
        ],
        [torch.from_numpy(np.array(params[n]["bias"])) for n in names],
        upsample_before=(1, 5, 7),
    )
    content, style = (
        encoder(torch_vgg.from_numpy(pair[n].astype(np.float32) / 255))
        for n in ("content", "style")
    )
    options = {"unbiased": publisher != "huang", "eps": 1e-5}
    if publisher == "irasin":
        (mean, std), (style_mean, style_std) = (
            torch_adain.irasin_statistics(x["relu4_1"]) for x in (content, style)
        )
        target = (content["relu4_1"] - mean) / std * style_std + style_mean
        # Its decoder emits ImageNet's normalised pixels, which its encoder takes.
        shift, scale = (
            torch.tensor(x).reshape(1, 3, 1, 1)
            for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        result = encoder(decoder(target) * scale + shift)
    else:
        target = torch_adain.adain(content["relu4_1"], style["relu4_1"], **options)
        result = encoder(decoder(target))
    content_loss = torch.nn.functional.mse_loss(result["relu4_1"], target)
    layers = [[features[layer] for layer in LAYERS] for features in (result, style)]
    style_loss = {
        "naoto0804": lambda: torch_adain.style_loss_mean(*layers, **options),
        "huang": lambda: torch_adain.style_loss_sum(*layers, eps=1e-5),
        "irasin": lambda: torch_adain.style_loss_irasin(*layers),
    }[publisher]()
    weight = {"huang": 1e-2}.get(publisher, 10.0)
    (content_loss + weight * style_loss).backward()

    np.testing.assert_allclose(terms["content"], content_loss.item(), rtol=1e-4)
    np.testing.assert_allclose(terms["style"], style_loss.item(), rtol=1e-4)
    np.testing.assert_allclose(
        total, (content_loss + weight * style_loss).item(), rtol=1e-4
    )
    for name, kernel, bias in zip(names, decoder.kernels, decoder.biases, strict=True):
        for mine, theirs in (
            (gradients[name]["kernel"], kernel.grad.numpy().transpose(2, 3, 1, 0)),
            (gradients[name]["bias"], bias.grad.numpy()),
        ):
            # A whole array at a time: a ReLU or a maximum that falls on the
            # other side changes single elements by more.
            assert np.linalg.norm(mine - theirs) < 1e-4 * np.linalg.norm(theirs), name


def test_pictures_in_their_own_style_come_first(pictures):
    """Their target is their own features, whatever the style picture holds."""
    make_encoder(pictures / "encoder.safetensors")
    task = make_task(make_config(pictures, identity_pictures=2, identity_weight=1.0))
    params = task.init(jax.random.key(1))
    pair = batch(np.random.default_rng(2))
    other = pair | {"style": np.concatenate([pair["style"][2:], pair["style"][2:]])}
    loss = jax.jit(task.loss)
    losses = [loss(params, task.frozen, b, jax.random.key(0))[1] for b in (pair, other)]
    for name in ("identity", "content", "style"):
        np.testing.assert_allclose(losses[0][name], losses[1][name], rtol=1e-5)
    # The untrained decoder paints grey.
    grey = np.square(pair["content"][:2] / 255 - 0.5).mean()
    np.testing.assert_allclose(losses[0]["identity"], grey, rtol=0.1)


def test_extra_terms_join_in_by_their_weights(pictures):
    make_encoder(pictures / "encoder.safetensors")
    leaves = {"style_weight": 7.0, "lap_weight": 0.5}
    leaves |= {"tv_weight": 2.0, "flat_weight": 3.0, "checkerboard_weight": 4.0}
    task = make_task(
        make_config(
            pictures,
            config="adain_lap",
            **leaves,
            lap_pools=(4,),
            lap_pool_weights=(1.0,),
        )
    )
    params = task.init(jax.random.key(1))
    pair = batch(np.random.default_rng(2))
    total, terms = jax.jit(task.loss)(params, task.frozen, pair, jax.random.key(0))
    assert {"lap", "tv", "flat", "checkerboard"} <= set(terms)
    weights = {"content": 1.0, "style": 7.0, "identity": 20.0} | {
        "range": 10.0,
        "color": 20.0,
        "lap": 0.5,
        "tv": 2.0,
        "flat": 3.0,
        "checkerboard": 4.0,
    }
    np.testing.assert_allclose(
        total, sum(weights[name] * term for name, term in terms.items()), rtol=1e-5
    )


def test_depth_joins_in_with_the_laplacian(pictures, depth_file):
    """It compares the disparities of g(t) with the content's, each over its mean."""
    make_encoder(pictures / "encoder.safetensors")
    depth = load_depth(depth_file)
    leaves = {"config": "adain_depth", "lap_weight": 0.5, "identity_pictures": 0}
    with_depth = {"depth_model": str(depth_file), "depth_weight": 7.0}
    task = make_task(make_config(pictures, **leaves, **with_depth))
    params = task.init(jax.random.key(1))
    pair = batch(np.random.default_rng(2))
    total, terms = jax.jit(task.loss)(params, task.frozen, pair, jax.random.key(0))

    without = make_task(make_config(pictures, **leaves, depth_weight=0.0))
    rest, others = jax.jit(without.loss)(
        params, without.frozen, pair, jax.random.key(0)
    )
    assert set(terms) - set(others) == {"depth"} and "lap" in others
    np.testing.assert_allclose(total - rest, 7 * terms["depth"], rtol=1e-3)

    sheet = np.asarray(jax.jit(task.sample)(params, task.frozen, pair))
    content, _, painted = np.split(sheet, 3, axis=2)
    assert 0 < painted.min() and painted.max() < 1  # so nothing was clipped
    maps = [
        np.asarray(disparity(depth.params, image, spec=depth.spec), np.float64)
        for image in (painted, content)
    ]
    shares = [x / x.mean((1, 2, 3), keepdims=True) for x in maps]
    expected = np.abs(shares[0] - shares[1]).mean()
    assert expected > 1e-3
    np.testing.assert_allclose(terms["depth"], expected, rtol=1e-3)


def test_a_richer_network_may_judge(pictures):
    make_encoder(pictures / "encoder.safetensors")
    make_encoder(pictures / "judge.safetensors", seed=5)
    alone = make_task(make_config(pictures))
    judged = make_task(
        make_config(pictures, loss_encoder=str(pictures / "judge.safetensors"))
    )
    params = alone.init(jax.random.key(1))
    pair = batch(np.random.default_rng(2))
    one, other = (
        jax.jit(task.loss)(params, task.frozen, pair, jax.random.key(0))[1]
        for task in (alone, judged)
    )
    np.testing.assert_allclose(one["content"], other["content"], rtol=1e-5)
    assert abs(one["style"] / other["style"] - 1) > 1e-3


def test_training_paints_better_and_exports_what_it_trained(pictures):
    make_encoder(pictures / "encoder.safetensors")
    config = make_config(
        pictures,
        steps=40,
        log_every=10,
        checkpoint_every=20,
        average_decay=0.5,
        learning_rate=1e-3,
        export_dtype="float32",
    )
    task, reports = make_task(config), []
    path = train(
        task,
        config,
        pictures / "run",
        on_progress=lambda progress: reports.append(progress.report),
        recipe="a test",
    )
    totals = [r["validation/total"] for r in reports if "validation/total" in r]
    untrained = jax.jit(task.loss)(
        task.init(jax.random.key(config.seed)),
        task.frozen,
        batch(np.random.default_rng(0)),
        jax.random.key(0),
    )[0]
    assert totals[-1] < totals[0] < untrained
    params, metadata = load_weights(path)
    assert metadata.kind == "decoder" and metadata.notes["encoder"] == "random"
    spec = decoders.DecoderSpec.from_dict(metadata.spec)
    image = decode(params, jnp.ones((1, 4, 4, 32)), spec=spec)
    assert image.shape == (1, 32, 32, 3)


def test_a_run_begins_from_another_ones_export(pictures):
    make_encoder(pictures / "encoder.safetensors")
    config = make_config(pictures)
    params = make_decoder(pictures / "decoder.safetensors")
    config.initial = str(pictures / "decoder.safetensors")
    begun = make_task(config).begin(None)
    jax.tree.map(np.testing.assert_array_equal, begun, params)
    make_decoder(pictures / "other.safetensors", output_map="imagenet")
    config.initial = str(pictures / "other.safetensors")
    with pytest.raises(NstjaxError, match="different shape"):
        make_task(config).begin(None)


def test_feature_scale_multiplies_features_and_leaves_the_export_alone(pictures):
    make_encoder(pictures / "encoder.safetensors")
    params = make_decoder(pictures / "decoder.safetensors")
    values = {}
    # Means of squares grow with the square of the scale, if eps does.
    for scale in (1.0, 0.25):
        task = make_task(
            make_config(
                pictures,
                initial=str(pictures / "decoder.safetensors"),
                feature_scale=scale,
                normalisation="mean",
                eps=0.01 * scale**2,
            )
        )
        begun = task.begin(None)
        _, values[scale] = jax.jit(task.loss)(
            begun, task.frozen, batch(np.random.default_rng(0)), jax.random.key(0)
        )
        exported, exported_metadata = task.export(begun, "a test")
        jax.tree.map(np.testing.assert_array_equal, exported, params)
        assert exported_metadata.notes["eps"] == pytest.approx(0.01)
    for name in ("content", "style"):
        wanted = values[1.0][name] * 0.25**2
        np.testing.assert_allclose(values[0.25][name], wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        ({"normalisation": "l2"}, "normalisation"),
        ({"feature_scale": 0.0}, "feature_scale must be above 0"),
        ({"identity_pictures": 4}, "identity_pictures"),
        ({"style_weight": -1.0}, "style_weight"),
        ({"depth_norm": "l3"}, "depth_norm"),
        ({"style_layers": ("relu5_1",)}, "relu5_1"),
        ({"style_crop_size": 64}, "must be equal, not 32 and 64"),
        ({"style_crop_size": 64, "identity_pictures": 0}, "crop of 64"),
    ],
)
def test_impossible_options_are_named(leaves, message, pictures):
    make_encoder(pictures / "encoder.safetensors")
    with pytest.raises(NstjaxError, match=message):
        make_task(make_config(pictures, **leaves))


def test_samples_show_content_style_and_result(pictures):
    make_encoder(pictures / "encoder.safetensors")
    task = make_task(make_config(pictures))
    pair = batch(np.random.default_rng(2))
    params = task.init(jax.random.key(1))
    sheet = np.asarray(jax.jit(task.sample)(params, task.frozen, pair))
    assert sheet.shape == (4, 32, 96, 3)
    np.testing.assert_allclose(sheet[:, :, :32], pair["content"] / 255, atol=1e-6)
    np.testing.assert_allclose(sheet[:, :, 32:64], pair["style"] / 255, atol=1e-6)
