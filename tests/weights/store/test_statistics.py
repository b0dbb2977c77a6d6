"""Statistics that an earlier process measured: the right ones, and never needed."""

import numpy as np
import pytest

from nstjax.weights.store import programs
from nstjax.weights.store.statistics import recalled

PICTURE = np.random.default_rng(0).random((4, 5, 3), np.float32)


@pytest.fixture
def folder(tmp_path):
    programs.keep_programs_in(tmp_path / "programs")
    yield tmp_path / "programs"
    programs.keep_programs_in(None)


class Measured:
    """Means and deviations of channels, and how often they were measured."""

    def __init__(self):
        self.count = 0

    def of(self, picture, options="a"):
        def measure():
            self.count += 1
            return [picture.mean((0, 1)), picture.std((0, 1))]

        mean, deviation = recalled(measure, picture, options)
        np.testing.assert_array_equal(mean, picture.mean((0, 1)))
        np.testing.assert_array_equal(deviation, picture.std((0, 1)))


def test_what_was_measured_is_recalled(folder):
    measured = Measured()
    measured.of(PICTURE)
    measured.of(PICTURE.copy())
    assert measured.count == 1 and len(list(folder.iterdir())) == 1


def test_other_pictures_options_and_sources_are_measured(folder, monkeypatch):
    measured = Measured()
    measured.of(PICTURE)
    measured.of(PICTURE[:, ::-1])
    measured.of(PICTURE.reshape(5, 4, 3))
    measured.of(PICTURE, options="b")
    monkeypatch.setattr(programs, "_sources", lambda: "edited")
    measured.of(PICTURE)
    assert measured.count == 5


@pytest.mark.parametrize("content", [b"", b"damaged", b"PK\x03\x04"])
def test_damaged_files_are_measured_anew(content, folder):
    measured = Measured()
    measured.of(PICTURE)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    measured.of(PICTURE)
    measured.of(PICTURE)
    assert measured.count == 2


def test_nothing_is_kept_where_no_folder_was_chosen(tmp_path):
    measured = Measured()
    measured.of(PICTURE)
    measured.of(PICTURE)
    # Nor where a folder cannot be written to.
    (tmp_path / "file").write_bytes(b"")
    programs.keep_programs_in(tmp_path / "file" / "programs")
    try:
        measured.of(PICTURE)
    finally:
        programs.keep_programs_in(None)
    assert measured.count == 3
