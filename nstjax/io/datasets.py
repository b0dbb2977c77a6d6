"""Training pictures: folders and prepared TFDS directories, read with grain.

The order depends on the seed only, so a run can be resumed at any batch, with any
number of reading threads or hosts, and gets the same pictures.
"""

import dataclasses
import io
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.interrupts import SIGNALS
from nstjax.io import images
from nstjax.io.crops import Crop, cut
from nstjax.io.images import PICTURE_SUFFIXES

if TYPE_CHECKING:
    import grain

# How many consecutive pictures may be unreadable before it counts as an error.
_MOST_CORRUPT_IN_A_ROW = 100
# The suffix of the entry that lists the pictures skipped for another entry, and the
# separator of their names, which no file name contains.
_SKIPPED = "/skipped"
_SEPARATOR = "\0"


class Source(Protocol):
    """Random access to pictures, as grain needs it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


def open_source(path: str | Path) -> Source:
    """Opens a folder of pictures or a prepared TFDS directory.

    A folder is searched with its subfolders, except hidden ones. A TFDS directory
    contains ``dataset_info.json``, as written by ``nstjax prepare-data`` or by
    ``download_and_prepare`` with the file format array_record; its train split is used.

    Returns:
        A sequence of paths, or of TFDS examples with the key "image".

    Raises:
        NstjaxError: if the folder does not exist or has no pictures.
    """
    path = Path(path).expanduser()
    if not os.path.isdir(path):
        raise NstjaxError(f"there is no folder of training pictures {path}")
    if (path / "dataset_info.json").is_file():
        from nstjax.io.tfds_folder import open_prepared

        source = open_prepared(path)
    else:
        source = find_pictures(path)
    if not len(source):
        raise NstjaxError(
            f"the folder {path} has no pictures ({', '.join(PICTURE_SUFFIXES)})"
        )
    return source


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and its subfolders by suffix, sorted.

    Symbolic links are followed, each folder once. Hidden files and folders are skipped,
    and so are pictures of unsupported formats, with a warning that counts them.
    """
    files: list[Path] = []
    skipped: list[Path] = []
    visited = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith("."):
                kept = name.lower().endswith(PICTURE_SUFFIXES)
                (files if kept else skipped).append(Path(parent, name))
    images.warn_of_skipped(folder, skipped)
    return sorted(files)


def split_source(source: Source, *, every: int) -> tuple[Source, Source]:
    """Splits off every `every`-th picture for validation.

    Returns:
        The training part and the validation part. If the source is too short to split,
        or `every` is 0, it is used for both.
    """
    indices = np.arange(len(source))
    held_out = indices % every == 0 if every else np.zeros(len(source), bool)
    if not held_out.any() or held_out.all():
        return source, source
    return Subset(source, indices[~held_out]), Subset(source, indices[held_out])


@dataclasses.dataclass(frozen=True)
class Subset:
    """A selection of a source's pictures, by `indices`, which may repeat."""

    source: Source
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.source[int(self.indices[index])]


def open_picture(item: Any) -> Image.Image:
    """Opens a source's item: a path, a uint8 array, or a TFDS example."""
    if isinstance(item, Mapping):
        item = item["image"]
    if isinstance(item, np.ndarray):
        return Image.fromarray(item)
    return images.open_picture(io.BytesIO(item) if isinstance(item, bytes) else item)


# Makes an example from a source's item; random is None in validation.
Load = Callable[[Any, np.random.Generator | None], np.ndarray]


def picture_loader(crop: Crop) -> Load:
    """A `Load` that crops a square from a picture."""

    def load(item: Any, random: np.random.Generator | None) -> np.ndarray:
        with open_picture(item) as image:
            return cut(image, crop, random)

    return load


@dataclasses.dataclass(frozen=True)
class Stream:
    """One named entry of a batch: a source, and how to make examples from its items."""

    source: Source
    load: Load


def make_batches(
    streams: Mapping[str, Stream],
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    threads: int = 2,
    workers: int = 0,
    rows: tuple[int, int] | None = None,
    corrupt: set[str] | None = None,
) -> Generator[dict[str, np.ndarray], None, None]:
    """Endless shuffled batches.

    Args:
        streams: the entries of a batch by name, which are shuffled separately.
        batch_size: the number of examples on all hosts together.
        seed: the seed of the order and the crops.
        start: the number of batches to skip; the rest is as if they had been read.
        threads: the number of threads that read ahead, two batches each; 0 reads on
            demand.
        workers: the number of processes, each with that many threads, which read whole
            batches in turn; 0 uses threads of this process, which share one
            interpreter: more than four hardly help.
        rows: the first row of every batch that this host reads, and the row after its
            last; by default all rows.
        corrupt: receives the names of pictures that could not be read and were replaced
            by the next readable one.

    Yields:
        ``{name: uint8 [rows, H, W, C]}``. Close the generator to end its workers.

    Raises:
        NstjaxError: while iterating, if a hundred consecutive pictures are unreadable.
    """
    import grain

    parents = []
    for number, (name, stream) in enumerate(sorted(streams.items())):
        dataset = (
            grain.MapDataset.range(len(stream.source))
            .seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
            .shuffle()
            .repeat()  # in a different order each time
            .random_map(_ReadAs(name, stream))
        )
        parents.append(dataset)
    dataset = grain.experimental.ZipMapDataset(parents).map(_merge)
    first, end = rows or (0, batch_size)
    local = grain.MapDataset.source(
        _HostRows(dataset, batch_size, first, end - first, len(dataset))
    )
    batched = local.batch(end - first, drop_remainder=True)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    reading = batched[start:].to_iter_dataset(options)
    if workers:
        from absl import flags

        # grain reads its own flags, which only absl programs parse.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        reading = reading.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=workers),
            worker_init_fn=_begin_worker,
        )
    return _without_skipped(reading, set() if corrupt is None else corrupt)


def fixed_batches(
    streams: Mapping[str, Stream], *, batch_size: int, count: int
) -> list[dict[str, np.ndarray]]:
    """The first `count` batches in order with central crops, for validation.

    Short sources are repeated, so that every batch is full.
    """
    return [
        {
            name: np.stack(
                [_read(stream, start + row, None)[0] for row in range(batch_size)]
            )
            for name, stream in streams.items()
        }
        for start in range(0, count * batch_size, batch_size)
    ]


def _read(
    stream: Stream, index: int, random: np.random.Generator | None
) -> tuple[np.ndarray, list[str]]:
    """An example, and the names of pictures before it that could not be read."""
    length = len(stream.source)
    skipped: list[str] = []
    # A substitute instead of a gap: batches keep their numbers, so resuming is exact.
    for offset in range(min(length, _MOST_CORRUPT_IN_A_ROW)):
        number = (index + offset) % length
        item = None
        try:
            item = stream.source[number]
            return stream.load(item, random), skipped
        except Exception as error:  # Pillow raises nearly anything
            skipped.append(_name_of(item, number))
            reason = error
    raise NstjaxError(
        f"none of the training pictures tried can be read, such as {skipped[-1]} "
        f"({' '.join(str(reason).split())}); check the folder"
    ) from reason


def _name_of(item: Any, number: int) -> str:
    if isinstance(item, Mapping) and "filename" in item:
        item = item["filename"]
    if isinstance(item, bytes):
        item = item.decode(errors="replace")
    return str(item) if isinstance(item, str | Path) else f"picture {number}"


@dataclasses.dataclass(frozen=True)
class _ReadAs:
    """Reads a numbered example into a batch's entry of one name.

    The names of skipped pictures are passed in a separate entry, since a worker has no
    other way to report them.
    """

    name: str
    stream: Stream

    def __call__(self, index: int, random: np.random.Generator):
        example, skipped = _read(self.stream, int(index), random)
        return {
            self.name: example,
            f"{self.name}{_SKIPPED}": np.array(_SEPARATOR.join(skipped)),
        }


def _without_skipped(
    reading: "grain.IterDataset[dict[str, np.ndarray]]", corrupt: set[str]
) -> Generator[dict[str, np.ndarray], None, None]:
    batches = iter(reading)
    try:
        for batch in batches:
            for name in [name for name in batch if name.endswith(_SKIPPED)]:
                for names in filter(None, batch.pop(name)):
                    corrupt.update(str(names).split(_SEPARATOR))
            yield batch
    finally:
        batches.close()


def _begin_worker(number: int, count: int) -> None:
    """Makes a worker end exactly when its run does, however that ends."""
    del number, count
    # Every process of the terminal gets Ctrl-C, but the run decides how to react.
    # The same for a closed terminal.
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # Pillow's warnings about damaged files
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A run that is killed cannot tell its workers, which would wait forever.
    parent = multiprocessing.parent_process()
    assert parent is not None  # only workers run this
    parent.join()
    os._exit(1)


def _merge(entries: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: array for entry in entries for name, array in entry.items()}


@dataclasses.dataclass(frozen=True)
class _HostRows:
    """The examples of one host from the batches of all hosts."""

    dataset: Any
    batch_size: int
    first: int
    count: int
    length: int

    def __len__(self) -> int:
        return self.length // self.batch_size * self.count

    def __getitem__(self, index: int) -> Any:
        batch, row = divmod(index, self.count)
        return self.dataset[batch * self.batch_size + self.first + row]
