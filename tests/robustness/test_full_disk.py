"""Disks without room, and caches that cannot be written.

The room is that of a process: the system refuses files beyond a size, as it refuses
them on a full disk, and asks for no rights to mount one.
"""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import vgg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ROOM = 1  # of 1,024 bytes


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def run(folder: Path, *command: str, full: bool = True, **environment: str):
    limit = f"ulimit -f {ROOM}; " if full else ""
    return subprocess.run(
        ["bash", "-c", f'{limit}exec "$@"', "-", sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def check_refused(done: subprocess.CompletedProcess) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "nstjax: error: " in done.stderr


def test_pictures(photos, tmp_path):
    command = [str(ROOT / "stylize.py"), "--content", str(photos), "--style", "night"]
    done = run(tmp_path, *command, "--output", "out")
    check_refused(done)
    assert done.stderr.count("nstjax: error: ") == 4
    assert list((tmp_path / "out").iterdir()) == []


def test_prepared_data(photos, tmp_path):
    done = run(tmp_path, "-m", "nstjax", "prepare-data", str(photos), "prepared")
    check_refused(done)
    assert not (tmp_path / "prepared").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_training(photos, tmp_path):
    leaves = {
        **{"content": photos, "style": photos, "teacher": tmp_path / "teacher"},
        **{
            "widths": (4,) * 4 + (6,) * 4 + (8,) * 5,
            "warm_start_batches": 0,
            "short_side": 36,
        },
        **{"crop_size": 32, "batch_size": 2, "validation_batches": 1},
        **{"steps": 4, "checkpoint_every": 2},
    }
    spec = vgg.VGGSpec(widths=(4,) * 4 + (6,) * 4 + (8,) * 5, padding="reflect")
    params = vgg.init_params(jax.random.key(0), spec)
    metadata = WeightsMetadata("vgg19", "teacher", spec.to_dict(), "random", "none")
    save_weights(tmp_path / "teacher", params, metadata)
    command = [str(ROOT / "train.py"), "--config", "distill_vgg_slim"]
    command += ["--workdir", "run"]
    command += [f"--config.{name}={value}" for name, value in leaves.items()]
    check_refused(run(tmp_path, *command))
    # With room, the same folder will do.
    assert run(tmp_path, *command, full=False).returncode == 0


def test_caches_that_cannot_be_written_are_not_needed(photos, tmp_path):
    command = [str(ROOT / "stylize.py"), "--content", str(photos / "0.png")]
    command += ["--style", "night", "--output", "out.png"]
    nowhere = {"NSTJAX_CACHE": "/dev/null/a", "NSTJAX_COMPILE_CACHE": "/dev/null/b"}
    done = run(tmp_path, *command, full=False, JAX_COMPILATION_CACHE_DIR="", **nowhere)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").is_file()
