"""A whole training run: data, steps, validation, checkpoints, logs, export."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.checkpoints import Checkpoints
from nstjax.io.datasets import CorruptCounter, fixed_batches, make_batches
from nstjax.io.files import write_atomically
from nstjax.io.weights import save_weights
from nstjax.sharding import batch_sharded, make_data_mesh, replicated
from nstjax.tasks.interrupt import StopRequest
from nstjax.tasks.task import Task
from nstjax.training.schedules import make_optimizer, make_schedule
from nstjax.training.step import (
    TrainState,
    init_state,
    make_eval_step,
    make_train_step,
)

# Leaves that may differ between a run and its resumption: they change how
# long and how it is watched, not what is computed at a step.
_MAY_CHANGE = ("log_every", "checkpoint_every", "keep", "threads")


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a run tells its watcher after some steps.

    Attributes:
        step: steps done, of `steps`.
        report: scalars by name; names with "validation/" in front are those
            of the held-out pictures.
        images_per_second: of all devices, since the last report.
        corrupt: training pictures skipped so far.
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
    """Trains, or goes on training, until ``config.steps``; then exports.

    Everything goes into `workdir`: ``config.json``, ``checkpoints/`` and
    ``<config.name>.safetensors``. A folder with checkpoints is resumed, to
    the same result as if it had never been interrupted.

    Args:
        task: what to train.
        config: see ``configs/common.py``.
        workdir: the run's folder.
        on_progress: called every ``config.log_every`` steps and at every
            validation.
        recipe: the command, for the exported file's metadata.

    Returns:
        The exported file.

    Raises:
        NstjaxError: if the folder belongs to a run with other settings, or
            the loss stops being finite.
        KeyboardInterrupt: on Ctrl-C, once a checkpoint has been written.
    """
    workdir = Path(workdir)
    _claim(workdir, config)
    mesh = make_data_mesh()
    if config.batch_size % mesh.size:
        raise NstjaxError(
            f"a batch of {config.batch_size} cannot be split over {mesh.size} devices; "
            "choose a multiple with --config.batch_size"
        )
    schedule = make_schedule(
        config.schedule,
        learning_rate=config.learning_rate,
        steps=max(config.schedule_steps or config.steps, 1) // config.accumulate_steps,
        warmup_steps=config.warmup_steps,
        decay_rate=config.decay_rate,
    )
    optimizer = make_optimizer(
        schedule,
        clip_norm=config.clip_norm,
        accumulate_steps=config.accumulate_steps,
    )
    options = {"mesh": mesh, "compute_dtype": config.compute_dtype}
    train_step = make_train_step(
        task.loss,
        optimizer,
        seed=config.seed,
        average_decay=config.average_decay,
        **options,
    )
    eval_step = make_eval_step(task.loss, **options)
    everywhere = replicated(mesh)
    frozen = jax.device_put(task.frozen, everywhere)
    to_device = _Placer(mesh, config.batch_size)
    held_out = [
        to_device(to_device.local_rows(batch))
        for batch in fixed_batches(
            task.validation,
            batch_size=config.batch_size,
            count=config.validation_batches,
        )
    ]

    def validate(state: TrainState) -> dict[str, float]:
        key = jax.device_put(jax.random.key(0), everywhere)
        reports = [eval_step(state.average, frozen, batch, key) for batch in held_out]
        names = reports[0]
        return {n: float(np.mean([report[n] for report in reports])) for n in names}

    corrupt = CorruptCounter()
    with Checkpoints(workdir / "checkpoints", keep=config.keep) as checkpoints:
        params = task.init(jax.random.key(config.seed))
        latest = checkpoints.latest_step
        if latest is None and task.begin is not None:
            params = task.begin(params)
        state = jax.device_put(init_state(params, optimizer), everywhere)
        if latest is not None:
            state = checkpoints.restore(latest, state)
        step = done = int(state.step)
        batches = make_batches(
            task.training,
            batch_size=config.batch_size,
            seed=config.seed,
            start=step,
            threads=config.threads,
            process=jax.process_index(),
            processes=jax.process_count(),
            corrupt=corrupt,
        )

        def progress(report, sample=None):
            nonlocal clock, done
            now = time.perf_counter()
            speed = (step - done) * config.batch_size / max(now - clock, 1e-9)
            clock, done = now, step
            on_progress(
                Progress(step, config.steps, report, speed, len(corrupt.names), sample)
            )

        def checkpoint():
            report = validate(state)
            checkpoints.save(step, state, validation=report["total"])
            sample = None
            if task.sample is not None:
                sample = np.asarray(task.sample(state.average, frozen, held_out[0]))
            progress({f"validation/{n}": v for n, v in report.items()}, sample)

        clock = time.perf_counter()
        with StopRequest() as stop:
            while step < config.steps:
                state, report = train_step(state, frozen, to_device(next(batches)))
                step += 1
                last = step == config.steps or stop.requested
                if step % config.log_every == 0 or last:
                    values = {name: float(value) for name, value in report.items()}
                    if not np.isfinite(values["total"]):
                        raise NstjaxError(
                            f"the loss is {values['total']} after step {step}; resume "
                            "from the last checkpoint with a lower learning rate"
                        )
                    progress(values | {"learning_rate": _rate(schedule, step, config)})
                if step % config.checkpoint_every == 0 or last:
                    checkpoint()
                if stop.requested:
                    raise KeyboardInterrupt
    return export(task, config, workdir, recipe=recipe)


def export(task: Task, config: ConfigDict, workdir: str | Path, *, recipe: str) -> Path:
    """Writes the averaged weights of the best checkpoint as one file.

    Raises:
        NstjaxError: if the folder has no checkpoint.
    """
    workdir = Path(workdir)
    optimizer = make_optimizer(
        lambda step: 0.0,
        clip_norm=config.clip_norm,
        accumulate_steps=config.accumulate_steps,
    )
    like = jax.eval_shape(
        lambda key: init_state(task.init(key), optimizer), jax.random.key(0)
    )
    everywhere = replicated(make_data_mesh())
    like = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
        like,
    )
    with Checkpoints(workdir / "checkpoints", keep=config.keep) as checkpoints:
        step = checkpoints.best_step
        if step is None:
            raise NstjaxError(f"{workdir} has no checkpoint to export")
        state = checkpoints.restore(step, like)
    params, metadata = task.export(jax.device_get(state.average), recipe)
    notes = dict(metadata.notes) | {"step": step, "config": json_config(config)}
    path = workdir / f"{config.name}.safetensors"
    if jax.process_index() == 0:
        save_weights(
            path,
            params,
            dataclasses.replace(metadata, notes=notes),
            dtype=config.export_dtype,
            overwrite=True,
        )
    return path


def json_config(config: ConfigDict) -> dict[str, Any]:
    """A config as plain data."""
    return json.loads(config.to_json_best_effort())


def _rate(schedule: Callable, step: int, config: ConfigDict) -> float:
    return float(schedule((step - 1) // config.accumulate_steps))


def _claim(workdir: Path, config: ConfigDict) -> None:
    """Refuses a folder whose checkpoints another configuration made."""
    mine = json_config(config)
    note = workdir / "config.json"
    if note.is_file():
        theirs = json.loads(note.read_text())
        # A run may be prolonged unless its learning rate was to end at `steps`.
        bound = config.schedule == "cosine" and not config.schedule_steps
        may_change = _MAY_CHANGE if bound else (*_MAY_CHANGE, "steps")
        names = sorted(
            name
            for name in mine.keys() | theirs.keys()
            if name not in may_change and mine.get(name) != theirs.get(name)
        )
        if names:
            raise NstjaxError(
                f"{workdir} holds a run with another {', '.join(names)}; resume it "
                "with the same settings or choose another --workdir"
            )
    elif (workdir / "checkpoints").exists():
        raise NstjaxError(
            f"{workdir} has checkpoints but no config.json; choose another --workdir"
        )
    if jax.process_index() == 0:
        write_atomically(
            note, (json.dumps(mine, indent=2) + "\n").encode(), overwrite=True
        )


class _Placer:
    """Puts this host's rows of a batch onto its devices."""

    def __init__(self, mesh: jax.sharding.Mesh, batch_size: int) -> None:
        self._sharding = batch_sharded(mesh)
        self._batch_size = batch_size

    def local_rows(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = self._batch_size // jax.process_count()
        first = jax.process_index() * rows
        return {name: value[first : first + rows] for name, value in batch.items()}

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        return {
            name: jax.make_array_from_process_local_data(self._sharding, value)
            for name, value in batch.items()
        }
