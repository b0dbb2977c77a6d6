"""train.py's options and what it says to mistakes."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from nstjax.cli.train import main
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.models import vgg

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (4, 4, 6)


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    for kind in ("photos", "paintings", "empty"):
        (folder / kind).mkdir()
    random = np.random.default_rng(0)
    for kind in ("photos", "paintings"):
        for number in range(4):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    spec = vgg.VGGSpec(widths=WIDTHS, padding="reflect")
    params = jax.tree.map(np.asarray, vgg.init_params(jax.random.key(1), spec))
    metadata = WeightsMetadata("vgg19", "teacher", spec.to_dict(), "random", "none")
    save_weights(folder / "teacher.safetensors", params, metadata)
    return folder


@pytest.fixture
def train(material, tmp_path, monkeypatch):
    """Runs the command in this process; returns its exit status."""
    monkeypatch.setenv("XLA_FLAGS", "")  # restored afterwards

    def run(*flags: str, **options: object) -> int:
        leaves = {
            "content": material / "photos",
            "style": material / "paintings",
            "teacher": material / "teacher.safetensors",
            "widths": WIDTHS,
            "warm_start_batches": 0,
            "short_side": 36,
            "crop_size": 32,
            "batch_size": 2,
            "validation_batches": 1,
            "steps": 3,
            "export_dtype": "float32",
        } | options
        return main(
            [
                *("--config", "distill_vgg_slim", "--workdir", str(tmp_path / "run")),
                *flags,
                *(f"--config.{name}={value}" for name, value in leaves.items()),
            ]
        )

    return run


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stpes": 3}, "has no stpes; did you mean steps?"),
        ({"steps": "many"}, "does not take --config.steps=many: "),
        ({"widths": "(4, 'x')"}, "--config.widths takes a tuple of int"),
        ({"steps": 0}, "--config.steps must be 1 or more, not 0"),
        ({"compute_dtype": "half"}, "--config.compute_dtype must be one of float32"),
        ({"content": "", "style": ""}, "--config.data=demo"),
        ({"content": "absent"}, "there is no folder of training pictures absent"),
        ({"style": "{0}/empty"}, "/empty has no pictures"),
        ({"teacher": "absent.safetensors"}, "there is no network 'absent.safetensors'"),
        ({"teacher": ""}, "distillation needs a teacher"),
        ({"data": "coco"}, "--config.data must be folders or demo, not 'coco'"),
        ({"crop_size": 64}, "a crop of 64 px needs a short side"),
    ],
)
def test_mistakes_are_one_sentence(
    train, material, tmp_path, capsys, options, sentence
):
    options = {
        name: value.format(material) if isinstance(value, str) else value
        for name, value in options.items()
    }
    assert train(**options) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("nstjax: error: ") and error.count("\n") == 1
    assert sentence in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: --config"),
        (["--config", "absent.py"], "there is no config file absent.py"),
        (["--config", "distill_vgg_slim", "surplus"], "'surplus' is not a config"),
        (
            ["--config", "distill_vgg_slim", "--stepps=3"],
            "'--stepps=3' is not a config",
        ),
        (
            ["--config", "distill_vgg_slim", "--distributed=here"],
            "takes COORDINATOR:PORT,PROCESSES,PROCESS, such as localhost:1234,2,0",
        ),
        (["--config", "distill_vgg_slim", "--distributed=a:1,2,2"], "a process from 0"),
        (["--config", "distill_vgg_slim", "--distributed=a,2,1"], "with a port"),
    ],
)
def test_wrong_arguments_are_one_sentence(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setenv("XLA_FLAGS", "")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("nstjax: error: ") and error.count("\n") == 1
    assert sentence in error


def test_the_demonstration_really_trains(train, material, tmp_path, capsys):
    assert train(data="demo", content="", style="", steps=2, short_side=64) == 0
    params, metadata = load_weights(tmp_path / "run" / "vgg19-slim.safetensors")
    assert capsys.readouterr().out == (
        f"wrote {tmp_path / 'run' / 'vgg19-slim.safetensors'}\n"
    )
    assert metadata.notes["config"]["data"] == "demo"
    assert params["conv2_1"]["kernel"].shape == (3, 3, 4, 6)


def test_export_only_writes_the_file_again(train, tmp_path, capsys):
    assert train("--export-only") == 2
    assert "has no checkpoint to export" in capsys.readouterr().err
    assert train() == 0
    path = tmp_path / "run" / "vgg19-slim.safetensors"
    before, _ = load_weights(path)
    path.unlink()
    assert train("--export-only", seed=5) == 2
    assert "other settings: seed (0 before, 5 now)" in capsys.readouterr().err
    assert train("--export-only") == 0
    after, metadata = load_weights(path)
    jax.tree.map(np.testing.assert_array_equal, after, before)
    assert "--export-only" in metadata.recipe


def test_help_is_quick_and_imports_no_jax():
    code = (
        "import sys; from nstjax.cli.train import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: assert done.code == 0\n"
        "heavy = {'jax', 'flax', 'grain', 'orbax', 'numpy', 'tensorflow_datasets'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for word in ("--config FILE", "--workdir", "--distributed", "--config.data=demo"):
        assert word in done.stdout


def test_the_script_is_the_command():
    done = subprocess.run(
        [sys.executable, ROOT / "train.py", "--config", "absent"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("nstjax: error: there is no config file absent")
