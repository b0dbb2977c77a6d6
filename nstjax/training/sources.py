"""The sources of a config's training pictures."""

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

# How often a picture of average texture occurs in a source weighted by texture.
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
    """Content and style pictures in one source, for networks that accept both."""
    return Joined(content_source(config), style_source(config))


def content_and_style(
    config: ConfigDict, *, style_prefix: str = ""
) -> tuple[dict[str, Stream], dict[str, Stream]]:
    """The streams "content" and "style" for training and validation.

    Args:
        config: a training config.
        style_prefix: the prefix of the entries for cropping styles; see `make_crop`.
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
    """The cropping that a config's crop_size, short_side, largest_scale and flip set.

    Args:
        config: a training config.
        prefix: a prefix of these entries' names, such as "style_".
    """
    return Crop(
        config[f"{prefix}crop_size"],
        config[f"{prefix}short_side"],
        config[f"{prefix}largest_scale"],
        flip=config.flip,
    )


def texture(picture: np.ndarray) -> float:
    """A measure of how much texture a picture has.

    Among paintings, its logarithm has a correlation of 0.85 with that of the norm of
    VGG-19's Gram matrix at relu2_2, which takes far longer to compute.

    Args:
        picture: [H, W, 3], uint8, with even sides.

    Returns:
        The mean squared difference of neighbours in the grey picture at half size, on a
        scale of 0 to 255.
    """
    height, width, _ = picture.shape
    blocks = picture.reshape(height // 2, 2, width // 2, 2, 3)
    grey = blocks.mean(axis=(1, 3, 4), dtype=np.float32)
    return sum(float(np.square(np.diff(grey, axis=axis)).mean()) for axis in range(2))


def likelihood(textures: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """How often to draw pictures: their textures divided by the median, within bounds.

    The styles that people choose have more texture than most pictures in museums.
    """
    usual = max(float(np.median(textures)), 1e-6)
    return np.clip(textures / usual, *bounds)


def by_texture(stream: Stream, bounds: tuple[float, float], *, threads: int) -> Stream:
    """A stream that draws pictures as often as `likelihood` says.

    All pictures are read once, with a progress bar, when the source is first used. A
    picture that cannot be read counts as average.
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
        # If none can be read, the reader of batches raises the error.
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
