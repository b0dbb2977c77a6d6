"""Where a config's training pictures come from."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from nstjax.errors import NstjaxError
from nstjax.io.crops import Crop
from nstjax.io.datasets import (
    Source,
    Stream,
    Subset,
    open_source,
    picture_loader,
    split_source,
)
from nstjax.io.levels import to_uint8

# Times that a picture of usual texture stands in a source that is drawn by texture.
_TIMES = 4

_NO_DATA = (
    "no training pictures: give --config.content=FOLDER and --config.style=FOLDER, "
    "or try the trainer with --config.data=demo"
)


def content_source(config: ConfigDict) -> Source:
    """The content pictures that a config names, or the demonstration's."""
    if config.data == "demo":
        from nstjax import examples

        names = examples.content_names()
        images = [examples.content_image(name) for name in names]
        return [to_uint8(image) for image in images]
    _check(config)
    if not config.content:
        raise NstjaxError(_NO_DATA)
    return open_source(config.content)


def style_source(config: ConfigDict) -> Source:
    """The style pictures that a config names, or the demonstration's."""
    if config.data == "demo":
        from nstjax import examples

        return [examples.style_path(name) for name in examples.style_names()]
    _check(config)
    if not config.style:
        raise NstjaxError(_NO_DATA)
    return open_source(config.style)


def pictures_of(config: ConfigDict) -> Source:
    """Content and style pictures in one source, for networks that take either."""
    return Joined(content_source(config), style_source(config))


def content_and_style(
    config: ConfigDict, *, style_prefix: str = ""
) -> tuple[dict[str, Stream], dict[str, Stream]]:
    """Streams "content" and "style", to train on and to validate on.

    Args:
        config: a training config.
        style_prefix: of the leaves that say how styles are cut; see `make_crop`.
    """
    load = {
        "content": picture_loader(make_crop(config)),
        "style": picture_loader(make_crop(config, prefix=style_prefix)),
    }
    parts = {
        "content": split_source(
            content_source(config), every=config.validation_every_nth
        ),
        "style": split_source(style_source(config), every=config.validation_every_nth),
    }
    training, validation = (
        {name: Stream(parts[name][part], load[name]) for name in parts}
        for part in range(2)
    )
    return training, validation


def make_crop(config: ConfigDict, *, prefix: str = "") -> Crop:
    """How pictures are cut: the leaves crop_size, short_side, largest_scale, flip.

    Args:
        config: a training config.
        prefix: of the leaves' names, such as "style_".
    """
    return Crop(
        config[f"{prefix}crop_size"],
        config[f"{prefix}short_side"],
        config[f"{prefix}largest_scale"],
        flip=config.flip,
    )


def texture(picture: np.ndarray) -> float:
    """How much goes on in a picture.

    Its logarithm and that of the norm of VGG-19's Gram matrix at relu2_2, which takes
    far longer, correlate by .85 among paintings.

    Args:
        picture: [H, W, 3], uint8, of even sides.

    Returns:
        The mean square by which neighbours differ in grey at half of the sides, in
        levels of 255.
    """
    height, width, _ = picture.shape
    blocks = picture.reshape(height // 2, 2, width // 2, 2, 3)
    grey = blocks.mean(axis=(1, 3, 4), dtype=np.float32)
    return sum(float(np.square(np.diff(grey, axis=axis)).mean()) for axis in range(2))


def likelihood(textures: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """How often to draw pictures: by their textures over the median, within bounds.

    What people paint in has more texture than most of what museums have.
    """
    usual = max(float(np.median(textures)), 1e-6)
    return np.clip(textures / usual, *bounds)


def by_texture(stream: Stream, bounds: tuple[float, float], *, threads: int) -> Stream:
    """A stream whose pictures come as often as `likelihood` says.

    All of them are read once, with a bar, when the source is first looked into. One
    that cannot be read counts as usual.
    """
    return Stream(_ByTexture(stream, bounds, threads), stream.load)


class _ByTexture:
    """The source of `by_texture`."""

    def __init__(self, stream: Stream, bounds: tuple[float, float], threads: int):
        self._stream, self._bounds, self._threads = stream, bounds, threads

    @functools.cached_property
    def _pictures(self) -> Subset:
        source, load = self._stream.source, self._stream.load

        def measure(number: int) -> float:
            try:
                return texture(load(source[number], None))
            except Exception:  # Pillow raises nearly anything
                return np.nan

        count = len(source)
        with ThreadPoolExecutor(max(self._threads, 1)) as pool:
            measured = pool.map(measure, range(count))
            bar = tqdm(measured, "textures", count, unit="picture", leave=False)
            found = np.array(list(bar))
        known = found[~np.isnan(found)]
        # Where none can be read, what reads batches says what is wrong.
        found = np.where(np.isnan(found), np.median(known) if len(known) else 0, found)
        times = np.rint(_TIMES * likelihood(found, self._bounds)).astype(int)
        return Subset(source, np.repeat(np.arange(count), times.clip(min=1)))

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Any:
        return self._pictures[index]


class Joined:
    """Two sources, one after the other."""

    def __init__(self, first: Source, second: Source) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, index: int):
        if index < len(self._first):
            return self._first[index]
        return self._second[index - len(self._first)]


def _check(config: ConfigDict) -> None:
    if config.data != "folders":
        raise NstjaxError(f"--config.data must be folders or demo, not {config.data!r}")
