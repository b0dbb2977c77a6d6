"""Many pictures from the command line, several of one size at a time."""

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from nstjax.cli.errors import explain
from nstjax.cli.jobs import Job
from nstjax.cli.painting import plan_job, save_style
from nstjax.io.images import PICTURE_FORMATS, write_image
from nstjax.methods import plan as planning
from nstjax.methods.base import Plan
from nstjax.methods.memory.planner import largest_batch
from nstjax.methods.one_pass import SavedStyle

# Pictures that every device paints together, by its kind.
_EACH = {"cpu": 4}
_EACH_ELSEWHERE = 8

Batch = list[tuple[Job, Plan]]


def default_batch_size() -> int:
    """How many pictures are painted together where nobody says."""
    return _EACH.get(jax.default_backend(), _EACH_ELSEWHERE) * jax.local_device_count()


def paint_all(
    jobs: Sequence[Job],
    leaves: dict[str, Any],
    networks: Any,
    options: Any,
    tell: Any,
    *,
    batch_size: int,
) -> int:
    """Makes AdaIN's pictures, up to `batch_size` of one size and style together.

    Pictures are written while the next are painted. One that cannot be read or
    written is reported and left out.

    Args:
        jobs: what to make.
        leaves, networks, options, tell: as for `nstjax.cli.painting.paint`.
        batch_size: more than memory allows is never painted together.

    Returns:
        How many pictures failed.
    """
    replace = options.overwrite or options.resume
    failures: list[str] = []
    begin = time.perf_counter()
    bar = tqdm(total=len(jobs), unit="picture", disable=options.quiet, file=sys.stderr)

    def fail(job: Job, error: Exception) -> None:
        reason = explain(error) or f"{type(error).__name__}: {error}"
        failures.append(reason)
        with bar.external_write_mode(file=sys.stderr):
            print(
                f"nstjax: error: {job.output} could not be made: {reason}",
                file=sys.stderr,
            )
        bar.update()

    def finish(job: Job, plan: Plan, image: Any) -> None:
        write_image(job.output, planning.finish(plan, image), overwrite=replace)

    def settle(written: list[tuple[Job, Future]]) -> None:
        for job, future in written:
            try:
                future.result()
            except Exception as error:  # whatever it is, it is this picture's
                fail(job, error)
            else:
                bar.update()

    def plan_each() -> Iterator[tuple[Job, Plan]]:
        unsaved = bool(options.save_style)
        styles = _Styles(networks, leaves)
        for job in sorted(jobs, key=_likeness):
            try:
                seen = styles.read(job.styles)
                plan = plan_job(job, leaves, networks, options, styles=seen)
            except Exception as error:
                fail(job, error)
                continue
            if unsaved:
                save_style(job, plan, options)
                unsaved = False
            yield job, styles.encode(plan)

    waiting: list[tuple[Job, Future]] = []
    with bar, ThreadPoolExecutor(1) as writer:
        for batch in _batches(plan_each(), batch_size, options):
            plans = [plan for _, plan in batch]
            alone = not planning.can_share(plans[0])
            try:
                outcomes = (
                    [planning.run(plans[0])] if alone else planning.run_batch(plans)
                )
            except Exception as error:
                for job, _ in batch:
                    fail(job, error)
                continue
            # Painted pictures are not piled up faster than they can be written.
            settle(waiting)
            waiting = [
                (job, writer.submit(finish, job, plan, outcome.image))
                for (job, plan), outcome in zip(batch, outcomes, strict=True)
            ]
        settle(waiting)
    seconds = time.perf_counter() - begin
    done = len(jobs) - len(failures)
    tell(f"wrote {done} pictures to {jobs[0].output.parent} after {seconds:.1f} s")
    return len(failures)


class _Styles:
    """The styles of neighbouring jobs, read and encoded once for all of them."""

    def __init__(self, networks: Any, leaves: dict[str, Any]):
        self._networks = networks
        self._leaves = leaves
        self._names: tuple[str, ...] | None = None
        self._read: tuple[np.ndarray | SavedStyle, ...] = ()
        self._encoded: dict[int, tuple[SavedStyle, ...]] = {}

    def read(self, names: tuple[str, ...]) -> tuple[np.ndarray | SavedStyle, ...]:
        """The styles of these names.

        Raises:
            NstjaxError: if one cannot be read.
        """
        if names != self._names:
            self._read = planning.read_styles(
                names, networks=self._networks, options=self._leaves
            )
            self._names, self._encoded = names, {}
        return self._read

    def encode(self, plan: Plan) -> Plan:
        """A plan of the styles read last, with what AdaIN needs of them."""
        if not planning.can_share(plan):
            return plan
        side = planning.style_side(plan)
        if side not in self._encoded:
            self._encoded[side] = planning.encode_styles(plan)
        return dataclasses.replace(plan, styles=self._encoded[side])


def _likeness(job: Job) -> tuple[tuple[str, ...], tuple[int, int]]:
    """Sorts jobs so that those that can be painted together are neighbours."""
    try:
        with Image.open(job.content, formats=PICTURE_FORMATS) as image:
            return job.styles, image.size
    except Exception:
        # An example's name; or a picture that will be refused when it is read.
        return job.styles, (0, 0)


def _batches(
    planned: Iterator[tuple[Job, Plan]], most: int, options: Any
) -> Iterator[Batch]:
    """Whole batches, and single pictures where there are fewer of a kind.

    Batches of other sizes would have to be compiled, each anew.

    Args:
        planned: pictures, those that can be painted together next to each other.
        most: pictures of a batch.
        options: the command line's.
    """
    batch: Batch = []
    for job, plan in planned:
        if batch and (
            job.styles != batch[0][0].styles
            or plan.working_size != batch[0][1].working_size
        ):
            yield from ([single] for single in batch)
            batch = []
        batch.append((job, plan))
        limit = largest_batch(
            plan.working_size,
            plan.networks.spec,
            wanted=most if planning.can_share(plan) else 1,
            max_memory=options.max_memory,
        )
        if len(batch) >= limit:
            yield batch
            batch = []
    yield from ([single] for single in batch)
