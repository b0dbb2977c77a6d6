"""Paints folders from the command line, several pictures of a size at a time."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from nstjax.cli.jobs import Job
from nstjax.cli.painting import (
    is_made_elsewhere,
    plan_job,
    save_style,
    write_at_once,
)
from nstjax.cli.reports import Reports
from nstjax.errors import describe
from nstjax.methods import batches
from nstjax.methods.base import Plan
from nstjax.methods.images import Style


def paint_all(
    jobs: Sequence[Job],
    leaves: dict[str, Any],
    networks: Any,
    options: Any,
    tell: Any,
    reports: Reports,
    *,
    batch_size: int,
) -> int:
    """Paints with AdaIN, up to `batch_size` pictures of one size and style at once.

    Pictures that cannot be read or written are reported and skipped.

    Args:
        jobs: the pictures to paint.
        leaves, networks, options, tell: as for `nstjax.cli.painting.paint`.
        reports: receives every picture's outcome.
        batch_size: the most pictures to paint together, if memory allows.

    Returns:
        The number of failed pictures.
    """
    failed = there = 0
    unsaved = bool(options.save_style)
    cache = batches.StyleCache(networks, leaves)
    if len({job.styles for job in jobs}) == 1:
        # A problem with the common style is reported once.
        cache.read(jobs[0].styles)
    begin = time.perf_counter()
    lock = threading.Lock()  # pictures are written in a thread
    bar = tqdm(total=len(jobs), unit="picture", disable=options.quiet, file=sys.stderr)

    def fail(job: Job, error: Exception) -> None:
        nonlocal failed, there
        with lock:
            bar.update()
            if is_made_elsewhere(job, options):
                there += 1
                reports.there(job)
                return
            failed += 1
            reason = describe(error)
            reports.failed(job, reason)
            with bar.external_write_mode(file=sys.stderr):
                print(
                    f"nstjax: error: {job.output} could not be made: {reason}",
                    file=sys.stderr,
                )

    def plan(job: Job, styles: Sequence[Style]) -> Plan:
        nonlocal unsaved
        planned = plan_job(job, leaves, networks, options, styles=styles)
        if unsaved:
            save_style(job, planned, options)
            unsaved = False
        return planned

    def write(job: Job, plan: Plan, image: np.ndarray) -> None:
        write_at_once(job, plan, image, options)

    def done(job: Job, plan: Plan, seconds: float) -> None:
        with lock:
            reports.made(job, plan.output_size, seconds)
            bar.update()

    with bar:
        batches.paint_many(
            jobs,
            styles=cache,
            plan=plan,
            write=write,
            on_done=done,
            on_failed=fail,
            batch_size=batch_size,
            max_memory=options.max_memory,
        )
    seconds = time.perf_counter() - begin
    if there:
        tell(f"{there} pictures were made by another process in the meantime")
    written = len(jobs) - failed - there
    tell(f"wrote {written} pictures to {jobs[0].output.parent} in {seconds:.1f} s")
    return failed
