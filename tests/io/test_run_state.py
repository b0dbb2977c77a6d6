from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.run_state import load_run_state, read_run_options, save_run_state


class Inner(NamedTuple):
    blocks: tuple
    known: np.ndarray


class State(NamedTuple):
    x: np.ndarray
    inner: Inner
    count: np.ndarray


STATE = State(
    x=np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 2, 2, 3).transpose(0, 2, 1, 3),
    inner=Inner(
        blocks=(np.arange(6.0).reshape(2, 3), np.float64([[np.nan, np.inf, -0.0]])),
        known=np.array(True),
    ),
    count=np.int32(7),
)
TRACE = {"total": np.float32([3, 2, 1]), "term/style": np.float32([1, 1, 0])}
OPTIONS = {"method": "gatys", "size": 256, "layers": ("relu1_1", "relu2_1")}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run" / "state.safetensors"
    save_run_state(path, STATE, options=OPTIONS, trace=TRACE)
    return path


def load(path, like=STATE, options=OPTIONS):
    return load_run_state(path, like=like, options=options)


def assert_refused(path, match, **arguments):
    with pytest.raises(NstjaxError, match=match) as caught:
        load(path, **arguments)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_comes_back_bit_for_bit(path):
    state, trace = load(path)
    assert jax.tree.structure(state) == jax.tree.structure(STATE)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, STATE)
    for leaf, expected in zip(
        jax.tree.leaves(state), jax.tree.leaves(STATE), strict=True
    ):
        assert np.asarray(leaf).tobytes() == np.asarray(expected).tobytes()
    chex.assert_trees_all_equal(trace, TRACE)


def test_needs_only_shapes_to_load(path):
    like = jax.eval_shape(lambda: jax.tree.map(jnp.zeros_like, STATE))
    like = jax.tree.map(
        lambda leaf, own: jax.ShapeDtypeStruct(leaf.shape, own.dtype), like, STATE
    )
    state, _ = load(path, like=like)
    chex.assert_trees_all_equal(state, STATE)


def test_takes_the_place_of_an_earlier_file(path):
    later = STATE._replace(count=np.int32(9))
    save_run_state(path, later, options=OPTIONS)
    state, trace = load(path)
    assert state.count == 9 and trace == {}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS | {"size": 512},
        OPTIONS | {"seed": 0},
        {"method": "gatys", "layers": ["relu1_1", "relu2_1"]},
    ],
)
def test_refuses_a_run_with_other_options(path, options):
    different = "seed" if "seed" in options else "size"
    assert_refused(
        path, rf"other options: {different} \(.* before, .* now\)", options=options
    )


@pytest.mark.parametrize(
    "like",
    [
        STATE._replace(x=np.zeros((1, 3, 2, 3), np.float32)),
        STATE._replace(x=np.zeros((1, 2, 2, 3), np.float64)),
        STATE._replace(inner=None),
        {"x": STATE.x},
    ],
    ids=["shape", "dtype", "missing", "tree"],
)
def test_refuses_another_kind_of_state(path, like):
    assert_refused(path, "another kind", like=like)


def test_tells_the_options_alone(path, tmp_path):
    assert read_run_options(path) == OPTIONS | {"layers": ["relu1_1", "relu2_1"]}
    with pytest.raises(NstjaxError, match="no state file"):
        read_run_options(tmp_path / "none")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(NstjaxError, match="damaged"):
        read_run_options(path)


def test_refuses_a_missing_file(tmp_path):
    assert_refused(tmp_path / "none", "no state file")


def test_refuses_a_folder(tmp_path):
    assert_refused(tmp_path, "no state file")


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_refuses_a_truncated_file(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert_refused(path, "damaged")


@pytest.mark.parametrize("position", [3, 60, -1, -100])
def test_refuses_a_flipped_bit(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)
    assert_refused(path, "damaged|release|another kind|other options")


def test_refuses_other_safetensors_files(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "weights.safetensors"
    save_file({"kernel": np.zeros(3)}, path)
    assert_refused(path, "not a state file")


def test_cannot_write_where_there_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NstjaxError, match="cannot be written"):
        save_run_state(tmp_path / "file" / "state", STATE, options=OPTIONS)


def test_says_which_picture_is_another(tmp_path):
    """Of several hashes; their beginning alone would be the same text twice."""
    pictures, others = (["a" * 64, last * 64] for last in "bc")
    save_run_state(tmp_path / "x", {"x": np.zeros(2)}, options={"pictures": pictures})
    with pytest.raises(NstjaxError, match=r"pictures\[1\] \(b{40}.* before, c{40}"):
        load_run_state(
            tmp_path / "x", like={"x": np.zeros(2)}, options={"pictures": others}
        )
