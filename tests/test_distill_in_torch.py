"""Distilling in PyTorch computes what `train.py` does, stops, and goes on."""

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.losses.hints import hint_loss
from nstjax.models import vgg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
TOOL = Path(__file__).resolve().parents[1] / "tools" / "distill_in_torch.py"


@pytest.fixture(scope="module")
def tool():
    # As where it is run from a file: what tools share lies beside it.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOL.parent)
        return importlib.import_module("distill_in_torch")


def test_features_are_the_same(tool):
    spec = vgg.VGGSpec(widths=(4, 4, 6, 6, 8), padding="zero", input_map="caffe")
    params = vgg.init_params(jax.random.key(0), spec)
    image = np.random.default_rng(0).random((2, 24, 32, 3), np.float32)
    expected = vgg.features(params, image, spec.layers, spec=spec)
    weights = {
        f"{name}/{key}": tool.as_tensor(x)
        for name, layer in params.items()
        for key, x in layer.items()
    }
    found = tool.features(weights, torch.tensor(image), spec, dtype=torch.float32)
    for layer, x in expected.items():
        mine = found[layer].permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(mine, x, rtol=1e-4, atol=1e-4 * np.max(x))
    back = tool.from_tensors(weights)
    jax.tree.map(np.testing.assert_array_equal, back, dict(params))


def test_errors_and_their_gradients_are_the_same(tool):
    random = np.random.default_rng(1)
    feature, kernel, bias, target = (
        random.normal(size=shape).astype(np.float32)
        for shape in ((2, 5, 6, 3), (3, 4), (4,), (2, 5, 6, 4))
    )

    def error(feature, kernel, bias):
        return hint_loss({"kernel": kernel, "bias": bias}, feature, target)

    expected, gradients = jax.value_and_grad(error, (0, 1, 2))(feature, kernel, bias)
    mine = [torch.tensor(x).requires_grad_() for x in (feature, kernel, bias)]
    weights = {"maps/relu1_1/kernel": mine[1], "maps/relu1_1/bias": mine[2]}
    wanted = torch.tensor(target)
    found = tool.hint_errors(
        weights,
        {"relu1_1": mine[0].permute(0, 3, 1, 2)},
        {"relu1_1": wanted.permute(0, 3, 1, 2)},
        {"relu1_1": tool.variance_of([wanted.reshape(-1, 4)])},
    )["relu1_1"]
    found.backward()
    np.testing.assert_allclose(float(found.detach()), expected, rtol=1e-4)
    for x, gradient in zip(mine, gradients, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-3, atol=1e-5)


def test_a_training_that_was_stopped_goes_on(tmp_path):
    spec = vgg.VGGSpec(widths=(8,) * 13, padding="zero", input_map="caffe")
    params = vgg.init_params(jax.random.key(0), spec)
    teacher = tmp_path / "teacher.safetensors"
    metadata = WeightsMetadata("vgg19", "teacher", spec.to_dict(), "a test", "none")
    save_weights(teacher, params, metadata)
    command = [
        *(sys.executable, str(TOOL), "--config", "distill_vgg_slim"),
        *("--workdir", str(tmp_path / "run"), "--config.data=demo"),
        *(f"--config.teacher={teacher}", f"--config.widths={(4,) * 13}"),
        *("--config.batch_size=2", "--config.crop_size=32"),
        *("--config.warm_start_batches=1", "--config.log_every=1"),
    ]
    file = tmp_path / "run" / "vgg19-slim.safetensors"
    started = subprocess.Popen(
        [*command, "--minutes=60"], stderr=subprocess.PIPE, text=True
    )
    for line in started.stderr:
        if line.startswith("step 3,"):
            break
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=120)
    assert started.returncode == 128 + signal.SIGTERM
    first = load_weights(file)[1].notes["step"]
    assert first >= 3

    # As much again as it has had, by its own clock.
    spent = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["seconds"]
    minutes = (spent + 2) / 60
    begun = time.monotonic()
    done = subprocess.run(
        [*command, f"--minutes={minutes}"], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - begun < 300
    numbers = [
        int(line.split()[1].rstrip(","))
        for line in done.stderr.splitlines()
        if line.startswith("step ")
    ]
    assert numbers[0] == first + 1
    student, metadata = load_weights(file)
    assert metadata.notes["step"] == numbers[-1] > first
    assert metadata.kind == "vgg19" and metadata.spec["padding"] == "reflect"
    assert vgg.VGGSpec(**metadata.spec).widths == (4,) * 13
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(student))
