"""Training a painter in PyTorch computes what `train.py` does, and goes on."""

import importlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from nstjax.configuration import load_config
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.losses import table
from nstjax.losses.base import Picture
from nstjax.models import painter, vgg
from nstjax.training.recipes.painter import by_features, make_terms, statistics
from nstjax.training.schedules import make_optimizer
from nstjax.transforms.adain import adain
from nstjax.weights.pretrained import load_encoder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
TOOL = Path(__file__).resolve().parents[1] / "tools" / "train_painter_in_torch.py"
THREE_LEVELS = (((4, 6), (8, 8), (10, 12)), ((10, 8), (8, 6), (6, 4)), 5)


@pytest.fixture(scope="module")
def tool():
    # As where it is run from a file: what tools share lies beside it.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOL.parent)
        return importlib.import_module("train_painter_in_torch")


@pytest.fixture(scope="module")
def shared(tool):
    """What tools that train in PyTorch share."""
    return sys.modules["torch_training"]


def save_network(path: Path, seed: int) -> str:
    spec = vgg.VGGSpec(
        widths=(6, 6, 8, 8, 10, 10, 10, 10, 8), padding="zero", input_map="imagenet"
    )
    params = vgg.init_params(jax.random.key(seed), spec)
    metadata = WeightsMetadata("vgg19", path.stem, spec.to_dict(), "a test", "none")
    save_weights(path, params, metadata)
    return str(path)


def random(seed, *shape):
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize(
    "widths", [THREE_LEVELS, (((4, 6), (8, 8)), ((8, 6), (6, 4)), 5)]
)
def test_it_paints_the_same(tool, widths):
    spec = painter.PainterSpec(*widths)
    params = jax.device_get(painter.init_params(jax.random.key(0), spec))
    content, style = random(0, 2, 48, 64, 3), random(1, 2, 48, 64, 3)
    wanted = statistics(painter.encode(params, style, spec=spec))
    restyled = {
        level: adain(x, wanted[level], eps=painter.EPS)
        for level, x in painter.encode(params, content, spec=spec).items()
    }
    expected = painter.decode(params, restyled, [wanted], spec=spec)
    weights = tool.to_torch(params)
    pictures = tool.channels_first(content), tool.channels_first(style)
    with torch.no_grad():
        image = tool.paint(weights, *pictures, spec=spec, dtype=torch.float32)
    painted = image.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(painted, expected, atol=2e-5)
    back = tool.from_tensors(weights)
    jax.tree.map(np.testing.assert_array_equal, back, dict(params))


def test_convolutions_that_are_added_change_nothing(tool):
    given = painter.PainterSpec(((4, 6), (8, 8)), ((8, 6), (6, 4)), 5)
    longer = painter.PainterSpec(((4, 6), (8, 8)), ((8, 6, 6, 6), (6, 4, 4)), 5)
    params = jax.device_get(painter.init_params(jax.random.key(0), given))
    weights = tool.to_torch(params)
    more = tool.lengthened(weights, given, longer)
    shapes = jax.tree.map(np.shape, tool.from_tensors(more))
    expected = jax.device_get(painter.init_params(jax.random.key(1), longer))
    assert shapes == jax.tree.map(np.shape, dict(expected))
    pictures = [tool.channels_first(random(seed, 2, 48, 64, 3)) for seed in (5, 6)]
    before, after = (
        tool.paint(x, *pictures, spec=spec, dtype=torch.float32)
        for x, spec in ((weights, given), (more, longer))
    )
    np.testing.assert_allclose(after.numpy(), before.numpy(), atol=1e-6)
    for other in (
        painter.PainterSpec(((4, 6), (8, 8)), ((8, 6, 5), (6, 4)), 5),
        painter.PainterSpec(((4, 6), (8, 8)), ((8,), (6, 4)), 5),
        painter.PainterSpec(((4, 7), (8, 8)), ((8, 6), (6, 4)), 5),
        painter.PainterSpec(((4, 6),), ((8, 6),), 5),
    ):
        with pytest.raises(SystemExit, match="another shape"):
            tool.lengthened(weights, given, other)


def test_its_losses_and_their_gradient_are_the_same(tool, tmp_path):
    """The gradient that is written out is the one that JAX finds."""
    encoder = load_encoder(save_network(tmp_path / "judge.safetensors", seed=1))
    config = load_config("painter.py")
    config.vgg19.content_layers = {"relu3_1": 1.0}
    shares = {"relu1_2": 0.2, "relu2_1": 0.5, "relu3_1": 0.4}
    config.vgg19.style_layers = shares
    terms, _ = by_features(make_terms(config))
    assert {term.name for term in terms} == set(tool.FEATURE_TERMS)
    result, content, style = (random(seed, 2, 24, 32, 3) for seed in (2, 3, 4))
    # Fainter than the style, so that no relative error is above 1.
    result = 0.3 + 0.4 * result

    def seen(image):
        features = vgg.features(encoder.params, image, tuple(shares), spec=encoder.spec)
        return Picture(image, features)

    def total(image):
        values = table.evaluate(terms, seen(image), seen(content), seen(style))
        return sum(config[f"{name}_weight"] * x for name, x in values.items()), values

    (_, expected), gradient = jax.value_and_grad(total, has_aux=True)(
        jnp.asarray(result)
    )
    assert max(expected["gram"], expected["moments"]) < 1
    network = tool.LossNetwork(encoder, "relu3_1", shares, dtype=torch.float32)
    values, found = network.losses(
        tool.channels_first(result),
        network.describe_content(tool.channels_first(content)),
        network.describe_style(tool.channels_first(style)),
        {name: config[f"{name}_weight"] for name in tool.FEATURE_TERMS},
    )
    for name, value in values.items():
        np.testing.assert_allclose(float(value), expected[name], rtol=1e-4)
    found = found.permute(0, 2, 3, 1).numpy()
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(found, gradient, rtol=1e-3, atol=1e-4 * scale)


def test_a_relative_error_above_one_counts_and_pulls_as_one(tool):
    wanted = torch.full((2, 3), 0.1)
    value = torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.1, 0.1]])
    mean, gradient = tool.relative_error(value, wanted)
    np.testing.assert_allclose(float(mean), (1 + 1 / 3) / 2, rtol=1e-6)
    # 2 (x - w) / (B |w|^2), for the first over its error of 83 / 3.
    first = 2 * np.array([0.9, -0.1, -0.1]) / (2 * 0.03 * 83 / 3)
    np.testing.assert_allclose(gradient[0], first, rtol=1e-5)
    np.testing.assert_allclose(gradient[1], [0.1 / 0.03, 0, 0], atol=1e-6)


def test_muons_steps_are_optaxs(tool, shared):
    rate = 0.01
    shapes = {"a/kernel": (3, 3, 4, 6), "b/kernel": (8, 5), "c/bias": (6,)}
    begun = {name: random(6, *shape) for name, shape in shapes.items()}
    gradient = {n: random(7, *s) - 0.5 for n, s in shapes.items()}
    optimizer = make_optimizer(lambda update: rate, name="muon")
    state, expected = optimizer.init(begun), begun
    weights = {n: tool.as_tensor(x).requires_grad_() for n, x in begun.items()}
    adam, muon = shared.make_optimizers("muon", list(weights.values()))
    assert [x.shape for x in adam.param_groups[0]["params"]] == [(6,)]
    muon.param_groups[0]["lr"] = rate
    # The mean gradient is this one, whichever way its beginning is corrected.
    for _ in range(2):
        updates, state = optimizer.update(gradient, state, expected)
        expected = jax.tree.map(jnp.add, expected, updates)
        for name, weight in weights.items():
            weight.grad = tool.as_tensor(gradient[name])
        muon.step()
    found = tool.from_tensors(weights)
    for name in ("a/kernel", "b/kernel"):
        moved = found[name[0]]["kernel"] - begun[name]
        wanted = expected[name] - begun[name]
        # Torch computes in bfloat16.
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(moved, wanted, atol=0.03 * scale)


def test_it_trains_and_goes_on(tool, tmp_path, monkeypatch):
    for name in ("contents", "styles"):
        (tmp_path / name).mkdir()
        for number in range(4):
            picture = np.uint8(255 * random(number, 72, 72, 3))
            Image.fromarray(picture).save(tmp_path / name / f"{number}.png")
    judges = [
        save_network(tmp_path / f"judge{seed}.safetensors", seed) for seed in (1, 2)
    ]
    spec = painter.PainterSpec(*THREE_LEVELS)
    command = [
        *("train_painter_in_torch.py", "--config", "painter"),
        *("--workdir", str(tmp_path / "run"), "--config.stages=('begin', 'refine')"),
        *(f"--config.content={tmp_path / 'contents'}", "--config.batch_size=2"),
        *(f"--config.style={tmp_path / 'styles'}", "--config.short_side=64"),
        *("--config.crop_size=64", "--config.style_crop_size=64"),
        *("--config.lap_pools=(4,)", "--config.lap_pool_weights=(1.0,)"),
        *("--config.style_short_side=64", "--config.largest_scale=1.0"),
        *("--config.style_largest_scale=1.0", "--config.refine.warmup_steps=0"),
        # As long as the other: the first step compiles.
        *("--config.warmup_steps=0", "--config.begin.steps=16000"),
        f"--config.loss_encoders={tuple(judges)}",
        f"--config.encoder_widths={spec.encoder_widths}",
        f"--config.decoder_widths={spec.decoder_widths}",
        f"--config.style_width={spec.style_width}",
    ]
    files = [
        tmp_path / "run" / folder / "adain-slim.safetensors" for folder in ("begin", "")
    ]
    steps = []
    for minutes in (0.3, 0.6):
        monkeypatch.setattr(sys, "argv", [*command, f"--minutes={minutes}"])
        assert tool.main() == 0
        for file in files:
            trained, metadata = load_weights(file)
            steps.append(metadata.notes["step"])
            assert painter.PainterSpec.from_dict(metadata.spec) == spec
            against = [judge["name"] for judge in metadata.notes["loss_encoders"]]
            assert against == ["judge1", "judge2"]
            assert all(np.isfinite(x).all() for x in jax.tree.leaves(trained))
    # With more minutes it goes on in the last stage.
    assert 0 < steps[0] == steps[2] and 0 < steps[1] < steps[3]
    begun, _ = load_weights(files[0])
    random_weights = jax.device_get(painter.init_params(jax.random.key(0), spec))
    for before, after in ((random_weights, begun), (begun, trained)):
        moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), before, after)
        assert max(jax.tree.leaves(moved)) > 1e-3
