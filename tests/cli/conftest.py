"""Small pictures for the tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save_picture() -> Callable[[Path, tuple[int, int], int], str]:
    """Writes a smooth random picture of (width, height), and returns its path."""

    def save(path: Path, size: tuple[int, int], seed: int) -> str:
        noise = np.random.default_rng(seed).uniform(0, 255, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)
        return str(path)

    return save


@pytest.fixture
def pictures(tmp_path, save_picture) -> dict[str, str]:
    return {
        "content": save_picture(tmp_path / "content.png", (70, 51), 0),
        "style": save_picture(tmp_path / "style.jpg", (64, 64), 1),
        "other": save_picture(tmp_path / "other.png", (48, 90), 2),
    }
