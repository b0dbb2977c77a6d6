"""Recognises files by their first bytes, for messages about wrong files."""

import os

# How many bytes of a file `name_kind` needs.
HEAD_BYTES = 512
_HEADS = {
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"8BPS": "a Photoshop document",
    b"gimp xcf": "a GIMP document",
    b"%PDF-": "a PDF document",
    b"v/1\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"DDS ": "a DDS texture",
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"II+\0": "a TIFF picture",
    b"MM\0+": "a TIFF picture",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"Rar!": "a RAR archive",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (Keras .h5, or MATLAB's newer .mat)",
    b"MATLAB 5.0 MAT-file": "a MATLAB .mat file",
    b"version https://git-lfs": "a Git LFS pointer, which stands for a file elsewhere",
    b"\x93NUMPY": "a NumPy array",
    # Protocol buffers whose first fields are these networks'.
    b"\x08\x03\x12": "an ONNX model",
    b"\x08\x04\x12": "an ONNX model",
    b"\x08\x06\x12": "an ONNX model",
    b"\x08\x07\x12": "an ONNX model",
    b"\x08\x08\x12": "an ONNX model",
    b"\x08\x09\x12": "an ONNX model",
    b"\x08\x0a\x12": "an ONNX model",
}
# Weights that cannot be recognised by their first bytes, by suffix.
_SUFFIXES = {
    ".t7": "a Lua Torch file",
    ".net": "a Lua Torch file",
    ".mat": "a MATLAB .mat file",
    ".h5": "an HDF5 file (Keras .h5, or MATLAB's newer .mat)",
    ".hdf5": "an HDF5 file (Keras .h5, or MATLAB's newer .mat)",
    ".keras": "a Keras model",
    ".onnx": "an ONNX model",
    ".caffemodel": "a Caffe model",
    ".pb": "a TensorFlow graph",
    ".ckpt": "a TensorFlow or Lightning checkpoint",
    ".tflite": "a TensorFlow Lite model",
    ".gguf": "a GGUF model",
}
_EXPORT = (
    "export the network's tensors by name, as a PyTorch state_dict, .safetensors or "
    ".npz"
)
_WAYS_OUT = {
    "a web page": "its download failed; fetch it again",
    "a Git LFS pointer": "fetch the file itself with 'git lfs pull'",
    "a gzip archive": "unpack it",
    "a 7z archive": "unpack it",
    "an xz archive": "unpack it",
    "a RAR archive": "unpack it",
}
# ISO media files, by their major brand.
_BRANDS = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"qt  ": "a video",
    b"isom": "a video",
    b"mp42": "a video",
}


def name_kind(head: bytes) -> str | None:
    """Names the kind of a file, such as "a GIF picture".

    Args:
        head: its first `HEAD_BYTES` bytes, or fewer if it is shorter.

    Returns:
        The kind with its article, or None if it is unknown.
    """
    for magic, kind in _HEADS.items():
        if head.startswith(magic):
            return kind
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "a BMP picture"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "an ISO media file")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page, saved in place of the file"
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "an SVG drawing"
    return None


def explain_weights(path: str | os.PathLike) -> str | None:
    """Says what a file without supported weights is, and what to do.

    Returns:
        For example "is an ONNX model, not ...; export ...", or None if the kind is
        unknown.
    """
    kind = name_kind_of(path)
    try:
        with open(path, "rb") as file:
            # How Lua Torch writes the version of the first object's class.
            if b"V 1" in file.read(32):
                kind = _SUFFIXES[".t7"]
    except OSError:
        return None
    kind = kind or _SUFFIXES.get(os.path.splitext(path)[1].lower())
    if kind is None:
        return None
    ways = (way for start, way in _WAYS_OUT.items() if kind.startswith(start))
    return f"is {kind}, not a supported weight file; {next(ways, _EXPORT)}"


def name_kind_of(path: str | os.PathLike) -> str | None:
    """`name_kind` of a file; None also if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return name_kind(file.read(HEAD_BYTES))
    except OSError:
        return None
