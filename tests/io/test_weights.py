"""Weight files: what goes in comes out, and nothing else is accepted."""

import dataclasses
import hashlib
import json
import os
import stat
import struct
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from nstjax.errors import NstjaxError
from nstjax.io.weights import (
    WeightsMetadata,
    check_shapes,
    flatten_params,
    load_weights,
    save_weights,
    sha256_of,
    unflatten_params,
)

_METADATA = WeightsMetadata(
    kind="vgg19",
    name="tiny",
    spec={"widths": [2, 4], "padding": "reflect", "input_map": "learned"},
    source="made up für this test",
    licence="Apache-2.0",
    origin_sha256="ab" * 32,
    recipe="python -m nothing",
    notes={"r2": 0.5, "partner": None},
)


def tree(seed=0):
    random = np.random.default_rng(seed)
    return {
        "conv1_1": {
            "kernel": random.normal(size=(3, 3, 3, 2)).astype(np.float32),
            "bias": random.normal(size=2).astype(np.float32),
        },
        "deep": {"er": {"scale": np.float32(3.5)}},
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.safetensors"


def header_and_tensors(path):
    """Parses safetensors by hand: a length, JSON, then the bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite_header(path, change):
    header, tensors = header_and_tensors(path)
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


def rewrite_about(path, change):
    def change_header(header):
        about = json.loads(header["__metadata__"]["nstjax"])
        header["__metadata__"]["nstjax"] = json.dumps(change(about))

    rewrite_header(path, change_header)


def test_flatten_and_unflatten():
    flat = flatten_params({"a": {"b": {"c": 1}, "d": 2}, "e": 3})
    assert flat == {"a/b/c": 1, "a/d": 2, "e": 3}
    assert unflatten_params(flat) == {"a": {"b": {"c": 1}, "d": 2}, "e": 3}


def test_float32_round_trip_is_exact(path):
    save_weights(path, tree(), _METADATA)
    params, metadata = load_weights(path)
    assert metadata == _METADATA
    flat = flatten_params(params)
    assert flat.keys() == {"conv1_1/kernel", "conv1_1/bias", "deep/er/scale"}
    for name, expected in flatten_params(tree()).items():
        assert flat[name].dtype == np.float32
        np.testing.assert_array_equal(flat[name], expected)


def test_float16_round_trip_rounds_once(path):
    save_weights(path, tree(), _METADATA, dtype="float16")
    header, _ = header_and_tensors(path)
    assert {v["dtype"] for k, v in header.items() if k != "__metadata__"} == {"F16"}
    flat = flatten_params(load_weights(path)[0])
    for name, value in flatten_params(tree()).items():
        assert flat[name].dtype == np.float32
        expected = value.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(flat[name], expected)


def test_the_file_is_plain_safetensors_under_the_names_of_the_tree(path):
    params = tree()
    params["conv1_1"]["kernel"] = params["conv1_1"]["kernel"].transpose(3, 2, 0, 1)
    save_weights(path, params, _METADATA)
    tensors = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(
        tensors["conv1_1/kernel"], params["conv1_1"]["kernel"]
    )
    header, _ = header_and_tensors(path)
    about = json.loads(header["__metadata__"]["nstjax"])
    assert about == {"format": 1} | dataclasses.asdict(_METADATA)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_number_alone_stays_one(path, dtype):
    save_weights(path, {"scale": np.float32(3.5)}, _METADATA, dtype=dtype)
    assert load_weights(path)[0]["scale"].shape == ()
    header, tensors = header_and_tensors(path)
    assert header["scale"]["shape"] == []
    assert tensors == np.dtype(dtype).type(3.5).tobytes()


def test_weights_are_not_copied_to_be_saved(path):
    params = {"w": np.ones(10**6, np.float32), "v": np.ones(10**6, np.float32)}
    tracemalloc.start()
    try:
        save_weights(path, params, _METADATA)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # What is looked at for numbers that are not finite takes a quarter of one.
    assert peak < 2 * 10**6


def test_a_file_that_cannot_be_written_leaves_nothing(path, monkeypatch):
    def refuse(*_, **__):
        raise safetensors.SafetensorError("no space")

    monkeypatch.setattr("nstjax.io.weights.save_file", refuse)
    with pytest.raises(NstjaxError, match=f"^{path} cannot be written .no space"):
        save_weights(path, tree(), _METADATA)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mode_is_that_of_any_new_file(path, mask):
    before = os.umask(mask)
    try:
        save_weights(path, tree(), _METADATA)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~mask


def test_the_same_weights_give_the_same_bytes(path, tmp_path):
    other = tmp_path / "other.safetensors"
    save_weights(path, tree(), _METADATA)
    save_weights(other, tree(), dataclasses.replace(_METADATA))
    assert path.read_bytes() == other.read_bytes()
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.nan, "float32"), (np.inf, "float32"), (1e6, "float16")]
)
def test_weights_that_are_not_finite_are_not_saved(path, value, dtype):
    params = tree()
    params["conv1_1"]["bias"][1] = value
    with pytest.raises(NstjaxError, match=f"conv1_1/bias is not finite in {dtype}"):
        save_weights(path, params, _METADATA, dtype=dtype)
    assert not path.exists()


def test_saving_does_not_overwrite_unless_told_to(path):
    save_weights(path, tree(), _METADATA)
    before = path.read_bytes()
    with pytest.raises(NstjaxError, match="exists"):
        save_weights(path, tree(1), _METADATA)
    assert path.read_bytes() == before
    save_weights(path, tree(1), _METADATA, overwrite=True)
    np.testing.assert_array_equal(
        load_weights(path)[0]["conv1_1"]["bias"], tree(1)["conv1_1"]["bias"]
    )


@pytest.mark.parametrize("make", [None, "mkdir"])
def test_loading_what_is_no_file(path, make):
    if make:
        path.mkdir()
    with pytest.raises(NstjaxError, match=f"^there is no weight file {path}$"):
        load_weights(path)


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\xff" * 100, b"PK\x03\x04" + b"\0" * 99]
)
def test_loading_something_else(path, data):
    path.write_bytes(data)
    with pytest.raises(NstjaxError, match=f"^{path} is not a usable safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("kept", [4, 100, -1])
def test_loading_a_truncated_file(path, kept):
    save_weights(path, tree(), _METADATA)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NstjaxError, match="is not a usable safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_loading_a_foreign_safetensors_file(path, metadata):
    safetensors.numpy.save_file({"w": np.zeros(3, np.float32)}, path, metadata)
    with pytest.raises(NstjaxError, match="does not say which network it holds"):
        load_weights(path)


def without_name(about):
    del about["name"]
    return about


@pytest.mark.parametrize(
    "change",
    [
        lambda about: "text",
        lambda about: [1, 2],
        lambda about: None,
        lambda about: about | {"unknown": 1},
        lambda about: about | {"spec": 5},
        lambda about: about | {"notes": ["text"]},
        lambda about: about | {"name": None},
        without_name,
        lambda about: {k: v for k, v in about.items() if k != "format"},
    ],
)
def test_loading_damaged_metadata(path, change):
    save_weights(path, tree(), _METADATA)
    rewrite_about(path, change)
    with pytest.raises(NstjaxError, match="has damaged metadata"):
        load_weights(path)


def test_loading_metadata_that_is_no_json(path):
    save_weights(path, tree(), _METADATA)
    rewrite_header(path, lambda header: header["__metadata__"].update(nstjax="{"))
    with pytest.raises(NstjaxError, match="has damaged metadata"):
        load_weights(path)


def test_loading_a_later_format(path):
    save_weights(path, tree(), _METADATA)
    rewrite_about(path, lambda about: about | {"format": 2})
    with pytest.raises(NstjaxError, match="has format 2, but this release reads 1"):
        load_weights(path)


def test_mutated_files_raise_nothing_but_our_error(path):
    save_weights(path, tree(), _METADATA)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        mutated = data.copy()
        where = random.integers(0, data.size, random.integers(1, 4))
        mutated[where] = random.integers(0, 256, where.size)
        path.write_bytes(mutated.tobytes())
        try:
            load_weights(path)
        except NstjaxError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 50


_SHAPES = {
    "conv1_1": {"kernel": (3, 3, 3, 2), "bias": (2,)},
    "deep": {"er": {"scale": ()}},
}


def test_check_shapes_accepts_the_right_tree():
    check_shapes(tree(), _SHAPES, where="w.safetensors")


def test_check_shapes_names_every_problem():
    params = tree()
    params["conv1_1"]["kernel"] = np.zeros((3, 3, 3, 4))
    del params["deep"]["er"]["scale"]
    params["conv9_9"] = {"bias": np.zeros(3)}
    with pytest.raises(NstjaxError) as caught:
        check_shapes(params, _SHAPES, where="w.safetensors")
    assert str(caught.value) == (
        "w.safetensors does not fit its network: missing deep/er/scale; "
        "unexpected conv9_9/bias; "
        "conv1_1/kernel has shape (3, 3, 3, 4) instead of (3, 3, 3, 2)"
    )
