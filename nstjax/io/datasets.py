"""Training pictures: folders and prepared TFDS directories, by way of grain.

The order is a function of the seed alone, so that a run can be resumed at any
batch, with any number of reading threads or hosts, and see the same pictures.
"""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")

# Pictures in a row that may be unreadable before it is taken for an error.
_MOST_CORRUPT_IN_A_ROW = 100


class Source(Protocol):
    """Random access to pictures, as grain wants it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class CorruptCounter:
    """Counts skipped pictures across reading threads and remembers their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def add(self, name: str) -> None:
        """Notes one unreadable picture; the same one counts once."""
        with self._lock:
            self._names.add(name)

    @property
    def names(self) -> list[str]:
        """The unreadable pictures so far."""
        with self._lock:
            return sorted(self._names)


def open_source(path: str | Path) -> Source:
    """Opens a folder of pictures or a prepared TFDS directory.

    A folder is searched with its subfolders. A TFDS directory is one that
    holds ``dataset_info.json``, as written by ``download_and_prepare`` with
    the file format array_record; its train split is used.

    Returns:
        A sequence of paths, or of TFDS examples with the key "image".

    Raises:
        NstjaxError: if there is no such folder or no picture in it.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        raise NstjaxError(f"there is no folder of training pictures {path}")
    if (path / "dataset_info.json").is_file():
        return _open_tfds(path)
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        raise NstjaxError(
            f"the folder {path} has no pictures ({', '.join(PICTURE_SUFFIXES)})"
        )
    return files


def _open_tfds(path: Path) -> Source:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(path))
        source = builder.as_data_source(split="train")
    except (ValueError, AssertionError, NotImplementedError) as error:
        raise NstjaxError(
            f"the TFDS directory {path} cannot be read without TensorFlow; prepare "
            "it with file_format='array_record' and a train split"
        ) from error
    if not len(source) or "image" not in source[0]:
        raise NstjaxError(f"the TFDS directory {path} has no feature named 'image'")
    return source


def split_source(source: Source, *, every: int) -> tuple[Source, Source]:
    """Splits off every `every`-th picture for validation.

    Returns:
        The training part and the validation part. A source too short to
        split, or `every` of 0, is used for both.
    """
    indices = np.arange(len(source))
    held_out = indices % every == 0 if every else np.zeros(len(source), bool)
    if not held_out.any() or held_out.all():
        return source, source
    return _Subset(source, indices[~held_out]), _Subset(source, indices[held_out])


@dataclasses.dataclass(frozen=True)
class _Subset:
    source: Source
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.source[int(self.indices[index])]


@dataclasses.dataclass(frozen=True)
class Crop:
    """How a picture becomes a training example.

    Attributes:
        size: side of the square that is cut out, in pixels.
        short_side: what the shorter side is scaled to before (512 and a size
            of 256 are the published ones); smaller pictures are enlarged.
        largest_scale: scale augmentation: the shorter side is scaled to
            between `short_side` and this many times it, log-uniformly.
        flip: whether half of the crops are mirrored left to right.
    """

    size: int
    short_side: int
    largest_scale: float = 1.0
    flip: bool = False

    def __post_init__(self):
        if not 0 < self.size <= self.short_side or self.largest_scale < 1:
            raise NstjaxError(
                f"a crop of {self.size} px needs a short side of at least that, not "
                f"{self.short_side}, and a largest scale of 1 or more, not "
                f"{self.largest_scale}"
            )

    def box(
        self, width: int, height: int, random: np.random.Generator | None
    ) -> tuple[float, float, float, float]:
        """Chooses the region to cut from a picture of the given size.

        Returns:
            Left, upper, right, lower in the picture's own pixels: the middle
            one at the base scale where `random` is None.
        """
        scale = min(width, height) / self.short_side
        if random is None:
            side = self.size * scale
            left, upper = (width - side) / 2, (height - side) / 2
        else:
            zoom = np.exp(random.uniform(0, np.log(self.largest_scale)))
            side = self.size * scale / zoom
            left = random.uniform(0, width - side)
            upper = random.uniform(0, height - side)
        return left, upper, left + side, upper + side


def cut(image: Image.Image, crop: Crop, random: np.random.Generator | None):
    """Scales and cuts a picture in one resampling.

    Args:
        image: any Pillow picture; becomes RGB.
        crop: what to cut.
        random: where to cut; None cuts the middle.

    Returns:
        uint8 array [size, size, 3].
    """
    box = crop.box(*image.size, random)
    # A JPEG is decoded at a reduced size where that is still large enough.
    # The draft's size is rounded, so the box is scaled by what came of it.
    original = image.size
    shrink = (box[2] - box[0]) / crop.size
    if shrink >= 2:
        image.draft("RGB", tuple(int(s / shrink) for s in original))
    ratios = [new / old for new, old in zip(image.size, original, strict=True)] * 2
    scaled = [edge * ratio for edge, ratio in zip(box, ratios, strict=True)]
    limits = (*image.size, *image.size)
    scaled = [
        min(max(edge, 0), limit) for edge, limit in zip(scaled, limits, strict=True)
    ]
    cropped = image.convert("RGB").resize(
        (crop.size, crop.size), Image.Resampling.BICUBIC, box=tuple(scaled)
    )
    array = np.asarray(cropped)
    if crop.flip and random is not None and random.random() < 0.5:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def open_picture(item: Any) -> Image.Image:
    """Opens a source's item: a path, an array, or a TFDS example."""
    if isinstance(item, Mapping):
        item = item["image"]
    if isinstance(item, np.ndarray):
        return Image.fromarray(item if item.ndim == 2 else np.squeeze(item))
    return Image.open(item)


# What makes an example of a source's item; random is None in validation.
Load = Callable[[Any, np.random.Generator | None], np.ndarray]


def picture_loader(crop: Crop) -> Load:
    """A `Load` that cuts one square out of a picture."""

    def load(item: Any, random: np.random.Generator | None) -> np.ndarray:
        with open_picture(item) as image:
            return cut(image, crop, random)

    return load


@dataclasses.dataclass(frozen=True)
class Stream:
    """One named entry of a batch: a source and what is made of its items."""

    source: Source
    load: Load


class _Examples:
    """A stream's items as (position, index) pairs that `_Reader` turns into arrays.

    grain shuffles positions; the reader needs the index too, to move on from
    a picture that cannot be read.
    """

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> int:
        return int(index)


def make_batches(
    streams: Mapping[str, Stream],
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    threads: int = 2,
    process: int = 0,
    processes: int = 1,
    corrupt: CorruptCounter | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless shuffled batches.

    Args:
        streams: entries of a batch by name; each shuffles on its own.
        batch_size: examples of all hosts together.
        seed: of the order and of the crops.
        start: number of batches to skip; the rest is as if they had been read.
        threads: reading threads.
        process, processes: this host's number, and how many there are. Host p
            reads the p-th contiguous part of every batch.
        corrupt: told of pictures that could not be read and were replaced by
            the next readable one.

    Yields:
        ``{name: uint8 [batch_size / processes, H, W, C]}``.

    Raises:
        NstjaxError: if the batch cannot be split evenly over the hosts.
    """
    import grain

    if batch_size % processes:
        raise NstjaxError(
            f"a batch of {batch_size} cannot be split over {processes} hosts"
        )
    corrupt = corrupt or CorruptCounter()
    parents = []
    for number, (name, stream) in enumerate(sorted(streams.items())):
        reader = _Reader(stream, corrupt)
        dataset = (
            grain.MapDataset.source(_Examples(len(stream.source)))
            .seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
            .shuffle()
            .repeat()
            .random_map(_Named(name, reader))
        )
        parents.append(dataset)
    dataset = grain.experimental.ZipMapDataset(parents).map(_merge)
    local = batch_size // processes
    rows = grain.MapDataset.source(
        _ProcessRows(dataset, batch_size, local, process, len(dataset))
    )
    batched = rows.batch(local, drop_remainder=True)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    return iter(batched[start:].to_iter_dataset(options))


def fixed_batches(
    streams: Mapping[str, Stream], *, batch_size: int, count: int
) -> list[dict[str, np.ndarray]]:
    """The first `count` batches in order with middle crops, for validation.

    Short sources start over, so that every batch is full.
    """
    corrupt = CorruptCounter()
    batches = []
    for start in range(0, count * batch_size, batch_size):
        batch = {}
        for name, stream in streams.items():
            reader = _Reader(stream, corrupt)
            batch[name] = np.stack(
                [reader.read(start + row, None) for row in range(batch_size)]
            )
        batches.append(batch)
    return batches


@dataclasses.dataclass(frozen=True)
class _Reader:
    stream: Stream
    corrupt: CorruptCounter

    def read(self, index: int, random: np.random.Generator | None) -> np.ndarray:
        length = len(self.stream.source)
        # A substitute rather than a gap: batches keep their numbers, so that
        # resuming stays exact.
        for offset in range(min(length, _MOST_CORRUPT_IN_A_ROW)):
            item = self.stream.source[(index + offset) % length]
            try:
                return self.stream.load(item, random)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                self.corrupt.add(str(item) if isinstance(item, Path) else f"#{index}")
        raise NstjaxError(
            "none of the training pictures tried can be read; check the folder"
        )


@dataclasses.dataclass(frozen=True)
class _Named:
    name: str
    reader: _Reader

    def __call__(self, index: int, random: np.random.Generator):
        return {self.name: self.reader.read(index, random)}


def _merge(entries: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: array for entry in entries for name, array in entry.items()}


@dataclasses.dataclass(frozen=True)
class _ProcessRows:
    """The examples of one host, out of all hosts' batches."""

    dataset: Any
    batch_size: int
    local: int
    process: int
    length: int

    def __len__(self) -> int:
        return self.length // self.batch_size * self.local

    def __getitem__(self, index: int) -> Any:
        batch, row = divmod(index, self.local)
        return self.dataset[batch * self.batch_size + self.process * self.local + row]
