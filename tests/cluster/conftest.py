"""Small pictures for painters that are no command."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def make_pictures() -> Callable[..., Path]:
    """Fills a folder with smooth random pictures, and returns it."""

    def make(folder: Path, count: int, size: tuple[int, int] = (40, 40)) -> Path:
        folder.mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
            picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
            picture.save(folder / f"{number:04}.png")
        return folder

    return make
