"""train.py as users run it: killed, stopped, on several devices and hosts.

A tiny student learns from a tiny random teacher, on pictures made here. The
tests share one uninterrupted run, which all others must agree with.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import vgg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
STEPS = 48
NAME = "tiny"
# Long enough for a busy machine; nothing here takes a minute on a free one.
TIMEOUT = 600


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    """Pictures and a teacher; also where compiled programs are shared."""
    folder = tmp_path_factory.mktemp("material")
    random = np.random.default_rng(0)
    for kind in ("photos", "paintings"):
        (folder / kind).mkdir()
        for number in range(9):
            cells = random.integers(0, 256, (5, 6, 3), np.uint8)
            picture = Image.fromarray(cells).resize((72, 60), Image.Resampling.BICUBIC)
            picture.save(folder / kind / f"{number}.jpg")
    spec = vgg.VGGSpec(widths=(4, 4, 8, 8, 8), padding="reflect")
    params = jax.tree.map(np.asarray, vgg.init_params(jax.random.key(1), spec))
    metadata = WeightsMetadata("vgg19", "teacher", spec.to_dict(), "random", "none")
    save_weights(folder / "teacher.safetensors", params, metadata)
    return folder


class Process:
    """One run of a command; what it prints is kept in a file."""

    def __init__(self, command: list[str], log: Path, **options) -> None:
        self._log = log
        with open(log, "wb") as file:
            self.popen = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
                **options,
            )

    def finish(self) -> tuple[int, str]:
        """Waits for the end; returns the exit status and what went to stderr."""
        return self.popen.wait(timeout=TIMEOUT), self._log.read_text()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(timeout=TIMEOUT)

    def interrupt(self) -> None:
        """Ctrl-C, which a terminal sends to a command and all that it started."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def has_left_nothing(self) -> bool:
        """Whether nothing that the command started runs any more."""
        try:
            os.killpg(self.popen.pid, 0)
        except ProcessLookupError:
            return True
        return False


class Trainer:
    """Starts train.py in one working folder."""

    started: list[Process] = []

    def __init__(self, material: Path, workdir: Path) -> None:
        self.workdir = workdir
        self._material = material

    def start(self, *options: str, devices: int = 1) -> Process:
        material = self._material
        command = [
            *(sys.executable, str(ROOT / "train.py")),
            *("--config", "configs/distill_vgg_slim.py"),
            *("--workdir", str(self.workdir)),
            f"--config.name={NAME}",
            f"--config.content={material / 'photos'}",
            f"--config.style={material / 'paintings'}",
            f"--config.teacher={material / 'teacher.safetensors'}",
            "--config.widths=(4, 4, 8, 8, 8)",
            "--config.warm_start_batches=0",
            "--config.short_side=48",
            "--config.crop_size=32",
            "--config.batch_size=4",
            "--config.validation_every_nth=6",
            "--config.validation_batches=1",
            "--config.schedule=constant",
            "--config.warmup_steps=0",
            "--config.learning_rate=5e-4",
            "--config.log_every=1",
            "--config.checkpoint_every=4",
            "--config.export_dtype=float32",
            f"--config.steps={STEPS}",
            *options,
        ]
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(material / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        }
        log = self.workdir.parent / f"{len(self.started)}.log"
        process = Process(command, log, cwd=ROOT, env=environment)
        self.started.append(process)
        return process

    def run(self, *options: str) -> None:
        status, errors = self.start(*options).finish()
        assert status == 0, errors

    def weights(self) -> dict[str, np.ndarray]:
        return load_file(self.workdir / f"{NAME}.safetensors")

    def checkpoints(self) -> list[int]:
        folder = self.workdir / "checkpoints"
        names = [path.name for path in folder.glob("*")]
        return sorted(int(name) for name in names if name.isdecimal())

    def scalars(self) -> dict[str, dict[int, float]]:
        """What TensorBoard shows: by name and step, the latest value written."""
        values: dict[str, dict[int, float]] = {}
        for file in sorted((self.workdir / "logs").iterdir()):
            for event in read_events(file):
                for value in event.summary.value:
                    if value.WhichOneof("value") == "simple_value":
                        series = values.setdefault(value.tag, {})
                        series[event.step] = value.simple_value
        return values


def read_events(path: Path):
    """Parses an event file: length, its checksum, an Event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, position = path.read_bytes(), 0
    while position + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        yield Event.FromString(data[position + 12 : position + 12 + length])
        position += 12 + length + 4


@pytest.fixture(scope="module")
def whole(material, tmp_path_factory) -> Trainer:
    """A run that nothing interrupted."""
    trainer = Trainer(material, tmp_path_factory.mktemp("whole") / "run")
    trainer.run()
    return trainer


def assert_same_weights(weights, expected) -> None:
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)


def wait_until(condition, process: Process) -> bool:
    """Waits for a condition; False if the process ended before."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            return False
        if condition():
            return True
        time.sleep(0.002)
    raise TimeoutError


@pytest.fixture(scope="module", autouse=True)
def leave_nothing_running():
    yield
    for process in Trainer.started:
        process.kill()


def test_it_learns_and_keeps_newest_and_best(whole):
    losses = whole.scalars()["validation/total"]
    best = min(losses, key=losses.get)
    assert losses[STEPS] < losses[4]
    assert whole.checkpoints() == sorted({best, STEPS - 4, STEPS})


def test_tensorboard_holds_every_term(whole):
    scalars = whole.scalars()
    terms = [f"relu{n}" for n in ("1_1", "2_1", "2_2", "3_1")]  # relu1_2 has no weight
    every_step = {*terms, "total", "gradient_norm", "learning_rate"}
    every_step |= {"images_per_second", "corrupt"}
    validations = {f"validation/{name}" for name in (*terms, "total")}
    assert set(scalars) == every_step | validations
    for name in every_step:
        assert sorted(scalars[name]) == list(range(1, STEPS + 1)), name
    for name in validations:
        assert sorted(scalars[name]) == list(range(4, STEPS + 1, 4)), name
    assert all(value > 0 for value in scalars["images_per_second"].values())
    assert set(scalars["learning_rate"].values()) == {np.float32(5e-4)}


def test_killed_at_any_moment_it_ends_the_same(material, whole, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    random = np.random.default_rng(0)
    folder = trainer.workdir / "checkpoints"
    killed_while_saving = killed_between = 0
    for options in ((), ("--config.workers=2", "--config.threads=1")):
        before = set(trainer.checkpoints())

        def saving(before=before):
            new = set(trainer.checkpoints()) - before
            return new and any("tmp" in path.name for path in folder.glob("*"))

        process = trainer.start(*options)
        if wait_until(saving, process):
            process.kill()
            killed_while_saving += 1

        before = set(trainer.checkpoints())
        process = trainer.start(*options)
        if wait_until(
            lambda before=before: set(trainer.checkpoints()) - before, process
        ):
            time.sleep(random.uniform(0, 0.15))
            process.kill()
            killed_between += 1
    assert killed_while_saving and killed_between
    # The reading processes notice.
    deadline = time.monotonic() + 60
    while not all(process.has_left_nothing() for process in Trainer.started):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    trainer.run()
    assert_same_weights(trainer.weights(), whole.weights())


def test_ctrl_c_saves_and_the_same_command_goes_on(material, whole, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    process = trainer.start("--config.checkpoint_every=1000", "--config.workers=2")
    # Past the first step, far from any checkpoint of its own.
    assert wait_until(lambda: trainer_has_logged(trainer, 3), process)
    process.interrupt()
    status, errors = process.finish()
    assert status == 130, errors
    assert "Traceback" not in errors
    last = errors.rstrip().splitlines()[-1]
    assert last == (
        f"nstjax: stopped; {trainer.workdir} holds everything; "
        "repeat the command to continue"
    )
    (step,) = trainer.checkpoints()
    assert 3 <= step < STEPS
    trainer.run()
    assert_same_weights(trainer.weights(), whole.weights())


def trainer_has_logged(trainer: Trainer, step: int) -> bool:
    if not (trainer.workdir / "logs").is_dir():
        return False
    return step in trainer.scalars().get("total", {})


_DEVICES = """
import json, sys
import jax, numpy as np, optax
from nstjax.configuration import load_config
from nstjax.sharding import batch_sharded, make_data_mesh, replicated
from nstjax.io.datasets import make_batches
from nstjax.training.recipes.table import make_task
from nstjax.training.schedules import make_optimizer
from nstjax.training.step import init_state, make_train_step

config = load_config("distill_vgg_slim", sys.argv[1:])
task = make_task(config)
assert len(jax.devices()) == 8
params = jax.device_get(jax.jit(task.init)(jax.random.key(0)))
results = []
for count in (1, 8):
    mesh = make_data_mesh(jax.devices()[:count])
    optimizer = make_optimizer(lambda n: 5e-4)
    step = make_train_step(task.loss, optimizer, mesh=mesh, seed=0)
    state = jax.device_put(init_state(params, optimizer), replicated(mesh))
    frozen = jax.device_put(task.frozen, replicated(mesh))
    batches = make_batches(task.training, batch_size=8, seed=0)
    losses = []
    for n in range(20):
        batch = jax.device_put(next(batches), batch_sharded(mesh))
        state, report = step(state, frozen, batch)
        losses.append(float(report["total"]))
        if n == 0:
            # Adam's first moment: a tenth of the first gradient.
            gradient = jax.device_get(optax.tree.get(state.opt_state, "mu"))
    results.append((gradient, losses))
(one, losses_one), (eight, losses_eight) = results
errors = jax.tree.map(
    lambda a, b: float(np.linalg.norm(a - b) / np.linalg.norm(b)), eight, one
)
print(json.dumps([max(jax.tree.leaves(errors)), losses_one, losses_eight]))
"""


def test_eight_devices_compute_what_one_does(material):
    process = subprocess.run(
        [
            *(sys.executable, "-c", _DEVICES),
            f"--config.content={material / 'photos'}",
            f"--config.style={material / 'paintings'}",
            f"--config.teacher={material / 'teacher.safetensors'}",
            "--config.widths=(4, 4, 8, 8, 8)",
            "--config.short_side=48",
            "--config.crop_size=32",
        ],
        cwd=ROOT,
        env=os.environ
        | {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert process.returncode == 0, process.stderr
    gradient_error, one, eight = json.loads(process.stdout)
    assert gradient_error < 1e-6
    np.testing.assert_allclose(eight, one, rtol=1e-5)
    assert one[-1] != one[0]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


def start_two(trainer: Trainer, *options: str) -> list[Process]:
    port = free_port()
    return [
        trainer.start(f"--distributed=localhost:{port},2,{number}", *options)
        for number in range(2)
    ]


def test_two_processes_compute_what_one_does(material, whole, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    first, second = start_two(trainer)
    assert wait_until(lambda: trainer_has_logged(trainer, 6), first)
    second.popen.send_signal(signal.SIGINT)  # one is told, both stop
    for process in (first, second):
        status, errors = process.finish()
        assert status == 130, errors
        assert "Traceback" not in errors
    stopped_at = trainer.checkpoints()[-1]
    assert 6 <= stopped_at < STEPS

    # One process goes on from what two saved, two from what one saved.
    middle = (stopped_at + STEPS) // 2
    trainer.run(f"--config.steps={middle}")
    for process in start_two(trainer):
        status, errors = process.finish()
        assert status == 0, errors

    ours, expected = trainer.scalars(), whole.scalars()
    for name in ("total", "validation/total"):
        for step, value in expected[name].items():
            # Rounding errors grow from step to step, here as on any device.
            tolerance = 1e-5 if step <= 20 else 1e-3
            np.testing.assert_allclose(ours[name][step], value, rtol=tolerance)
    for name, value in whole.weights().items():
        np.testing.assert_allclose(trainer.weights()[name], value, rtol=1e-3, atol=1e-4)


def test_a_host_that_comes_late_and_one_that_is_lost(material, whole, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    port = free_port()
    address = f"--distributed=localhost:{port},2"
    first = trainer.start(f"{address},0")
    time.sleep(20)  # more than either needs until it looks for the other
    assert first.popen.poll() is None
    assert not (trainer.workdir / "checkpoints").exists()
    second = trainer.start(f"{address},1")
    assert wait_until(lambda: len(trainer.checkpoints()) > 0, first)
    second.kill()
    status, errors = first.finish()
    assert status not in (0, None), errors
    kept = trainer.checkpoints()[-1]
    assert 4 <= kept < STEPS

    for process in start_two(trainer):
        status, errors = process.finish()
        assert status == 0, errors
    ours, expected = trainer.scalars()["total"], whole.scalars()["total"]
    assert sorted(ours) == sorted(expected)
    for step, value in expected.items():
        tolerance = 1e-5 if step <= 20 else 1e-3
        np.testing.assert_allclose(ours[step], value, rtol=tolerance)
    for name, value in whole.weights().items():
        np.testing.assert_allclose(trainer.weights()[name], value, rtol=1e-3, atol=1e-4)


def test_hosts_with_other_numbers_of_devices_are_refused(material, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    port = free_port()
    processes = [
        trainer.start(f"--distributed=localhost:{port},2,{number}", devices=devices)
        for number, devices in enumerate((1, 3))
    ]
    for process in processes:
        status, errors = process.finish()
        assert status == 2, errors
        last = errors.rstrip().splitlines()[-1]
        assert "the processes have 1, 3 devices" in last
    assert not (trainer.workdir / "checkpoints").exists()


def test_hosts_with_other_pictures_are_refused(material, tmp_path):
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for path in sorted((material / "photos").iterdir())[1:]:
        (fewer / path.name).write_bytes(path.read_bytes())
    trainer = Trainer(material, tmp_path / "run")
    port = free_port()
    processes = [
        trainer.start(f"--distributed=localhost:{port},2,0"),
        trainer.start(
            f"--distributed=localhost:{port},2,1", f"--config.content={fewer}"
        ),
    ]
    for process in processes:
        status, errors = process.finish()
        assert status == 2, errors
        last = errors.rstrip().splitlines()[-1]
        assert "process 1 has different settings or pictures from process 0" in last
    assert not (trainer.workdir / "checkpoints").exists()


def test_a_learning_rate_that_explodes_is_one_sentence(material, tmp_path):
    process = Trainer(material, tmp_path / "run").start("--config.learning_rate=1e30")
    status, errors = process.finish()
    assert status == 2
    assert "Traceback" not in errors
    last = errors.rstrip().splitlines()[-1]
    assert last.startswith("nstjax: error: the loss is ")
    assert "lower --config.learning_rate" in last


def test_bfloat16_stays_near(material, whole, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    trainer.run("--config.compute_dtype=bfloat16", "--config.steps=12")
    ours, expected = trainer.scalars(), whole.scalars()
    for name in ("total", "validation/total"):
        values = [expected[name][step] for step in ours[name]]
        # Eight bits of mantissa in a dozen layers.
        np.testing.assert_allclose(list(ours[name].values()), values, rtol=0.03)
        assert list(ours[name].values()) != values
    assert {value.dtype for value in trainer.weights().values()} == {
        np.float32(0).dtype
    }


def test_nothing_to_export_is_one_sentence(material, tmp_path):
    trainer = Trainer(material, tmp_path / "run")
    process = trainer.start()
    assert wait_until((trainer.workdir / "checkpoints").is_dir, process)
    process.kill()
    status, said = trainer.start("--export-only").finish()
    assert status == 2
    assert said == f"nstjax: error: {trainer.workdir} has no checkpoint to export\n"
