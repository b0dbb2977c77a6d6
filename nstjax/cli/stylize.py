"""``nstjax stylize``: paints a picture, or a folder, in the style of another."""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nstjax.cli.clips import stylize_clip, wants_clip
from nstjax.cli.cluster import paint_on_cluster
from nstjax.cli.collector import without_collection
from nstjax.cli.errors import USAGE_ERROR, reports_errors
from nstjax.cli.options import SHEETS, make_parser
from nstjax.cli.pipes import Pipes
from nstjax.cli.reports import Reports
from nstjax.errors import NstjaxError, NstjaxWarning, describe
from nstjax.ops.cpu import xla
from nstjax.weights.store.compile_cache import set_compile_cache

_METHOD = "adain"
_STYLES, _METHODS = SHEETS
_DEMONSTRATION = {"content": ["chelsea"], "style": ["night"]}

# Command-line options that are entries of the method's config.
_LEAVES = (
    "iterations",
    "optimizer",
    "init",
    "content_weight",
    "style_weight",
    "lap_weight",
    "tv_weight",
    "depth_weight",
    "depth_model",
    "encoder",
    "decoder",
    "alpha",
    "style_scale",
    "stroke_scale",
    "patch_size",
    "stride",
    "preserve_color",
)


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options, overrides = make_parser().parse_known_args(arguments)
    _check_options(options, overrides)
    xla.set_flags()
    set_compile_cache(use=not options.no_compile_cache)
    pipes = Pipes()

    def tell(message: str) -> None:
        if not options.quiet:
            print(pipes.name(message), file=sys.stderr)

    reports = Reports(active=options.json, seed=options.seed, name=pipes.name)
    with pipes.opened(options):
        try:
            if options.sheet:
                return _paint_sheet(options, overrides, reports, tell)
            leaves = _read_leaves(options, overrides)
            if options.cluster:
                return paint_on_cluster(options, overrides, _changes(options), tell)
            reports.method = leaves["method"]
            return _paint(options, leaves, reports, tell)
        except Exception as error:
            reason = describe(error)
            reports.refused(options.content, options.style, options.output, reason)
            raise


def _check_options(options: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Does the checks that need no further imports, and fills in the demonstration."""
    for number, argument in enumerate(overrides):
        if not argument.startswith("-") and not _is_value(overrides, number):
            raise NstjaxError(
                f"{argument!r} does not belong to an option; give pictures and "
                "folders with --content"
            )
        if argument.startswith("-") and not argument.startswith("--config."):
            raise NstjaxError(
                f"there is no option {argument!r}; --help lists the options"
            )
    if options.content is None and options.style is None:
        options.content = list(_DEMONSTRATION["content"])
        options.style = list(_DEMONSTRATION["style"])
        if options.sheet == _STYLES:
            options.style = []
    if options.style is None and options.sheet == _STYLES:
        options.style = []
    if options.config and options.method:
        raise NstjaxError(
            "give --method or --config, not both: a config names its method"
        )
    if options.config and options.preset:
        raise NstjaxError(
            "give --preset or --config, not both: a config names its preset itself, as "
            "in --config gatys:paper"
        )
    for name in ("workers", "results"):
        if getattr(options, name) is not None and not options.cluster:
            raise NstjaxError(f"--{name} needs --cluster")
    if options.cluster and options.style is None:
        options.style = []  # a manifest may name its own
    for name in ("content", "style"):
        if getattr(options, name) is None:
            raise NstjaxError(f"--{name} is missing: name a picture")
    for name in ("content", "style", "mask"):
        if "" in (getattr(options, name) or ()):
            raise NstjaxError(f"--{name} was given an empty name: name a picture")
    for name, value in vars(options).items():
        if value == "":  # for example from an unset shell variable
            raise NstjaxError(f"--{name.replace('_', '-')} was given an empty value")
    if options.sheet_columns and not options.sheet:
        raise NstjaxError("--sheet-columns needs --sheet")
    if options.sheet == _METHODS:
        given = [f"--{n}" for n in ("method", "config", "preset") if vars(options)[n]]
        if given or overrides:
            raise NstjaxError(
                f"{[*given, *overrides][0]} applies to one method, but --sheet "
                "methods uses all of them"
            )


def _read_leaves(
    options: argparse.Namespace, overrides: Sequence[str]
) -> dict[str, Any]:
    # Imported here, so that --help and errors in options are fast.
    from nstjax.methods.options import method_options

    masks = options.mask or ()
    leaves = method_options(
        options.method or _METHOD,
        options.preset or "best",
        config=options.config,
        config_overrides=overrides,
        options=_changes(options),
    )
    seen = leaves.get("depth_weight") or options.show_depth or "depth" in masks
    if options.depth_model and not seen:
        raise NstjaxError(
            "--depth-model needs --depth-weight, gatys-depth, --mask depth or "
            f"--show-depth; {leaves['method']} alone does not use depth"
        )
    return leaves


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in _LEAVES}


def _paint_sheet(
    options: argparse.Namespace, overrides: Sequence[str], reports: Reports, tell
) -> int:
    from nstjax.cli.sheets import method_cells, paint_sheet, style_cells

    if options.sheet == _METHODS:
        cells = method_cells(options.style, _changes(options))
    else:
        cells = style_cells(options.style, _read_leaves(options, overrides))
    methods = list(dict.fromkeys(cell.leaves["method"] for cell in cells))
    reports.method = methods[0] if len(methods) == 1 else methods
    return paint_sheet(cells, options, tell, reports)


def _paint(
    options: argparse.Namespace, leaves: dict[str, Any], reports: Reports, tell
) -> int:
    from nstjax.cli.jobs import plan_jobs
    from nstjax.methods.table import method_of

    if wants_clip(options):
        return stylize_clip(options, leaves, tell, reports)
    jobs, there = plan_jobs(
        options.content,
        options.style,
        options.output,
        method=leaves["method"],
        overwrite=options.overwrite,
        resume=options.resume,
        format=options.format,
    )
    if options.trace and len(jobs) + len(there) > 1:
        raise NstjaxError("--trace describes one picture, not several")
    if options.preview and len(jobs) + len(there) > 1:
        raise NstjaxError("--preview shows one picture, not several")
    if method_of(leaves).in_one_pass:
        for name, given in (
            ("--resume", options.resume),
            ("--save-every", options.save_every),
            ("--preview", options.preview),
            ("--time-limit", options.time_limit),
        ):
            if given:
                raise NstjaxError(
                    f"{name} is for methods that optimise; {leaves['method']} paints "
                    "in a single pass"
                )
    _check_saving(jobs, options)
    if options.style_blend:
        from nstjax.methods.plan import check_blend

        for count in {len(job.styles) for job in jobs}:
            check_blend(options.style_blend, styles=count)
    if options.trace:
        _check_trace(jobs, options)
    if options.save_style:
        _check_save_style(jobs, there, leaves, options)
        if there and not options.overwrite and Path(options.save_style).exists():
            tell(f"{options.save_style} already exists and is kept")
    _check_outputs(jobs, leaves, options)
    for job in there:
        reports.there(job)
    if there:
        tell(f"{len(there)} pictures already existed")
    if unfinished := sum(job.state.is_file() for job in there):
        tell(f"{unfinished} of them are unfinished; use --resume to continue them")
    return _run_jobs(jobs, there, leaves, options, tell, reports)


def _run_jobs(
    jobs, there, leaves: dict[str, Any], options, tell, reports: Reports
) -> int:
    with without_collection():
        from nstjax.cli.painting import (
            Interrupted,
            is_made_elsewhere,
            paint,
            save_style_of,
        )
        from nstjax.methods.plan import load_networks

        networks = load_networks(leaves)
    if options.save_style and not jobs and there:
        save_style_of(there[0], leaves, networks, options)
    batch_size = _batch_size(jobs, leaves, options)
    if batch_size:
        from nstjax.cli.batches import paint_all

        failed = paint_all(
            jobs, leaves, networks, options, tell, reports, batch_size=batch_size
        )
        return _status(failed, len(jobs))
    failed = 0
    for number, job in enumerate(jobs, start=1):
        if len(jobs) > 1:
            tell(f"{number} of {len(jobs)}: {job.output}")
        begin = time.perf_counter()
        try:
            record = paint(job, leaves, networks, options, tell)
        except Interrupted as stop:
            tell(str(stop))
            reports.failed(job, str(stop))
            return stop.status
        except Exception as error:
            # For any reason. Existing outputs are refused before painting.
            if len(jobs) > 1 and is_made_elsewhere(job, options):
                tell(f"{job.output} was made by another process in the meantime")
                reports.there(job)
                continue
            reason = describe(error)
            reports.failed(job, reason)
            if len(jobs) == 1:
                raise
            # A picture that fails does not stop the others.
            print(
                f"nstjax: error: {job.output} could not be made: {reason}",
                file=sys.stderr,
            )
            failed += 1
            continue
        seconds = time.perf_counter() - begin
        tell(f"wrote {job.output} in {seconds:.1f} s")
        if options.json:
            # Fewer evaluations than requested, if the time was over.
            reports.made(job, record["size"], seconds, **_how_far(record))
        if options.trace:
            try:
                _write_trace(
                    Path(options.trace),
                    record | {"seconds": seconds},
                    options,
                    reports.name,
                )
            except NstjaxError as error:
                # The picture, which is what matters, has been written.
                warnings.warn(str(error), NstjaxWarning, stacklevel=2)
    return _status(failed, len(jobs))


def _batch_size(jobs, leaves: dict[str, Any], options) -> int:
    """How many pictures to paint together; 0 if only one at a time is possible."""
    from nstjax.methods.table import method_of

    together = method_of(leaves).paints_batches
    if options.batch_size and not together:
        raise NstjaxError(
            "--batch-size works with adain, adain-lap and adain-depth only"
        )
    if len(jobs) < 2 or not together or options.mask or options.show_depth:
        return 0
    if options.batch_size:
        return options.batch_size
    from nstjax.methods.batches import default_batch_size

    return default_batch_size()


def _status(failed: int, total: int) -> int:
    if failed:
        print(f"nstjax: {failed} of {total} pictures failed", file=sys.stderr)
    return USAGE_ERROR if failed else 0


def _check_save_style(jobs, there, leaves: dict[str, Any], options) -> None:
    from nstjax.io.files import refuse_to_overwrite
    from nstjax.methods.styles import check_saving
    from nstjax.methods.table import method_of, one_pass_names

    path = Path(options.save_style)
    everything = [*jobs, *there]
    if not method_of(leaves).in_one_pass or any(
        len(job.styles) > 1 for job in everything
    ):
        raise NstjaxError(
            "--save-style saves one style for a feed-forward method "
            f"({one_pass_names()})"
        )
    if len({job.styles for job in everything}) > 1:
        raise NstjaxError("--save-style saves one style, not a folder of them")
    check_saving(path, leaves["stroke_scale"])
    if not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written: its folder does not exist")
    # A resumed folder keeps the style that it started with.
    refuse_to_overwrite(path, overwrite=options.overwrite or bool(there))


def _check_outputs(jobs, leaves: dict[str, Any], options) -> None:
    """Checks that no output of the run is written twice or is an input."""
    from nstjax.cli.jobs import on_the_way_to
    from nstjax.cli.outputs import check_distinct

    outputs = [job.output for job in jobs]
    others = options.trace, options.save_style, options.preview
    outputs += [Path(path) for path in others if path]
    if "iterations" in leaves:
        outputs += [job.state for job in jobs]
    if options.show_depth:
        outputs += [path for job in jobs for path in job.disparities]
    inputs = [picture for job in jobs for picture in (job.content, *job.styles)]
    inputs += [*(options.mask or ()), *([options.config] if options.config else ())]
    names = ("init", "encoder", "decoder", "depth_model")
    inputs += [leaves[name] for name in names if isinstance(leaves.get(name), str)]
    check_distinct(outputs, inputs)
    if options.save_every:
        made = {os.path.realpath(job.output) for job in jobs}
        for path in map(Path, [*outputs, *inputs]):
            of = on_the_way_to(path)
            if of and os.path.realpath(of) in made:
                raise NstjaxError(
                    f"--save-every may write a picture named {path.name} on the way to "
                    f"{of}; choose another --output"
                )


def _is_value(arguments: Sequence[str], number: int) -> bool:
    """Whether an argument is the value of a preceding --config.KEY."""
    before = arguments[number - 1] if number else ""
    return before.startswith("--config.") and "=" not in before


def _check_saving(jobs, options) -> None:
    from nstjax.io.images import loses_detail

    for job in jobs:
        for name, has in zip(
            ("quality", "chroma"), loses_detail(job.output), strict=True
        ):
            if getattr(options, name) is not None and not has:
                raise NstjaxError(
                    f"{job.output} has no {name} setting; --{name} is for .jpg"
                    + (" and .webp" if name == "quality" else "")
                )


def _check_trace(jobs, options) -> None:
    from nstjax.io.files import refuse_to_overwrite

    path = Path(options.trace)
    going_on = options.resume and any(job.state.is_file() for job in jobs)
    refuse_to_overwrite(path, overwrite=options.overwrite or going_on)
    if path.is_dir() or not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written; name a file in a folder")


def _how_far(record: dict[str, Any]) -> dict[str, Any]:
    """The progress of a method that optimises; empty for others."""
    if not record["evaluations"]:
        return {}
    return {"evaluations": len(record["evaluations"]), "reason": record["reason"]}


def _write_trace(path: Path, record: dict[str, Any], options, name) -> None:
    from nstjax.io.files import write_atomically

    text = name(json.dumps(record, indent=1)) + "\n"
    write_atomically(path, text, overwrite=options.overwrite or options.resume)
