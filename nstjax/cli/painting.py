"""Paints a picture from the command line: progress, saving, Ctrl-C, resuming."""

import hashlib
import importlib.metadata
import math
import platform
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nstjax import __version__
from nstjax.cli.jobs import Job
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.interrupts import Stopped, StopRequest
from nstjax.io.differences import as_json
from nstjax.io.exif import read_exif
from nstjax.io.images import check_output, write_image
from nstjax.io.run_state import load_run_state, read_run_options, save_run_state
from nstjax.methods import plan as planning
from nstjax.methods import styles as saved_styles
from nstjax.methods.base import Checkpoint, Outcome, Plan, Progress
from nstjax.methods.images import Style, disparity_pictures
from nstjax.methods.per_image import state_template
from nstjax.optimize.trace import Trace
from nstjax.weights.pretrained import Depth, load_depth

# The minimum seconds between two updates of a preview.
_PREVIEW_SECONDS = 2.0
_VERSIONED = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


class Interrupted(Exception):
    """Raised if a run ended early, with everything saved; the message says where.

    Attributes:
        status: the exit status for the command.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.status = Stopped(number or signal.SIGINT).status


def paint(
    job: Job,
    leaves: dict[str, Any],
    networks: Any,
    options: Any,
    tell: Any,
) -> dict[str, Any]:
    """Paints a picture and writes it.

    Args:
        job: the picture to paint.
        leaves: the method's options.
        networks: the method's networks.
        options: the command line's options.
        tell: called with messages for the user.

    Returns:
        The run's record: options, versions, weights, every evaluation.

    Raises:
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP, once the picture so far and
            the state for resuming have been written.
        NstjaxError: if anything cannot be used.
    """
    plan = plan_job(job, leaves, networks, options)
    replace = options.overwrite or options.resume
    # Loaded and checked now instead of after minutes of work.
    shown = _shown_depth(job, plan, replace=replace) if options.show_depth else None
    if plan.working_size != plan.output_size:
        height, width = plan.working_size
        tell(f"working at {width} x {height} pixels; choose another size with --size")
    if plan.method.in_one_pass:
        return _paint_at_once(job, plan, options, shown, replace=replace)
    fingerprint = _fingerprint(plan)
    checkpoint = _load(job, plan, fingerprint) if options.resume else None
    # Before the first evaluations, nothing is lost.
    with StopRequest(armed=False) as stop:
        outcome = _optimise(job, plan, options, checkpoint, stop, replace=replace)
        stop.armed = True
        image = planning.finish(plan, outcome.image)
        picture, how = to_write(job, plan, image, options)
        write_image(job.output, picture, overwrite=replace, **how)
        if outcome.checkpoint is not None:
            _save(job, outcome.checkpoint, fingerprint)
        else:
            job.state.unlink(missing_ok=True)
        if outcome.reason == "interrupted":
            raise Interrupted(
                f"stopped; the picture so far is {job.output}"
                + (
                    ""
                    if options.piped
                    else "; use the same command with --resume to continue"
                ),
                stop.requested,
            )
        _write_depth(job, plan, image, shown, replace=replace)
    assert outcome.trace is not None  # set by all methods that optimise
    if outcome.reason == "time_limit":
        tell(
            f"the time limit of {options.time_limit:g} s was reached after "
            f"{len(outcome.trace)} evaluations"
            + (
                ""
                if options.piped
                else "; use the same command with --resume to continue"
            )
        )
    if outcome.reason == "not_finite":
        tell(
            f"the loss was no longer finite after {len(outcome.trace)} evaluations; "
            f"{job.output} is the last good picture, and a lower learning rate or "
            "other weights may help"
        )
    if stop.requested:
        raise Interrupted(f"stopped; {job.output} is finished", stop.requested)
    return _record(job, plan, outcome)


def _optimise(
    job: Job,
    plan: Plan,
    options: Any,
    checkpoint: Checkpoint | None,
    stop: StopRequest,
    *,
    replace: bool,
) -> Outcome:
    """Optimises a picture, with a progress bar and intermediate pictures."""
    every = options.save_every or 0
    # Pictures due before the run was stopped already exist.
    made = checkpoint.trace.evaluations if checkpoint is not None else ()
    due = every * (1 + int(max(made, default=0)) // every) if every else 0
    previewed = -math.inf
    bar = tqdm(unit="eval", disable=options.quiet, file=sys.stderr, leave=False)

    def on_progress(progress: Progress) -> bool:
        nonlocal due, previewed
        stop.armed = True
        bar.total = progress.requested
        bar.set_postfix(loss=f"{progress.total:.4g}", refresh=False)
        bar.update(progress.evaluations - bar.n)
        if every and progress.evaluations >= due:
            due = every * (1 + progress.evaluations // every)
            show(progress, job.intermediate(progress.evaluations), replace)
        if options.preview and time.monotonic() >= previewed + _PREVIEW_SECONDS:
            show(progress, Path(options.preview), True)
            previewed = time.monotonic()
        return bool(stop.requested)

    def show(progress: Progress, path: Path, replaces: bool) -> None:
        try:
            image = planning.finish(plan, progress.image())
            picture, how = to_write(job, plan, image, options, path)
            write_image(path, picture, overwrite=replaces, **how)
        except NstjaxError as error:
            # The result is worth more than intermediate pictures.
            with bar.external_write_mode(file=sys.stderr):
                warnings.warn(str(error), NstjaxWarning, stacklevel=2)

    with bar:
        return planning.run(
            plan,
            on_progress=on_progress,
            tell_every=1 if options.preview else every,
            checkpoint=checkpoint,
        )


def plan_job(
    job: Job,
    leaves: dict[str, Any],
    networks: Any,
    options: Any,
    *,
    styles: Sequence[Style] | None = None,
) -> Plan:
    """Reads and checks what a picture needs, and that it can be written.

    Args:
        job, leaves, networks, options: see `paint`.
        styles: the job's styles, if already read.

    Raises:
        NstjaxError: if not.
    """
    plan = planning.make_plan(
        job.content,
        job.styles if styles is None else styles,
        options=leaves,
        size=options.size,
        seed=options.seed,
        blend=options.style_blend,
        masks=options.mask,
        max_memory=options.max_memory,
        background=options.background,
        networks=networks,
        time_limit=options.time_limit,
    )
    replace = options.overwrite or options.resume
    check_output(job.output, overwrite=replace, size=plan.output_size)
    if options.preview:
        going_on = options.overwrite or (options.resume and job.state.is_file())
        check_output(options.preview, overwrite=going_on, size=plan.output_size)
    return plan


def to_write(
    job: Job, plan: Plan, image: np.ndarray, options: Any, path: Path | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """A finished picture, prepared for its file.

    Args:
        job, plan, options: those of the picture.
        image: from `nstjax.methods.plan.finish`.
        path: the file; by default the job's output.

    Returns:
        The picture, with the content's opacity if the format supports it; and further
        arguments for `nstjax.io.images.write_image`.
    """
    how: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("quality", "chroma")
        if getattr(options, name) is not None
    }
    if options.exif not in (None, "drop") and Path(job.content).is_file():
        how["exif"] = read_exif(job.content, location=options.exif == "keep")
    return planning.with_opacity(plan, image, path or job.output), how


def save_style(job: Job, plan: Plan, options: Any) -> None:
    """Saves the plan's only style, once for any number of pictures."""
    path, (style,) = Path(options.save_style), plan.styles
    if path.exists() and not options.overwrite:
        return
    # Without folders, since a style may be shared.
    how: dict[str, Any] = {"name": Path(job.styles[0]).stem, "networks": plan.networks}
    if plan.options["stroke_scale"] is not None or plan.options["style_scale"] != 1:
        how["short_side"] = planning.style_side(plan)
    saved = saved_styles.make_style(style, **how)
    saved_styles.save_style(path, saved, overwrite=options.overwrite)


def save_style_of(
    job: Job, leaves: dict[str, Any], networks: Any, options: Any
) -> None:
    """Saves the style of a job whose picture already exists."""
    plan = planning.make_plan(
        job.content,
        job.styles,
        options=leaves,
        size=options.size,
        background=options.background,
        networks=networks,
    )
    save_style(job, plan, options)


def is_made_elsewhere(job: Job, options: Any) -> bool:
    """Whether another process has painted a picture since the run began."""
    return not (options.overwrite or options.resume) and job.output.exists()


def write_at_once(job: Job, plan: Plan, image: np.ndarray, options: Any) -> np.ndarray:
    """Writes the result of a feed-forward method; returns the finished picture."""
    finished = planning.finish(plan, image)
    picture, how = to_write(job, plan, finished, options)
    replace = options.overwrite or options.resume
    write_image(job.output, picture, overwrite=replace, **how)
    if options.overwrite:
        # The state of a run whose picture has just been replaced.
        job.state.unlink(missing_ok=True)
    return finished


def _paint_at_once(
    job: Job,
    plan: Plan,
    options: Any,
    shown: Depth | None,
    *,
    replace: bool,
) -> dict[str, Any]:
    if options.save_style:
        save_style(job, plan, options)
    hidden = options.quiet or plan.tiling is None
    bar = tqdm(unit="tile", disable=hidden, file=sys.stderr, leave=False)

    def on_tile(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        outcome = planning.run(plan, on_tile=on_tile)
    image = write_at_once(job, plan, outcome.image, options)
    _write_depth(job, plan, image, shown, replace=replace)
    return _record(job, plan, outcome) if options.trace or options.json else {}


def _shown_depth(job: Job, plan: Plan, *, replace: bool) -> Depth:
    for path in job.disparities:
        check_output(path, overwrite=replace)
    return plan.depth or load_depth(plan.options["depth_model"])


def _write_depth(
    job: Job, plan: Plan, image: np.ndarray, depth: Depth | None, *, replace: bool
) -> None:
    if depth is not None:
        pictures = disparity_pictures(plan.content, image, depth=depth)
        for path, picture in zip(job.disparities, pictures, strict=True):
            write_image(path, picture, overwrite=replace)


def _record(job: Job, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in _VERSIONED}
    return {
        "content": job.content,
        "styles": list(job.styles),
        "output": str(job.output),
        "size": list(plan.output_size),
        "working_size": list(plan.working_size),
        "seed": plan.seed,
        "style_blend": plan.blend,
        "options": as_json(plan.options),
        "versions": {"nstjax": __version__, "python": platform.python_version()}
        | versions,
        "weights": {
            network.metadata.name: {"sha256": network.sha256}
            | {"licence": network.metadata.licence}
            for network in plan.method.networks_used(plan)
        },
        "reason": outcome.reason,
        "evaluations": [] if outcome.trace is None else outcome.trace.rows(),
    }


def _fingerprint(plan: Plan) -> dict[str, Any]:
    """Everything that a run's result depends on, as JSON data."""
    pictures = [plan.content, *plan.style_pictures]
    if plan.init_image is not None and plan.options["init"] != "adain":
        pictures.append(plan.init_image)
    return {
        "options": as_json(plan.options),
        "seed": plan.seed,
        "style_blend": plan.blend,
        "working_size": list(plan.working_size),
        "encoder": plan.networks.sha256,
        "depth": plan.depth and plan.depth.sha256,
        "pictures": [hashlib.sha256(p.tobytes()).hexdigest() for p in pictures],
    }


def _save(job: Job, checkpoint: Checkpoint, fingerprint: dict[str, Any]) -> None:
    save_run_state(
        job.state,
        checkpoint.state,
        options=fingerprint | {"stage": checkpoint.stage},
        trace=checkpoint.trace.to_arrays(),
    )


def _without_news(fingerprint: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Removes options from a fingerprint that an older release lacked and are unused.

    Terms of weight 0 have no effect, nor has the temporal term for a single picture,
    nor a stroke scale or a rounding of odd sides that is not given.
    """
    known = saved.get("options")
    if not isinstance(known, dict):
        return fingerprint
    options = {
        name: value
        for name, value in fingerprint["options"].items()
        if name in known
        or not name.endswith(("_weight", "stroke_scale", "rounding"))
        or (value and name != "temporal_weight")
    }
    return fingerprint | {"options": options}


def _load(job: Job, plan: Plan, fingerprint: dict[str, Any]) -> Checkpoint | None:
    if not job.state.is_file():
        return None
    saved = read_run_options(job.state)
    stage = saved.get("stage")
    if not isinstance(stage, int):
        raise NstjaxError(f"{job.state} is damaged; start without --resume")
    state, arrays = load_run_state(
        job.state,
        like=state_template(plan.options, plan.working_size, stage),
        options=_without_news(fingerprint, saved) | {"stage": stage},
    )
    # Loaded as NumPy arrays, which the engine accepts.
    trace = Trace.from_arrays({name: np.asarray(a) for name, a in arrays.items()})
    return Checkpoint(stage, state, trace)
