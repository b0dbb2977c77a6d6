"""An evaluation's folder, and painting the missing pictures.

    run.json                            the protocol, to refuse another one
    pictures/VARIANT/STYLE/CONTENT.png
    records/VARIANT/STYLE/CONTENT.json  what it was made of, seconds, memory
    measured/VARIANT/STYLE/CONTENT.json what was measured of it

A record is written just before its picture, so a picture without a record does not
belong to the evaluation.

Each variant's pictures are painted in a separate process. So a process's peak memory is
that of its variant, including compiled programs, and no process can use what another
has compiled or left in the allocator. The parent process does not start jax before the
last picture is painted, so the painter has an accelerator's memory to itself.
"""

import contextlib
import dataclasses
import json
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.evaluation.inputs import Pair, Variant, prepare_picture
from nstjax.io.differences import as_json, describe_differences
from nstjax.io.files import write_atomically
from nstjax.io.images import write_image
from nstjax.io.weights import sha256_of
from nstjax.methods import plan as planning

_FORMAT = 1
MISSING, DONE, OTHER = "missing", "done", "other"
# Seconds that a painter has to end when asked to.
_PATIENCE = 20


@dataclasses.dataclass(frozen=True)
class Folder:
    """An evaluation's folder.

    Attributes:
        path: its path; it need not exist yet.
    """

    path: Path

    def picture(self, variant: str, pair: Pair) -> Path:
        """A result's file."""
        return self._file("pictures", variant, pair, ".png")

    def record(self, variant: str, pair: Pair) -> Path:
        """The file that records how a result was made."""
        return self._file("records", variant, pair, ".json")

    def measurements(self, variant: str, pair: Pair) -> Path:
        """The file of a result's measurements."""
        return self._file("measured", variant, pair, ".json")

    def _file(self, kind: str, variant: str, pair: Pair, suffix: str) -> Path:
        folder = self.path / kind / variant / pair.style.label
        return folder / f"{pair.content.label}{suffix}"

    def claim(self, protocol: Mapping[str, Any], *, overwrite: bool) -> None:
        """Creates the folder, or checks that it holds this evaluation.

        Raises:
            NstjaxError: if it holds another one, or anything else.
        """
        file = self.path / "run.json"
        protocol = as_json({"format": _FORMAT} | dict(protocol))
        if self.path.exists() and not self.path.is_dir():
            raise NstjaxError(f"{self.path} is a file; --output needs a folder")
        if file.is_file():
            there = read_json(file)
            changed = describe_differences(there, protocol)
            if changed and not overwrite:
                raise NstjaxError(
                    f"{self.path} holds an evaluation with other settings: {changed}; "
                    "choose another --output, or replace its results with --overwrite"
                )
            if not changed:
                return
        elif self.path.is_dir() and any(self.path.iterdir()) and not overwrite:
            raise NstjaxError(
                f"{self.path} holds something other than an evaluation; choose another "
                "--output"
            )
        write_json(file, protocol)


def read_records(
    folder: Folder, variant: str, pairs: Sequence[Pair]
) -> list[dict[str, Any]]:
    """The records of the pairs that have pictures."""
    return [
        read_json(folder.record(variant, pair))
        for pair in pairs
        if folder.picture(variant, pair).is_file()
    ]


def read_json(path: Path) -> dict[str, Any]:
    """Reads one of the folder's JSON files; a damaged file counts as empty."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes one of the folder's JSON files, replacing an earlier one."""
    text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(path, text, overwrite=True)


@dataclasses.dataclass(frozen=True)
class Task:
    """A picture to paint.

    Attributes:
        content, style: sources, for `nstjax.evaluation.inputs.prepare_picture`.
        picture, record: the files to write.
        request: everything that the picture depends on, as JSON data, which is stored
            in the record.
    """

    content: str
    style: str
    picture: Path
    record: Path
    request: Mapping[str, Any]


def find_tasks(
    folder: Folder,
    variants: Sequence[Variant],
    pairs: Mapping[str, Sequence[Pair]],
    *,
    size: int,
    seed: int,
    overwrite: bool,
) -> dict[str, list[Task]]:
    """The pictures that remain to be painted, by variant.

    Args:
        folder: the folder for them.
        variants: the variants.
        pairs: the pairs, by variant.
        size: the side of the square pictures.
        seed: the seed of all random numbers.
        overwrite: whether pictures with other settings are painted again.

    Raises:
        NstjaxError: if there are such pictures, and they may not be replaced.
    """
    tasks: dict[str, list[Task]] = {}
    others = []
    for variant in variants:
        tasks[variant.name] = []
        for pair in pairs[variant.name]:
            request = as_json(
                {
                    "options": dict(variant.options),
                    "weights": {r: n.sha256 for r, n in variant.networks.items()},
                    "content": pair.content.sha256,
                    "style": pair.style.sha256,
                    "size": size,
                    "seed": seed,
                }
            )
            state = state_of(folder, variant.name, pair, request)
            picture = folder.picture(variant.name, pair)
            if state == OTHER:
                others.append(picture)
            if state != DONE:
                record = folder.record(variant.name, pair)
                sources = pair.content.source, pair.style.source
                tasks[variant.name].append(Task(*sources, picture, record, request))
    if others and not overwrite:
        raise NstjaxError(
            f"{len(others)} pictures, such as {others[0]}, were made with other "
            "options, weights or inputs, or have changed since; choose another "
            "--output, or make them again with --overwrite"
        )
    return tasks


def state_of(
    folder: Folder, variant: str, pair: Pair, request: Mapping[str, Any]
) -> str:
    """The state of a result.

    Returns:
        `DONE`; `MISSING`; or `OTHER` if the picture was made with other options,
        weights or inputs, or has changed since.
    """
    picture, record = folder.picture(variant, pair), folder.record(variant, pair)
    if not picture.is_file():
        return MISSING
    if not record.is_file():
        return OTHER
    known = read_json(record)
    before = known.get("request")
    same = isinstance(before, dict) and not describe_differences(before, request)
    return DONE if same and known.get("sha256") == sha256_of(picture) else OTHER


def paint_all(
    tasks: Sequence[Task],
    *,
    options: Mapping[str, Any],
    size: int,
    seed: int,
    on_evaluations: Callable[[int, int], None],
    on_picture: Callable[[], object],
    on_failure: Callable[[str], None],
) -> None:
    """Paints a variant's pictures in a new process, and waits for it.

    Ctrl-C ends both; pictures are written atomically.

    Args:
        tasks: the pictures.
        options: the variant's options.
        size: the side of the square pictures.
        seed: the seed of all random numbers.
        on_evaluations: called with the numbers of finished and of all evaluations of
            the current picture.
        on_picture: called when a picture is written.
        on_failure: called with a sentence for each picture that could not be painted.

    Raises:
        NstjaxError: if the variant cannot run at all, or its process dies.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    painter = context.Process(
        target=_paint,
        args=(list(tasks), dict(options), size, seed, theirs),
        daemon=True,
    )
    with _ignoring_interrupts():
        painter.start()
    theirs.close()
    finished = False
    try:
        while not finished:
            kind, *facts = ours.recv()
            if kind == "evaluations":
                on_evaluations(*facts)
            elif kind == "picture":
                on_picture()
            elif kind == "failed":
                on_failure(*facts)
            elif kind == "error":
                raise NstjaxError(*facts)
            finished = kind == "finished"
    except EOFError:
        painter.join(_PATIENCE)
        raise NstjaxError(
            f"the process that paints with {options['method']} ended early (status "
            f"{painter.exitcode}; memory may have run out); repeat the command to "
            "continue"
        ) from None
    finally:
        if not finished:
            painter.terminate()
        painter.join(_PATIENCE)
        if painter.is_alive():
            painter.kill()
            painter.join()
        ours.close()


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """For starting a process that inherits this, since its parent ends it."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, where no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _postponing_termination() -> Iterator[None]:
    """For writing: a request to end the process waits until the file is written.

    At all other times, SIGTERM ends it at once. An exception raised by a signal could
    surface anywhere, even while the interpreter is exiting.
    """
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if asked:
        sys.exit(1)


@contextlib.contextmanager
def _ending_unheard() -> Iterator[None]:
    """For a process that reports to a parent: if that was killed, it ends quietly."""
    try:
        yield
    except BrokenPipeError as error:
        # Its frames hold the unsent data, and Python 3.13 complains about the buffer
        # when all of them are collected at once.
        error.__traceback__ = None
        sys.exit(1)


@_ending_unheard()
def _paint(
    tasks: Sequence[Task],
    options: Mapping[str, Any],
    size: int,
    seed: int,
    connection: Connection,
) -> None:
    """The main function of the painter's process."""
    try:
        networks = planning.load_networks(options)
    except NstjaxError as error:
        connection.send(("error", str(error)))
        return
    first = True
    for task in tasks:
        # If it fails, the picture is missing, so that no older one is used instead.
        task.picture.unlink(missing_ok=True)
        try:
            record = _paint_one(task, options, networks, size, seed, connection)
        except NstjaxError as error:
            connection.send(("failed", f"{task.picture} could not be made: {error}"))
            continue
        with _postponing_termination():
            _write(task, *record, first=first)
        first = False
        connection.send(("picture",))
    connection.send(("finished",))


def _paint_one(
    task: Task,
    options: Mapping[str, Any],
    networks: Any,
    size: int,
    seed: int,
    connection: Connection,
) -> tuple[np.ndarray, float, str]:
    """Paints one picture; returns it with its seconds and the reason for ending."""
    plan = planning.make_plan(
        prepare_picture(task.content, size),
        [prepare_picture(task.style, size)],
        options=options,
        size=(size, size),
        seed=seed,
        networks=networks,
    )
    begin = time.perf_counter()
    outcome = planning.run(
        plan,
        on_progress=lambda progress: connection.send(
            ("evaluations", progress.evaluations, progress.requested)
        ),
    )
    image = planning.finish(plan, outcome.image)
    return image, time.perf_counter() - begin, outcome.reason


def _write(
    task: Task, image: np.ndarray, seconds: float, reason: str, *, first: bool
) -> None:
    # The record is written first and contains the picture's hash, so a crash between
    # the two leaves a record without a picture, which does no harm.
    task.picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=task.picture.parent) as folder:
        draft = Path(folder) / task.picture.name
        write_image(draft, image)
        record = {
            "request": task.request,
            "sha256": sha256_of(draft),
            "seconds": seconds,
            "first": first,
            "reason": reason,
            "memory": _peak_memory(),
            "device_memory": _device_memory(),
        }
        write_json(task.record, record)
        draft.replace(task.picture)


def _peak_memory() -> int | None:
    """The peak memory of this process in bytes, if the system reports it."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Unlike getrusage, this does not include the parent process.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device_memory() -> int | None:
    """The peak memory of an accelerator in bytes; None on CPUs."""
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
