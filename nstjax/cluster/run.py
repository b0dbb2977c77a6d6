"""A whole run: finds the remaining work, distributes it, and records the outcome."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock

from nstjax.cluster import files
from nstjax.cluster.dataset import ray_data, stylize_dataset
from nstjax.cluster.painter import COLUMNS, THERE_ALREADY
from nstjax.cluster.ray_cluster import joined
from nstjax.cluster.results import Results, read_results
from nstjax.errors import NstjaxError
from nstjax.io.files import remove_leftovers
from nstjax.io.images import read_size

Row = Mapping[str, Any]
Record = Mapping[str, Any]

# The most rows that a worker gets at a time; if it dies, its unpainted rows are tried
# again one by one.
_MOST_ROWS = 64
# Few enough that every worker gets some, in multiples of a batch.
_SHARES, _MULTIPLE = 4, 8
# How many headers are read at the same time.
_READERS = 16
_SET_ASIDE = (
    "two workers died while painting it, so it was skipped; check whether memory ran "
    "out, paint it by itself, or repeat the command"
)


def paint_rows(
    rows: Sequence[Row],
    *,
    address: str,
    results: str,
    workers: int | None = None,
    overwrite: bool = False,
    on_record: Callable[[Record], None],
    on_start: Callable[[int, int], None],
    **options: Any,
) -> None:
    """Paints rows on a Ray cluster, each once, and records the outcomes.

    Pictures of an earlier run are skipped. Rows whose worker dies are tried once more,
    one by one, by other workers; those that kill another worker are skipped.

    Args:
        rows: from `nstjax.cluster.read_manifest`.
        address: see `nstjax.cluster.ray_cluster.joined`.
        results: the folder of the records, or its URL.
        workers: the number of workers; by default as many as the cluster has CPUs or
            GPUs.
        overwrite: whether existing pictures are painted again.
        on_record: called for every picture that is done or has failed.
        on_start: called with the numbers of remaining pictures and of workers.
        **options: see `nstjax.cluster.BatchPainter`.

    Raises:
        NstjaxError: if the cluster cannot be joined, another run uses the same results,
            or they cannot be written.
    """
    with _alone(results), Results(results) as kept:
        left, there = _left(rows, results, overwrite)
        kept.add(there)
        for record in there:
            on_record(record)
        if not left:
            on_start(0, 0)
            return
        left = sorted(_measured(left), key=_likeness)
        with joined(address, most=len(left), workers=workers) as (count, shares):
            on_start(len(left), count)
            options |= {"workers": count, "overwrite": overwrite}
            for record in _twice(left, shares | options):
                kept.add([record])
                on_record(record)


def _twice(rows: Sequence[Row], how: dict[str, Any]) -> Iterator[Record]:
    """Paints rows, and those left by dying workers once more, one by one."""
    rows_at_once = math.ceil(len(rows) / (_SHARES * how["workers"] * _MULTIPLE))
    rows_at_once = min(_MOST_ROWS, rows_at_once * _MULTIPLE)
    for size in (rows_at_once, 1):
        seen = set()
        for record in _painted(rows, size, how):
            seen.add(record["output"])
            yield record
        rows = [row for row in rows if row["output"] not in seen]
        remove_leftovers(row["output"] for row in rows)
        if not rows:
            return
    for row in rows:
        values = (row["content"], row["output"], "failed", _SET_ASIDE, 0.0, "")
        yield dict(zip(COLUMNS, values, strict=True))


def _painted(rows: Sequence[Row], size: int, how: dict[str, Any]) -> Iterator[Record]:
    """The records of rows, given to workers `size` at a time.

    Records of workers that died are missing.
    """
    data = ray_data()
    context = data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    names = ("content", "style", "output", "options")
    items = [{name: row[name] for name in names} for row in rows]
    blocks = math.ceil(len(rows) / size)
    workers = min(how["workers"], blocks)
    painted = stylize_dataset(
        data.from_items(items, override_num_blocks=blocks),
        tries=1,
        rows_at_once=None,
        **how | {"workers": workers},
    )
    batches: Iterable[Any] = painted.iter_batches(
        batch_size=None, batch_format="pyarrow", prefetch_batches=0
    )
    try:
        for batch in batches:
            yield from batch.to_pylist()
    except Exception as error:  # errors from Ray are not caused by a picture
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise NstjaxError(
            f"the cluster cannot continue ({reason[-1]}); repair it and repeat the "
            "command"
        ) from error


def _left(
    rows: Sequence[Row], results: str, overwrite: bool
) -> tuple[list[Row], list[Record]]:
    """The rows to paint, and records for existing pictures that have none."""
    if overwrite:
        return list(rows), []
    done = {
        output
        for output, record in read_results(results).items()
        if record.get("status") == "done"
    }
    folders = {files.parent(row["output"]) for row in rows}
    present = {path for folder in folders for path in files.list_files(folder)}
    left: list[Row] = []
    there: list[Record] = []
    for row in rows:
        if row["output"] not in present:
            left.append(row)
        elif row["output"] not in done:
            values = (row["content"], row["output"], "done", THERE_ALREADY, 0.0, "")
            there.append(dict(zip(COLUMNS, values, strict=True)))
    remove_leftovers(row["output"] for row in left)
    return left, there


def _measured(rows: Sequence[Row]) -> Iterable[Row]:
    """Rows with "width" and "height", which are read if the manifest has none."""

    def measure(row: Row) -> Row:
        if row.get("width") and row.get("height"):
            return row
        width, height = 0, 0
        # Workers report why a picture cannot be read; remote ones take a connection
        # each.
        if not files.is_remote(row["content"]):
            with contextlib.suppress(Exception):
                width, height = read_size(row["content"])
        return {**row, "width": width, "height": height}

    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(measure, rows, chunksize=64))


def _likeness(row: Row) -> tuple[Any, ...]:
    """A sort key that puts rows that are painted together next to each other."""
    size = (-row["width"] * row["height"], row["width"])
    return row["options"], row["style"], *size


@contextlib.contextmanager
def _alone(results: str) -> Iterator[None]:
    """Prevents a second run with the same results, if they are local."""
    if files.is_remote(results):
        yield
        return
    try:
        Path(results).mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(Path(results) / ".lock", timeout=0)
        lock.acquire()
    except filelock.Timeout as error:
        raise NstjaxError(
            f"another run is using {results}; wait for it to end, or name another "
            "folder "
            "with --results"
        ) from error
    except OSError as error:
        raise NstjaxError(
            f"{results} cannot be written ({error.strerror}); choose another place"
        ) from error
    try:
        yield
    finally:
        lock.release()
