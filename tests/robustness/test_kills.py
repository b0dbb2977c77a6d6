"""Commands that are killed at random moments, and then given again.

Whatever the signal and the moment, the same command must go on, and end with the
very files of a run that was left alone (pictures of one pass: but for rounding). A
signal that can be caught must be answered with 128 plus its number, and with no
traceback.

``NSTJAX_KILLS`` says how many (50 for the figures of docs/reliability.md),
``NSTJAX_ROBUSTNESS_SEED`` which.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import vgg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("NSTJAX_KILLS", 4))
SEED = int(os.environ.get("NSTJAX_ROBUSTNESS_SEED", 0))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Seconds after which a command counts as hanging.
PATIENCE = 300
# Gatys cut short, so that compiling takes no minutes.
CONFIG = """
from configs import common


def get_config():
    config = common.per_image("gatys")
    config.content_normalisation = config.style_normalisation = "relative"
    config.content_layers = {"relu2_1": 1.0}
    config.style_layers = {"relu1_1": 1.0, "relu2_1": 1.0}
    config.clamp = True
    return config
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    """Small pictures, a random VGG-19, a config."""
    folder = tmp_path_factory.mktemp("material")
    generator = np.random.default_rng(SEED)
    for kind, count in (("photos", 5), ("paintings", 2)):
        (folder / kind).mkdir()
        for number in range(count):
            side = 64 + 8 * (number % 3)
            noise = generator.integers(0, 256, (6, 6, 3), np.uint8)
            picture = Image.fromarray(noise).resize(
                (side, 64), Image.Resampling.BICUBIC
            )
            picture.save(folder / kind / f"{number}.png")
    spec = vgg.VGGSpec(widths=(8, 8, 8, 8) + (12,) * 4 + (16,) * 5, padding="reflect")
    params = vgg.init_params(_key(), spec)
    metadata = WeightsMetadata("vgg19", "tiny", spec.to_dict(), "random", "CC0-1.0")
    save_weights(folder / "tiny.safetensors", params, metadata)
    (folder / "short.py").write_text(CONFIG)
    return folder


def _key():
    import jax

    return jax.random.key(0)


def commands(material: Path) -> dict[str, list[str]]:
    """What is killed; each writes into the folder "out" it is run in."""
    photos, paintings = str(material / "photos"), str(material / "paintings")
    leaves = {
        "content": photos,
        "style": paintings,
        "teacher": material / "tiny.safetensors",
        "widths": (4,) * 4 + (6,) * 4 + (8,) * 5,
        "warm_start_batches": 0,
        "short_side": 36,
        "crop_size": 32,
        "batch_size": 2,
        "validation_batches": 1,
        "steps": 40,
        "checkpoint_every": 7,
        "export_dtype": "float32",
    }
    return {
        "stylize": [
            "stylize.py",
            *("--config", str(material / "short.py")),
            *("--content", f"{photos}/0.png", "--style", f"{paintings}/0.png"),
            *("--encoder", str(material / "tiny.safetensors")),
            *("--iterations", "600", "--output", "out/result.png", "--resume"),
        ],
        "folders": [
            "stylize.py",
            *("--content", photos, "--style", paintings, "--output", "out"),
            *("--batch-size", "1"),
        ],
        "train": [
            "train.py",
            *("--config", "distill_vgg_slim", "--workdir", "out"),
            *(f"--config.{name}={value}" for name, value in leaves.items()),
        ],
        "evaluate": [
            "evaluate.py",
            *("--content", photos),
            *("--style", f"{paintings}/0.png", "--methods", "adain"),
            *("--size", "64", "--figure-pairs", "0", "--output", "out"),
        ],
    }


def start(command: list[str], folder: Path) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(ROOT / command[0]), *command[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_ready(process: subprocess.Popen) -> bool:
    """Whether the command catches SIGTERM: before, the interpreter is starting."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def results(name: str, folder: Path) -> dict[str, object]:
    """What a run has made, without what tells its moment or its speed."""
    out, found = folder / "out", {}
    if name == "train":
        from safetensors.numpy import load_file

        for path in out.glob("*.safetensors"):
            found |= load_file(path)
        return found
    for path in sorted(out.rglob("*.png")):
        with Image.open(path) as image:
            found[str(path.relative_to(out))] = np.asarray(image)
    return found


def differences(name: str, found: dict, expected: dict) -> list[str]:
    """What is missing, or another than that of a run that was left alone."""
    if found.keys() != expected.keys():
        return sorted(found.keys() ^ expected.keys())
    if name in ("folders", "evaluate"):
        # Programs for larger pictures serve smaller ones, to other sums' rounding.
        # Which are ready depends on what has been painted before, tests beside this
        # one included.
        return [
            f"{file}, by {most} of 255"
            for file, image in expected.items()
            if (most := np.abs(image - found[file].astype(int)).max()) > 1
        ]
    return [key for key in expected if not np.array_equal(found[key], expected[key])]


def leftovers(folder: Path) -> list[str]:
    """Unfinished files under names that a user would take for results."""
    broken = []
    for path in folder.rglob("*.png"):
        if path.name.startswith("."):
            continue  # a temporary file, hidden, of a process that was killed
        try:
            with Image.open(path) as image:
                image.load()
        except Exception:
            broken.append(str(path))
    return broken


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_lost_whenever_a_command_is_killed(material, tmp_path):
    draw = random.Random(SEED)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    expected, seconds = {}, {}
    for name, command in commands(material).items():
        folder = tmp_path / name / "whole"
        # Once to compile, which the killed ones shall not have to do again.
        for attempt in ("compiling", "whole"):
            target = folder if attempt == "whole" else tmp_path / name / attempt
            begin = time.monotonic()
            process = start(command, target)
            _, error = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, error
            seconds[name] = time.monotonic() - begin
        expected[name] = results(name, folder)
        assert expected[name]
    names = list(expected)
    for number in range(KILLS):
        name, kind = names[number % len(names)], SIGNALS[number // len(names) % 3]
        folder = tmp_path / name / str(number)
        process = start(commands(material)[name], folder)
        while process.poll() is None and not is_ready(process):
            time.sleep(0.01)
        time.sleep(draw.uniform(0, seconds[name]))
        alive = process.poll() is None
        if alive:
            process.send_signal(kind)
        counts["tried"] += 1
        counts["killed"] += alive
        what = f"{number}: {name} by {kind.name}"
        try:
            _, error = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            counts["hangs"] += 1
            problems.append(f"{what} hung")
            continue
        if "Traceback" in error:
            counts["tracebacks"] += 1
            problems.append(f"{what}: {error[-1500:]}")
        allowed = {0, -kind if kind == signal.SIGKILL else 128 + kind}
        if process.returncode not in allowed:
            counts["wrong statuses"] += 1
            problems.append(f"{what} ended with {process.returncode}: {error[-500:]}")
        if broken := leftovers(folder):
            counts["half-written files"] += 1
            problems.append(f"{what} left {broken}")
        again = start(commands(material)[name], folder)
        _, error = again.communicate(timeout=PATIENCE)
        finished = process.returncode == 0 and name == "stylize"
        if again.returncode != (2 if finished else 0):
            counts["lost work"] += 1
            problems.append(f"{what} does not go on: {error[-500:]}")
        elif other := differences(name, results(name, folder), expected[name]):
            counts["lost work"] += 1
            problems.append(f"{what} goes on to another result: {other}")
        else:
            counts["went on to the same result"] += 1
        print(f"{what}: {json.dumps(counts)}", flush=True)
    assert not problems, "\n".join(problems)
