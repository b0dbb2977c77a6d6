"""Opening weight files of every format, whole and damaged."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.weights.conversion.decoders import convert_adain_decoder
from nstjax.weights.conversion.sources import open_source

TENSORS = {
    "1.weight": np.random.default_rng(0).normal(size=(3, 8, 3, 3)).astype(np.float32),
    "1.bias": np.arange(3, dtype=np.float32),
}


def write(path, form, tensors=TENSORS):
    """Writes the smallest decoder there is, in one of the formats."""
    if form == "safetensors":
        save_file(tensors, path)
    elif form == "npz":
        with open(path, "wb") as file:
            np.savez(file, **tensors)
    elif form == "compressed npz":
        with open(path, "wb") as file:
            np.savez_compressed(file, **tensors)
    else:
        torch = pytest.importorskip("torch")
        state = {name: torch.from_numpy(value) for name, value in tensors.items()}
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    return path


FORMS = ["zip", "legacy", "npz", "compressed npz", "safetensors"]


@pytest.mark.parametrize("form", FORMS)
def test_content_decides_not_the_name(tmp_path, form):
    path = write(tmp_path / "weights.bin", form)
    source = open_source(path)
    assert source.tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert source.tensors[name].shape == expected.shape
        assert source.tensors[name].dtype == expected.dtype
        np.testing.assert_array_equal(source.tensors[name].read(), expected)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not source.ours


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrapped_state_dicts_are_found(tmp_path, wrapper):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save({"epoch": 3, wrapper: {"a.weight": torch.ones(2)}}, path)
    assert list(open_source(path).tensors) == ["a.weight"]


def test_names_of_parallel_modules_lose_their_prefix(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save({"module.a.weight": torch.ones(2), "module.a.bias": torch.ones(2)}, path)
    assert list(open_source(path).tensors) == ["a.weight", "a.bias"]


def test_plain_values_beside_tensors_are_kept(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "encoder.pth"
    torch.save({"w": torch.ones(2), "height": 192, "use_stereo": False}, path)
    source = open_source(path)
    assert list(source.tensors) == ["w"]
    assert source.extras == {"height": 192, "use_stereo": False}


def test_half_precision_safetensors(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    path = tmp_path / "x.safetensors"
    values = torch.tensor([1.5, -2.0])
    safetensors_torch.save_file({"b": values.bfloat16(), "h": values.half()}, path)
    source = open_source(path)
    assert source.tensors["b"].dtype.name == "bfloat16"
    for name in ("b", "h"):
        array = source.tensors[name].read().astype(np.float32)
        np.testing.assert_array_equal(array, [1.5, -2.0])


def test_own_files_are_known(tmp_path):
    path = tmp_path / "x.safetensors"
    metadata = WeightsMetadata("vgg19", "x", {}, "a test", "none")
    save_weights(path, {"conv1_1": {"bias": np.ones(2)}}, metadata)
    assert open_source(path).ours


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\n\n <html>", "web page"),
        (b"just some text, no weights at all", "torch.save"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x10\0\0\0\0\0\0\0{not json at all}", "safetensors"),
        (b"PK\x03\x04" + bytes(100), "torch.save"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(NstjaxError, match=message):
        open_source(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(NstjaxError, match="there is no file"):
            open_source(path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, 7])
def test_files_without_named_tensors_are_refused(tmp_path, content):
    torch = pytest.importorskip("torch")
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(NstjaxError, match="named tensors"):
        open_source(tmp_path / "x.pth")


def test_npz_with_objects_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(NstjaxError, match="plain arrays"):
        open_source(path)


def mutations(data, count, seed):
    """Copies with bytes changed, removed, inserted, repeated or cut off."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(copy)))
            length = int(rng.integers(1, 9))
            kind = rng.integers(5)
            if kind == 0:
                copy[at] = rng.integers(256)
            elif kind == 1:
                del copy[at : at + length]
            elif kind == 2:
                copy[at:at] = rng.bytes(length)
            elif kind == 3:
                copy[at:at] = copy[at : at + 8 * length]
            elif len(copy) > 1:
                del copy[max(at, 1) :]
        yield bytes(copy)


@pytest.mark.parametrize("form", FORMS)
def test_mutated_files_raise_nothing_but_our_own_error(tmp_path, form):
    # Numbers make up most of a file and are the dullest part, so few are left.
    tensors = {name: value[..., :1] for name, value in TENSORS.items()}
    tensors["1.weight"] = np.ascontiguousarray(tensors["1.weight"])
    data = write(tmp_path / "whole", form, tensors).read_bytes()
    path, refused = tmp_path / "mutated", 0
    for mutated in mutations(data, 150, seed=FORMS.index(form)):
        path.write_bytes(mutated)
        try:
            source = open_source(path)
            for tensor in source.tensors.values():
                tensor.read()
            convert_adain_decoder(source)
        except NstjaxError as error:
            assert str(error) and "\n" not in str(error)
            refused += 1
    assert refused == 150


@pytest.mark.parametrize("form", FORMS)
def test_mutated_decoders_convert_or_raise_our_own_error(tmp_path, form):
    data = write(tmp_path / "whole", form).read_bytes()
    path, kept = tmp_path / "mutated", 0
    for mutated in mutations(data, 50, seed=100 + FORMS.index(form)):
        path.write_bytes(mutated)
        try:
            convert_adain_decoder(open_source(path))
            kept += 1
        except NstjaxError:
            pass
    assert kept < 50
