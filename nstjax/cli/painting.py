"""One picture from the command line: progress, saves, Ctrl-C, resumption."""

import hashlib
import importlib.metadata
import json
import platform
import sys
from typing import Any

import numpy as np
from tqdm import tqdm

from nstjax import __version__, api
from nstjax.cli.jobs import Job
from nstjax.errors import NstjaxError
from nstjax.io.images import check_output, write_image
from nstjax.io.run_state import load_run_state, read_run_options, save_run_state
from nstjax.optimize.trace import Trace
from nstjax.per_image import Checkpoint, Outcome, Progress, state_template
from nstjax.registry import Encoder

_VERSIONED = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


class Interrupted(Exception):
    """A run ended early, with everything saved; the message says where."""


def paint(
    job: Job, leaves: dict[str, Any], encoder: Encoder, options: Any, tell: Any
) -> dict[str, Any]:
    """Makes one picture and writes it.

    Args:
        job: what to make.
        leaves: the method's options.
        encoder: its network.
        options: the command line's.
        tell: takes messages for the user.

    Returns:
        The run's record: options, versions, weights, every evaluation.

    Raises:
        Interrupted: after Ctrl-C, once the picture so far and the state to
            go on from have been written.
        NstjaxError: for anything that cannot be used.
    """
    plan = api.make_plan(
        job.content,
        job.styles,
        options=leaves,
        size=options.size,
        seed=options.seed,
        blend=options.style_blend,
        encoder=encoder,
    )
    replace = options.overwrite or options.resume
    check_output(job.output, overwrite=replace, size=plan.output_size)
    if plan.working_size != plan.output_size:
        height, width = plan.working_size
        tell(f"working at {width} x {height} pixels; --size asks for another size")
    fingerprint = _fingerprint(plan)
    checkpoint = _load(job, plan, fingerprint) if options.resume else None
    bar = tqdm(unit="eval", disable=options.quiet, file=sys.stderr, leave=False)
    saved = 0

    def on_progress(progress: Progress) -> None:
        nonlocal saved
        bar.total = progress.requested
        bar.set_postfix(loss=f"{progress.total:.4g}", refresh=False)
        bar.update(progress.evaluations - bar.n)
        every = options.save_every
        if every and progress.evaluations // every > saved:
            saved = progress.evaluations // every
            name = f"{job.output.stem}_{progress.evaluations:05d}{job.output.suffix}"
            write_image(
                job.output.with_name(name),
                api.finish(plan, progress.image()),
                overwrite=replace,
            )

    with bar:
        outcome = api.run(plan, on_progress=on_progress, checkpoint=checkpoint)
    write_image(job.output, api.finish(plan, outcome.image), overwrite=replace)
    if outcome.reason == "interrupted":
        _save(job, outcome.checkpoint, fingerprint)
        raise Interrupted(
            f"stopped; the picture so far is {job.output}, and the same command with "
            "--resume goes on"
        )
    job.state.unlink(missing_ok=True)
    if outcome.reason == "not_finite":
        tell(
            f"the loss stopped being a finite number after "
            f"{len(outcome.trace)} evaluations; {job.output} is the last good picture, "
            "and a lower learning rate or other weights may get further"
        )
    return _record(job, plan, outcome)


def _record(job: Job, plan: api.Plan, outcome: Outcome) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in _VERSIONED}
    return {
        "content": job.content,
        "styles": list(job.styles),
        "output": str(job.output),
        "size": list(plan.output_size),
        "working_size": list(plan.working_size),
        "seed": plan.seed,
        "style_blend": plan.blend,
        "options": _plain(plan.options),
        "versions": {"nstjax": __version__, "python": platform.python_version()}
        | versions,
        "weights": {
            plan.encoder.metadata.name: {"sha256": plan.encoder.sha256}
            | {"licence": plan.encoder.metadata.licence}
        },
        "reason": outcome.reason,
        "evaluations": outcome.trace.rows(),
    }


def _fingerprint(plan: api.Plan) -> dict[str, Any]:
    """All that a run's result depends on, as JSON data."""
    pictures = [plan.content, *plan.styles]
    if plan.init_image is not None:
        pictures.append(plan.init_image)
    return {
        "options": _plain(plan.options),
        "seed": plan.seed,
        "style_blend": plan.blend,
        "working_size": list(plan.working_size),
        "encoder": plan.encoder.sha256,
        "pictures": [hashlib.sha256(p.tobytes()).hexdigest() for p in pictures],
    }


def _plain(value: Any) -> Any:
    """Through JSON: tuples become lists, as they come back from a file."""
    return json.loads(json.dumps(value, default=str))


def _save(job: Job, checkpoint: Checkpoint, fingerprint: dict[str, Any]) -> None:
    save_run_state(
        job.state,
        checkpoint.state,
        options=fingerprint | {"stage": checkpoint.stage},
        trace=checkpoint.trace.to_arrays(),
    )


def _load(job: Job, plan: api.Plan, fingerprint: dict[str, Any]) -> Checkpoint | None:
    if not job.state.is_file():
        return None
    stage = read_run_options(job.state).get("stage")
    if not isinstance(stage, int):
        raise NstjaxError(f"{job.state} is damaged; start without --resume")
    state, trace = load_run_state(
        job.state,
        like=state_template(plan.options, plan.working_size, stage),
        options=fingerprint | {"stage": stage},
    )
    # Loaded as NumPy, which the engine takes as it is.
    trace = Trace.from_arrays({name: np.asarray(a) for name, a in trace.items()})
    return Checkpoint(stage, state, trace)
