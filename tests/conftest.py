"""Shared fixtures."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pictures and weights that some tests compare with."""
    if not _SHARED.is_dir():
        pytest.skip("needs the pictures and weights of ../shared")
    return _SHARED
