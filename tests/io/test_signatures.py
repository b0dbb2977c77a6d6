"""Files that hold no weights: named, with the way out."""

import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights
from nstjax.weights.conversion.sources import open_source

# The first bytes are those of the formats' specifications.
_FILES = {
    "a.t7": (
        b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\x0d\0\0\0nn.Sequential",
        "a Lua Torch file",
    ),
    "b.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB .mat file"),
    "c.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
    "d.onnx": (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
    "e.caffemodel": (b"\x0a\x0fVGG_ILSVRC_19_l", "a Caffe model"),
    "f.pth": (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    "g.safetensors": (b"<!DOCTYPE html><html>", "its download failed"),
    "h.pth": (
        b"\x1f\x8b\x08" + bytes(99),
        "a gzip archive, not a supported weight file; un",
    ),
}


@pytest.mark.parametrize("name", _FILES)
def test_formats_are_named_with_the_way_out(tmp_path, name):
    data, words = _FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    for read in (open_source, load_weights):
        with pytest.raises(NstjaxError) as caught:
            read(path)
        assert words in str(caught.value) and "opcode" not in str(caught.value)
        assert str(path) in str(caught.value)
