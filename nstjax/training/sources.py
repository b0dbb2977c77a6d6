"""Where a config's training pictures come from."""

import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.crops import Crop
from nstjax.io.datasets import (
    Source,
    Stream,
    open_source,
    picture_loader,
    split_source,
)

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
        return [np.rint(image * 255).astype(np.uint8) for image in images]
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
