"""A whole training run: data, steps, validation, checkpoints, logs, export."""

import dataclasses
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.interrupts import Stopped, StopRequest
from nstjax.io.checkpoints import Checkpoints
from nstjax.io.datasets import fixed_batches, make_batches
from nstjax.io.files import write_atomically
from nstjax.io.weights import save_weights
from nstjax.ops.cpu.xla import options_for_long_runs
from nstjax.sharding import (
    batch_sharded,
    local_rows,
    make_data_mesh,
    of_all_hosts,
    replicated,
)
from nstjax.training import workdirs
from nstjax.training.schedules import make_optimizer, make_schedule
from nstjax.training.step import (
    TrainState,
    init_state,
    make_eval_step,
    make_train_step,
)
from nstjax.training.task import Task
from nstjax.types import Terms

# The number of steps from which a faster step is worth compiling.
_LONG = 1000


@dataclasses.dataclass(frozen=True)
class Progress:
    """A run's report to its watcher, at its start and then after some steps.

    Attributes:
        step: steps done, of `steps`.
        report: scalars by name; names that start with "validation/" belong to the
            held-out pictures. Empty at the start.
        images_per_second: the speed of all devices together, since the last report.
        corrupt: the number of training pictures skipped so far.
        sample: pictures [B, H, W, 3] to look at, or None.
    """

    step: int
    steps: int
    report: Mapping[str, float]
    images_per_second: float
    corrupt: int
    sample: np.ndarray | None = None


def train(
    task: Task,
    config: ConfigDict,
    workdir: str | Path,
    *,
    on_progress: Callable[[Progress], None],
    recipe: str,
) -> Path:
    """Starts or continues training until ``config.steps``; then exports.

    Everything goes into `workdir`: ``config.json``, ``checkpoints/``,
    ``<config.name>.safetensors`` and, if pictures had to be skipped, their names in
    ``unreadable.txt``. A folder with checkpoints is resumed, with the same result as an
    uninterrupted run.

    Args:
        task: what to train.
        config: see ``configs/common.py``; `check_settings` must have passed.
        workdir: the run's folder.
        on_progress: called at the start, every ``config.log_every`` steps and
            at every validation.
        recipe: the command, for the metadata of the exported file.

    Returns:
        The exported file.

    Raises:
        NstjaxError: if the folder belongs to a run with other settings, the batch
            cannot be split over the devices, or the loss is no longer finite.
        Stopped: on Ctrl-C, SIGTERM or SIGHUP, once a checkpoint has been written.
    """
    workdir = Path(workdir)
    mesh = make_data_mesh()
    if config.batch_size % mesh.size:
        raise NstjaxError(
            f"a batch of {config.batch_size} cannot be split over {mesh.size} devices; "
            "choose a multiple with --config.batch_size"
        )
    _check_hosts(mesh)
    workdirs.check(workdir, config)
    # Also, every process must have looked before the first one writes.
    _compare_hosts(task, config, mesh)
    with Checkpoints(workdir / workdirs.CHECKPOINTS, keep=config.keep) as checkpoints:
        run = _Run(task, config, mesh, checkpoints)
        clock, done = time.perf_counter(), run.step

        def progress(report: Mapping[str, float], sample: Any = None) -> None:
            nonlocal clock, done
            now = time.perf_counter()
            speed = (run.step - done) * config.batch_size / max(now - clock, 1e-9)
            clock, done = now, run.step
            skipped = len(run.corrupt)
            on_progress(
                Progress(run.step, config.steps, report, speed, skipped, sample)
            )

        progress({})
        claimed = False
        with StopRequest() as request, run:
            while run.step < config.steps:
                report = run.advance()
                last = run.step == config.steps
                logs = last or run.step % config.log_every == 0
                stop = _agree(bool(request.requested), mesh, now=logs)
                if logs or stop:
                    progress(run.to_numbers(report) | {"learning_rate": run.rate})
                checks = last or run.step % config.checkpoint_every == 0
                if checks or stop:
                    # A stop does not wait for a validation, which may need compiling.
                    # The checkpoint is not a candidate for the best one, since it would
                    # not exist without the stop.
                    validation = run.validate() if checks else {}
                    # Only when there is something to continue from, so that a failed
                    # start leaves the folder free.
                    if not claimed and jax.process_index() == 0:
                        workdirs.claim(workdir, config)
                    claimed = True
                    checkpoints.save(
                        run.step,
                        run.state,
                        validation=validation.get("total", np.inf),
                    )
                    if checks:
                        names = {f"validation/{n}": v for n, v in validation.items()}
                        progress(names, run.sample())
                    _note_unreadable(workdir, run.corrupt)
                if stop:
                    raise Stopped(request.requested or signal.SIGINT)
    return export(task, config, workdir, recipe=recipe)


def export(task: Task, config: ConfigDict, workdir: str | Path, *, recipe: str) -> Path:
    """Writes the averaged weights of the best checkpoint as one file.

    Raises:
        NstjaxError: if the folder has no checkpoint, or belongs to a run with other
            settings.
    """
    workdir = Path(workdir)
    workdirs.check(workdir, config)
    folder = workdir / workdirs.CHECKPOINTS
    if not folder.is_dir():
        raise NstjaxError(f"{workdir} has no checkpoint to export")
    with Checkpoints(folder, keep=config.keep, clean=False) as checkpoints:
        step = checkpoints.best_step
        if step is None:
            raise NstjaxError(f"{workdir} has no checkpoint to export")
        optimizer, _ = _make_optimizer(config)
        like = _abstract_state(task, optimizer, make_data_mesh())
        state = checkpoints.restore(step, like)
    path = workdir / f"{config.name}.safetensors"
    try:
        if jax.process_index() == 0:
            params, metadata = task.export(jax.device_get(state.average), recipe)
            notes = {"step": step, "config": workdirs.json_config(config)}
            save_weights(
                path,
                params,
                dataclasses.replace(metadata, notes=dict(metadata.notes) | notes),
                dtype=config.export_dtype,
                overwrite=True,
            )
    finally:
        if jax.process_count() > 1:
            # The next stage starts from this file, on every host.
            of_all_hosts(make_data_mesh(), np.zeros((), np.int32))
    return path


class _Run:
    """A run between two steps: its state, and everything needed to continue.

    Attributes:
        state: new, or restored from the newest checkpoint.
        step: batches seen; ``state.step`` on the host.
        corrupt: names of the training pictures that could not be read.
    """

    def __init__(
        self, task: Task, config: ConfigDict, mesh: Mesh, checkpoints: Checkpoints
    ) -> None:
        self._config, self._mesh = config, mesh
        everywhere, split = replicated(mesh), batch_sharded(mesh)
        optimizer, self._schedule = _make_optimizer(config)
        self._train_step = make_train_step(
            task.loss,
            optimizer,
            seed=config.seed,
            average_decay=config.average_decay,
            accumulate_steps=config.accumulate_steps,
            compiler_options=options_for_long_runs() if config.steps >= _LONG else None,
            mesh=mesh,
        )
        self._eval_step = make_eval_step(task.loss, mesh=mesh)
        self._sample = task.sample and jax.jit(
            task.sample,
            in_shardings=(everywhere, everywhere, split),
            out_shardings=everywhere,
        )
        self._frozen = jax.device_put(task.frozen, everywhere)
        self._rows = first, end = local_rows(mesh, config.batch_size)
        self._held_out = [
            self._to_devices({name: v[first:end] for name, v in batch.items()})
            for batch in fixed_batches(
                task.validation,
                batch_size=config.batch_size,
                count=config.validation_batches,
            )
        ]
        latest = checkpoints.latest_step
        if latest is None:
            params = jax.jit(task.init)(jax.random.key(config.seed))
            if task.begin is not None:
                params = task.begin(params)
            self.state = jax.device_put(init_state(params, optimizer), everywhere)
        else:
            like = _abstract_state(task, optimizer, mesh)
            self.state = checkpoints.restore(latest, like)
        self.step = int(self.state.step)
        self.corrupt: set[str] = set()
        self._batches = make_batches(
            task.training,
            batch_size=config.batch_size,
            seed=config.seed,
            start=self.step,
            threads=config.threads,
            workers=config.workers,
            rows=self._rows,
            corrupt=self.corrupt,
        )

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the reading threads and processes."""
        self._batches.close()

    @property
    def rate(self) -> float:
        """The learning rate of the latest step."""
        every = self._config.accumulate_steps
        return float(self._schedule((self.step - 1) // every * every))

    def advance(self) -> Terms:
        """Makes one step; its report may not be computed yet."""
        batch = self._to_devices(next(self._batches))
        self.state, report = self._train_step(self.state, self._frozen, batch)
        self.step += 1
        return report

    def validate(self) -> dict[str, float]:
        """The mean report over the held-out batches, with the averaged weights."""
        reports = [
            self.to_numbers(self._eval_step(self.state.average, self._frozen, batch))
            for batch in self._held_out
        ]
        return {n: float(np.mean([r[n] for r in reports])) for n in reports[0]}

    def sample(self) -> np.ndarray | None:
        """The result for the first held-out batch, with the averaged weights."""
        if self._sample is None:
            return None
        return np.asarray(
            self._sample(self.state.average, self._frozen, self._held_out[0])
        )

    def to_numbers(self, report: Terms) -> dict[str, float]:
        """Waits for a report.

        Raises:
            NstjaxError: if the total is not finite.
        """
        values = {name: float(value) for name, value in report.items()}
        if not np.isfinite(values["total"]):
            raise NstjaxError(
                f"the loss is {values['total']} after step {self.step}; start again "
                "with a lower --config.learning_rate or with --config.clip_norm=1"
            )
        return values

    def _to_devices(self, rows: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Transfers this host's rows of a batch to its devices."""
        split, (first, _) = batch_sharded(self._mesh), self._rows

        def put(value: np.ndarray) -> jax.Array:
            shape = (self._config.batch_size, *value.shape[1:])

            def of_device(place: Any) -> np.ndarray:
                return value[_moved(place[0], first)]

            return jax.make_array_from_callback(shape, split, of_device)

        return {name: put(value) for name, value in rows.items()}


def _make_optimizer(
    config: ConfigDict,
) -> tuple[optax.GradientTransformation, Callable[[int], Any]]:
    schedule = make_schedule(
        config.schedule,
        learning_rate=config.learning_rate,
        steps=config.schedule_steps or config.steps,
        warmup_steps=config.warmup_steps,
        decay_rate=config.decay_rate,
    )
    optimizer = make_optimizer(
        schedule,
        name=config.optimizer,
        clip_norm=config.clip_norm,
        accumulate_steps=config.accumulate_steps,
    )
    return optimizer, schedule


def _abstract_state(
    task: Task, optimizer: optax.GradientTransformation, mesh: Mesh
) -> TrainState:
    """Shapes, dtypes and shardings of the state, without computing it."""
    everywhere = replicated(mesh)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
        jax.eval_shape(
            lambda key: init_state(task.init(key), optimizer), jax.random.key(0)
        ),
    )


def _moved(rows: slice, first: int) -> slice:
    """Converts rows of a whole batch to positions among those starting at `first`."""
    return slice((rows.start or 0) - first, rows.stop and rows.stop - first)


def _check_hosts(mesh: Mesh) -> None:
    """Raises NstjaxError if hosts have different numbers of devices.

    jax's barrier, on which orbax relies for checkpoints, would fail.
    """
    counts = Counter(device.process_index for device in mesh.devices.flat)
    if len(set(counts.values())) > 1:
        found = ", ".join(str(counts[host]) for host in sorted(counts))
        raise NstjaxError(
            f"the processes have {found} devices, but checkpoints need the same "
            "number in each; start one process for each device"
        )


def _compare_hosts(task: Task, config: ConfigDict, mesh: Mesh) -> None:
    """Checks that all hosts have the same task and pictures.

    Otherwise, hosts would silently shuffle different lists.
    """
    if jax.process_count() == 1:
        return
    settings = bytes.fromhex(workdirs.fingerprint(config))
    # A recipe may weight its pictures by measurements, so a picture that a host cannot
    # read changes how often others are drawn.
    counts = [len(stream.source) for stream in task.training.values()]
    mine = np.append(np.frombuffer(settings, np.int32), np.array(counts, np.int32))
    hosts = of_all_hosts(mesh, mine)
    others = [number for number, row in hosts.items() if (row != hosts[0]).any()]
    if others:
        raise NstjaxError(
            f"process {', '.join(map(str, others))} has different settings or "
            "pictures from process 0; give all of them the same options and the same "
            "files"
        )


def _agree(requested: bool, mesh: Mesh, *, now: bool) -> bool:
    """Whether to stop, with the same answer on all hosts after the same step.

    Several hosts communicate only if `now`, at steps that wait for the loss anyway.
    """
    if jax.process_count() == 1:
        return requested
    return now and any(of_all_hosts(mesh, np.array(requested, np.int32)).values())


def _note_unreadable(workdir: Path, corrupt: set[str]) -> None:
    """Adds names to those of earlier runs; of several hosts, only the first writes."""
    if corrupt and jax.process_index() == 0:
        file = workdir / "unreadable.txt"
        try:
            before = file.read_text().splitlines() if file.is_file() else []
            text = "".join(f"{name}\n" for name in sorted(corrupt.union(before)))
            write_atomically(file, text, overwrite=True)
        except (NstjaxError, OSError, UnicodeError) as error:
            warnings.warn(str(error), NstjaxWarning, stacklevel=2)
