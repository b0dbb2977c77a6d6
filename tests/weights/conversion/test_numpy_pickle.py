"""Pickles of arrays: read as NumPy reads them, and nothing else is."""

import pickle

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.numpy_pickle import read_arrays
from nstjax.weights.conversion.sources import open_source

TREE = {
    "VGG_0": {
        "kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "transposed": np.arange(6, dtype=">f8").reshape(2, 3).T,
    },
    "count": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float16),
    "flags": np.array([True, False]),
}


def dump(tmp_path, content, protocol=4):
    path = tmp_path / "x.ckpt"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_are_those_that_numpy_reads(tmp_path, protocol):
    path = dump(tmp_path, TREE, protocol)
    found = {name: tensor.read() for name, tensor in read_arrays(path).items()}
    expected = {f"VGG_0/{name}": value for name, value in TREE["VGG_0"].items()}
    expected |= {name: value for name, value in TREE.items() if name != "VGG_0"}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
    assert open_source(path).tensors.keys() == expected.keys()


class _Runs:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": _Runs()}, "refused because it asks for builtins.print"),
        ({"a": np.array(["text"])}, "refused because it asks for an array of type U4"),
        ({"a": np.array([{}], object)}, "an array of type O8"),
        ({"a": np.zeros(2, [("x", "f4")])}, "an array of type V4"),
        ({"a": 1}, "a int where arrays belong"),
        ({1: np.zeros(2)}, "a int where a name belongs"),
        (np.zeros(2), "an array without a name"),
    ],
)
def test_everything_else_is_refused(tmp_path, capsys, content, message):
    with pytest.raises(NstjaxError, match=message):
        read_arrays(dump(tmp_path, content))
    assert "executed" not in capsys.readouterr().out


def test_damaged_files_are_refused(tmp_path):
    whole = dump(tmp_path, TREE).read_bytes()
    path = tmp_path / "cut.ckpt"
    for length in range(2, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(NstjaxError):
            read_arrays(path)


def test_shapes_must_fit_the_bytes(tmp_path):
    whole = dump(tmp_path, {"a": np.zeros(5, np.float32)}, 3).read_bytes()
    # (5,) as BININT1, TUPLE1.
    assert whole.count(b"K\x05\x85") == 1
    path = tmp_path / "x.ckpt"
    path.write_bytes(whole.replace(b"K\x05\x85", b"K\x06\x85"))
    with pytest.raises(NstjaxError, match=r"shape \(6,\) in 20 bytes"):
        read_arrays(path)
