"""Clips from the command line: options, progress and the end of a run."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nstjax.cli import parsing
from nstjax.cli.jobs import free_name
from nstjax.cli.outputs import check_distinct
from nstjax.cli.reports import Reports
from nstjax.errors import NstjaxError, describe

if TYPE_CHECKING:
    from nstjax.cli.jobs import Job
    from nstjax.video.stylize import Result

# Options for clips only; None if not given.
CLIP_OPTIONS = ("temporal", "start", "end", "every", "fps", "codec")
# Options for pictures only.
_NOT_FOR_CLIPS = (
    *("save_style", "save_every", "show_depth", "trace", "background", "chroma"),
    *("exif", "format", "piped", "preview", "time_limit"),
)
_DEFAULT_SUFFIX = ".mp4"


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options for clips."""
    clips = parser.add_argument_group(
        "clips", "for videos, animated pictures and folders of frames (extra [video])"
    )
    clips.add_argument(
        "--temporal",
        metavar="HOW",
        help="how to avoid flicker: flow (default: carry the last frame along the "
        "motion), statistics (average the content's statistics over time; adain) or "
        "off",
    )
    clips.add_argument(
        "--start",
        type=seconds,
        metavar="TIME",
        help="where to start: seconds, or [HH:]MM:SS",
    )
    clips.add_argument(
        "--end", type=seconds, metavar="TIME", help="where to end, in the same form"
    )
    clips.add_argument(
        "--every", type=parsing.count, metavar="N", help="paint every Nth frame"
    )
    clips.add_argument(
        "--fps",
        type=parsing.weight,
        metavar="N",
        help="treat a folder of numbered pictures as a clip with N frames per second",
    )
    clips.add_argument(
        "--codec",
        metavar="NAME",
        help="h264 (default; vp9 for .webm), hevc, av1 or another FFmpeg encoder",
    )


def seconds(text: str) -> float:
    """A time such as 12.5, 1:30 or 1:02:03, in seconds."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not values or len(values) > 3 or not all(0 <= v < float("inf") for v in values):
        raise argparse.ArgumentTypeError(
            f"{text} is not a time; write it like 90 or 1:30"
        )
    total = 0.0
    for value in values:
        total = 60 * total + value
    return total


def wants_clip(options: argparse.Namespace) -> bool:
    """Whether the content is a clip.

    Raises:
        NstjaxError: if it is not, but options for clips are given.
    """
    from nstjax.video.clips import (
        ANIMATION_SUFFIXES,
        VIDEO_SUFFIXES,
        is_clip,
        is_still_gif,
    )

    if len(options.content) > 1:
        return _wants_many(options)
    (content,) = options.content
    if options.fps is not None:
        return True
    if is_clip(content):
        suffix = Path(options.output or "").suffix.lower()
        into_clip = suffix in (*VIDEO_SUFFIXES, *ANIMATION_SUFFIXES)
        if into_clip or not is_still_gif(content):
            return True
    given = [name for name in CLIP_OPTIONS if getattr(options, name) is not None]
    if given:
        raise NstjaxError(
            f"--{given[0]} is for clips, and {content} is not one; a folder of frames "
            "needs --fps"
        )
    if options.output and Path(options.output).suffix.lower() in VIDEO_SUFFIXES:
        raise NstjaxError(
            f"{options.output} is a clip's name, but {content} is not a clip; end the "
            "output's name in .png, or give a folder of frames and --fps"
        )
    return False


def _wants_many(options: argparse.Namespace) -> bool:
    """Checks several contents, among which clips are refused."""
    from nstjax.video.clips import VIDEO_SUFFIXES

    clips = [c for c in options.content if Path(c).suffix.lower() in VIDEO_SUFFIXES]
    given = [f"--{name}" for name in CLIP_OPTIONS if getattr(options, name) is not None]
    if clips or given:
        raise NstjaxError(
            f"{(*clips, *given)[0]} cannot be painted together with other contents; "
            "give one clip at a time"
        )
    return False


def stylize_clip(
    options: argparse.Namespace, leaves: dict[str, Any], tell: Any, reports: Reports
) -> int:
    """Paints a clip according to the command line; returns the exit status.

    Args:
        options: the command line's options.
        leaves: the method's options.
        tell: called with messages for the user.
        reports: receives the outcome.

    Raises:
        NstjaxError: if anything cannot be used.
    """
    from nstjax.cli.jobs import Job

    for name in _NOT_FOR_CLIPS:
        if getattr(options, name):
            option = "--output -" if name == "piped" else f"--{name.replace('_', '-')}"
            raise NstjaxError(f"{option} is for pictures, not for clips")
    output = Path(options.output) if options.output else _free_name(options, leaves)
    job = Job(options.content[0], tuple(options.style), output)
    try:
        result = _paint(job, options, leaves, tell)
    except Exception as error:  # any error is also reported as JSON
        reports.failed(job, describe(error))
        raise
    if result.complete:
        rate = result.painted / max(result.seconds, 1e-9)
        tell(
            f"wrote {output}: {result.frames} frames after {result.seconds:.1f} s "
            f"({rate:.2f} frames per second)"
        )
        reports.made(job, result.size, result.seconds, frames=result.frames)
        return 0
    message = "stopped before the first frame"
    if result.frames:
        message = (
            f"stopped; {output} has the {result.frames} frames so far; use the same "
            "command with --resume to continue"
        )
    tell(message)
    reports.failed(job, message)
    return 128 + result.signal


def _paint(
    job: Job, options: argparse.Namespace, leaves: dict[str, Any], tell: Any
) -> Result:
    """Paints a clip, with a progress bar."""
    from tqdm import tqdm

    from nstjax.video import encoding, stylize
    from nstjax.video.clips import open_clip

    clip = open_clip(job.content, fps=options.fps)
    check_distinct([job.output], [job.content, *job.styles, *(options.mask or ())])
    bar = tqdm(unit="frame", disable=options.quiet, file=sys.stderr, dynamic_ncols=True)

    def on_progress(progress: stylize.Progress) -> None:
        bar.total = progress.total
        if not bar.n and progress.earlier:
            # So that the remaining time is estimated from this run's frames.
            bar.initial = bar.n = progress.earlier
            bar.start_t = bar.last_print_t = time.time()
        bar.update(progress.frames - bar.n)

    def say(message: str) -> None:
        with bar.external_write_mode(file=sys.stderr):
            tell(message)

    with bar:
        return stylize.paint_clip(
            clip,
            job.styles,
            job.output,
            options=leaves,
            temporal=options.temporal or "flow",
            cut=stylize.make_cut(options.start, options.end, options.every or 1),
            planning={
                "size": options.size,
                "seed": options.seed,
                "blend": options.style_blend,
                "masks": options.mask,
                "max_memory": options.max_memory,
            },
            codec=options.codec,
            quality=options.quality or encoding.QUALITY,
            batch_size=options.batch_size,
            overwrite=options.overwrite,
            resume=options.resume,
            on_progress=on_progress,
            tell=say,
        )


def _free_name(options: argparse.Namespace, leaves: dict[str, Any]) -> Path:
    """A free name in the current folder, or that of a run to resume."""
    from nstjax.video.encoding import ANIMATIONS, CONTAINERS
    from nstjax.video.store import parts_of

    content = Path(options.content[0])
    suffix = content.suffix.lower()
    if suffix not in CONTAINERS and suffix not in ANIMATIONS:
        suffix = _DEFAULT_SUFFIX
    names = [content.stem, *(Path(style).stem for style in options.style)]
    stem = "_".join([*names, leaves["method"]])

    def is_free(path: Path) -> bool:
        resumed = options.resume and parts_of(path).is_dir()
        return options.overwrite or resumed or not path.exists()

    return free_name(stem, suffix, is_free=is_free)
