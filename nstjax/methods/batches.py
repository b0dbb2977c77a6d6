"""Paints many pictures in one process, several of the same size and style at a time."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import jax
import numpy as np

from nstjax.io.images import read_size
from nstjax.methods import plan as planning
from nstjax.methods.base import Plan
from nstjax.methods.encoded import EncodedStyles
from nstjax.methods.images import Style
from nstjax.methods.memory.planner import largest_batch
from nstjax.methods.styles import SavedStyle

# How many pictures each device paints together, by its kind.
_EACH = {"cpu": 1}
_EACH_ELSEWHERE = 8
# How many pictures are read ahead.
_AHEAD = 2

ReadStyles = tuple[np.ndarray | SavedStyle, ...]


class Wanted(Protocol):
    """A picture to paint.

    Attributes:
        content: a file, or the name of an example.
        styles: the same for one style or several, which are blended.
    """

    @property
    def content(self) -> str: ...
    @property
    def styles(self) -> tuple[str, ...]: ...


W = TypeVar("W", bound=Wanted)


def default_batch_size() -> int:
    """How many pictures are painted together by default."""
    return _EACH.get(jax.default_backend(), _EACH_ELSEWHERE) * jax.local_device_count()


def paint_many(
    wanted: Sequence[W],
    *,
    styles: "StyleCache",
    plan: Callable[[W, Sequence[Style]], Plan],
    write: Callable[[W, Plan, np.ndarray], None],
    on_done: Callable[[W, Plan, float], None],
    on_failed: Callable[[W, Exception], None],
    batch_size: int,
    max_memory: int | None = None,
) -> None:
    """Paints pictures with one method and one set of options.

    Pictures of the same size and style are painted together, up to `batch_size`, and
    written in a thread while the next are painted. Pictures that cannot be read,
    painted or written are reported and skipped.

    Args:
        wanted: the pictures to paint, in any order.
        styles: the cache for the networks of the plans.
        plan: reads and checks what a picture needs, given its styles.
        write: writes a painted picture [H, W, 3]; called in that thread.
        on_done: called in that thread for every written picture, with its share of the
            seconds for reading and painting.
        on_failed: called in either thread for every other picture, with the exception.
        batch_size: the most pictures to paint together, if memory allows.
        max_memory: how many bytes the whole process may use, or None.
    """

    def put_down(item: W, planned: Plan, seconds: float, image: np.ndarray) -> None:
        try:
            write(item, planned, image)
        except Exception as error:  # any error concerns this picture only
            on_failed(item, error)
        else:
            on_done(item, planned, seconds)

    def plan_one(item: W) -> Plan:
        planned = plan(item, styles.read(item.styles))
        if batch_size == 1:
            planning.prepare_programs(planned)
        return styles.encode(planned)

    def plan_each() -> Iterator[tuple[W, Plan]]:
        # Pictures are read, and their programs compiled, while others are painted.
        items = sorted(wanted, key=_likeness)
        futures = [reader.submit(plan_one, item) for item in items[:_AHEAD]]
        for number, item in enumerate(items):
            if number + _AHEAD < len(items):
                futures.append(reader.submit(plan_one, items[number + _AHEAD]))
            try:
                planned = futures[number].result()
            except Exception as error:
                on_failed(item, error)
                continue
            finally:
                futures[number] = Future()  # releases the picture
            yield item, planned

    waiting: list[Future] = []
    begun = time.perf_counter()
    with ThreadPoolExecutor(1) as writer, _impatient(ThreadPoolExecutor(1)) as reader:
        for batch in _batches(plan_each(), batch_size, max_memory):
            plans = [planned for _, planned in batch]
            try:
                if len(plans) == 1:
                    outcomes = [planning.run(plans[0])]
                else:
                    outcomes = planning.run_batch(plans)
            except Exception as error:
                for item, _ in batch:
                    on_failed(item, error)
                continue
            # For reading and painting; writing overlaps with the next pictures.
            seconds = (time.perf_counter() - begun) / len(batch)
            begun = time.perf_counter()
            # Painting waits if pictures cannot be written as fast.
            for future in waiting:
                future.result()
            waiting = [
                writer.submit(put_down, item, planned, seconds, outcome.image)
                for (item, planned), outcome in zip(batch, outcomes, strict=True)
            ]
        for future in waiting:
            future.result()


class StyleCache:
    """Reads and encodes the styles of consecutive pictures only once.

    Args:
        networks: from `nstjax.methods.plan.load_networks`.
        options: from `nstjax.methods.options.method_options`.
    """

    def __init__(self, networks: Any, options: Mapping[str, Any]):
        self._networks = networks
        self._options = options
        self._names: tuple[str, ...] | None = None
        self._read: ReadStyles = ()
        self._encoded = EncodedStyles()

    def read(self, names: tuple[str, ...]) -> ReadStyles:
        """The styles of these names.

        Raises:
            NstjaxError: if one cannot be read.
        """
        if names != self._names:
            self._read = planning.read_styles(
                names, networks=self._networks, options=self._options
            )
            self._names, self._encoded = names, EncodedStyles()
        return self._read

    def encode(self, plan: Plan) -> Plan:
        """The plan with the styles that were read last encoded for AdaIN."""
        return self._encoded.encode(plan, name=lambda number, _: number)


def _likeness(item: Wanted) -> tuple[tuple[str, ...], int, tuple[int, int]]:
    """A sort key that puts pictures that can be painted together next to each other.

    The largest come first, since their programs can paint smaller pictures, too.
    """
    try:
        width, height = read_size(item.content)
    except Exception:
        # An example's name, or a file that will be refused when it is read.
        width = height = 0
    return item.styles, -width * height, (width, height)


@contextlib.contextmanager
def _impatient(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """A pool that drops pending work at the end."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(
    planned: Iterator[tuple[W, Plan]], most: int, max_memory: int | None
) -> Iterator[list[tuple[W, Plan]]]:
    """Yields full batches, and single pictures where there are too few.

    Every other batch size would need to be compiled.

    Args:
        planned: pictures, with those that can be painted together next to each other.
        most: the number of pictures in a batch.
        max_memory: see `paint_many`.
    """
    batch: list[tuple[W, Plan]] = []
    for item, plan in planned:
        if batch and (
            item.styles != batch[0][0].styles
            or planning.program_shape(plan) != planning.program_shape(batch[0][1])
            or planning.can_share(plan) != planning.can_share(batch[0][1])
        ):
            yield from ([single] for single in batch)
            batch = []
        batch.append((item, plan))
        limit = 1
        if planning.can_share(plan):
            limit = largest_batch(
                plan.working_size,
                plan.networks.spec,
                wanted=most,
                max_memory=max_memory,
            )
        if len(batch) >= limit:
            yield batch
            batch = []
    yield from ([single] for single in batch)
