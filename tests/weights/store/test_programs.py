"""Programs that the next process runs: the right ones, and never needed."""

import jax
import numpy as np
import pytest

from nstjax.weights.store import programs
from nstjax.weights.store.programs import CachedJit, keep_programs_in

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_on_one_cpu", lambda: True)
    keep_programs_in(tmp_path / "programs")
    yield tmp_path / "programs"
    keep_programs_in(None)


class Traced:
    """A function as every process makes it anew, that counts its traces."""

    def __init__(self, options=("a",)):
        self.count = 0
        self.call = CachedJit(
            self.function,
            name="affine",
            options=options,
            outputs=2,
            static_argnums=(2,),
        )

    def function(self, params, x, power, nothing):
        assert nothing is None
        self.count += 1
        return params["scale"] * x**power, x.sum()


PARAMS = {"scale": np.float32([2, 3])}
X = np.float32([[1, 2], [3, 4]])


def check(found, power=2):
    scaled, total = found
    np.testing.assert_allclose(scaled, [2, 3] * X**power)
    assert float(total) == 10


def test_the_next_process_does_not_trace(folder):
    first, second = Traced(), Traced()
    check(first.call(PARAMS, X, 2, None))
    check(first.call(PARAMS, X, 2, None))
    check(second.call(PARAMS, X, 2, None))
    assert (first.count, second.count) == (1, 0)
    assert len(list(folder.iterdir())) == 1


def test_other_shapes_options_and_sources_are_other_programs(folder, monkeypatch):
    Traced().call(PARAMS, X, 2, None)
    again = Traced()
    check(again.call(PARAMS, X, 3, None), power=3)
    again.call(PARAMS, X[:1], 2, None)
    again.call(PARAMS, X.astype(np.int32), 2, None)
    again.call({"scale": np.float32([2])}, X, 2, None)
    again.call({"scale": np.float32([2])}, X, 2, None)
    assert again.count == 4
    other = Traced(options=("b",))
    other.call(PARAMS, X, 2, None)
    monkeypatch.setattr(programs, "_sources", lambda: "edited")
    edited = Traced()
    edited.call(PARAMS, X, 2, None)
    assert (other.count, edited.count) == (1, 1)


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x80\x04N."])
def test_damaged_programs_are_made_anew(content, folder):
    Traced().call(PARAMS, X, 2, None)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    again, then = Traced(), Traced()
    check(again.call(PARAMS, X, 2, None))
    check(then.call(PARAMS, X, 2, None))
    assert (again.count, then.count) == (1, 0)


def test_a_folder_that_cannot_be_written_is_no_matter(tmp_path, folder):
    (tmp_path / "file").write_text("")
    keep_programs_in(tmp_path / "file" / "programs")
    check(Traced().call(PARAMS, X, 2, None))


def test_programs_unused_for_longest_go_first(folder, monkeypatch):
    function = Traced()
    function.call(PARAMS, X, 2, None)
    (oldest,) = folder.iterdir()
    monkeypatch.setattr(programs, "_MOST_BYTES", int(2.5 * oldest.stat().st_size))
    for power in (3, 4):
        function.call(PARAMS, X, power, None)
    kept = set(folder.iterdir())
    assert len(kept) == 2 and oldest not in kept


def test_without_a_folder_it_is_jit():
    function = Traced()
    check(function.call(PARAMS, jax.numpy.asarray(X), 2, None))
    assert function.count == 1
