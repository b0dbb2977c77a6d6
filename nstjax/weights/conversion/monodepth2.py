"""Converts monodepth2's depth networks from two files in a folder or archive."""

import dataclasses
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, flatten_params
from nstjax.models.monodepth import MonodepthSpec, param_shapes
from nstjax.weights.conversion.layouts import Layout
from nstjax.weights.conversion.mapping import Converted, check_tensors, origin
from nstjax.weights.conversion.publishers import MONODEPTH2
from nstjax.weights.conversion.sources import Source, open_source
from nstjax.weights.conversion.tensors import LazyTensor

_FILES = ("encoder.pth", "depth.pth")
# The ResNets that the publisher's code supports, by number of layers.
_RESNETS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
# The published networks' size, for files that do not state their own.
_DEFAULT_SIZE = (192, 640)
_NORM_EPS = 1e-5  # torch's default, which the publisher uses
_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")
# The classifier, and a count that inference does not need.
_IGNORED = r"encoder\.fc\.|.*\.num_batches_tracked"
# Published files have less than a fifth of this; a damaged archive may claim anything.
_LARGEST_FILE = 2**30


@dataclasses.dataclass(frozen=True)
class Pair:
    """A published network's two files, opened.

    Attributes:
        path: the folder or the archive.
        encoder: ``encoder.pth``.
        depth: ``depth.pth``, the decoder.
    """

    path: Path
    encoder: Source
    depth: Source


def open_pair(path: str | os.PathLike) -> Pair:
    """Opens a folder with encoder.pth and depth.pth, or a zip archive of one.

    Raises:
        NstjaxError: if the folder does not exist, or a file is missing or damaged.
    """
    path = Path(path)
    if path.is_dir():
        for name in _FILES:
            if not (path / name).is_file():
                raise NstjaxError(f"{path} has no {name}; give {_wanted()}")
        return Pair(path, *(open_source(path / name) for name in _FILES))
    if not path.is_file():
        raise NstjaxError(f"there is no folder or archive {path} to convert")
    if not zipfile.is_zipfile(path):
        raise NstjaxError(
            f"{path} is neither a folder nor an archive; give {_wanted()}"
        )
    with tempfile.TemporaryDirectory() as folder:
        _unpack(path, Path(folder))
        return Pair(path, *(_load(Path(folder), path, name) for name in _FILES))


def convert_monodepth2(pair: Pair, *, variant: str | None = None) -> Converted:
    """Converts a depth network of monodepth2, without its pose network.

    Batch normalisation is folded into the convolutions, in float64.

    Args:
        pair: the two files.
        variant: None; there is only one.

    Raises:
        NstjaxError: if a file holds another network (for example if the two are
            swapped), or its tensors do not fit.
    """
    _check_kind(pair.encoder, "encoder")
    _check_kind(pair.depth, "decoder")
    number = _recognise(pair.encoder)
    block, layers = _RESNETS[number]
    size, warnings = _input_size(pair.encoder)
    spec = MonodepthSpec(block=block, layers=layers, input_size=size)
    shapes = param_shapes(spec)
    encoder = _convert_encoder(pair.encoder, shapes["encoder"], number)
    decoder = _convert_decoder(pair.depth, shapes["decoder"])
    height, width = size
    where = origin(pair.encoder, MONODEPTH2, command="monodepth2")
    metadata = WeightsMetadata(
        kind="depth",
        name=f"monodepth2-resnet{number}-{width}x{height}",
        spec=spec.to_dict(),
        notes={
            "published_as": pair.path.name,
            "use_stereo": bool(pair.encoder.extras.get("use_stereo", False)),
            "depth_sha256": pair.depth.sha256,
        },
        **where,
    )
    summary = f"monodepth2 with ResNet-{number}, for {width} x {height} pixels"
    return Converted(
        {"encoder": encoder, "decoder": decoder}, metadata, summary, warnings
    )


def _wanted() -> str:
    return f"a folder or .zip of monodepth2's with {' and '.join(_FILES)}"


def _unpack(path: Path, folder: Path) -> None:
    """Writes an archive's two files into a folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {info.filename: info for info in archive.infolist()}
            parents = sorted({str(PurePosixPath(name).parent) for name in files})
            paths = [
                [str(PurePosixPath(parent, name)) for name in _FILES]
                for parent in parents
            ]
            found = [
                [files[p] for p in pair] for pair in paths if files.keys() >= {*pair}
            ]
            for name, info in zip(_FILES, found[0] if found else (), strict=False):
                if info.file_size > _LARGEST_FILE:
                    raise ValueError(f"{name} would have {info.file_size} bytes")
                (folder / name).write_bytes(archive.read(info))
    except Exception as error:  # damaged archives raise nearly anything
        raise NstjaxError(
            f"{path} is not a complete archive ({error}); download it again"
        ) from error
    if len(found) != 1:
        raise NstjaxError(
            f"{path} has {len(found)} folders with {' and '.join(_FILES)}, not one; "
            f"give {_wanted()}"
        )


def _load(folder: Path, archive: Path, name: str) -> Source:
    """Opens an unpacked file and reads all of it, since the folder will be deleted."""
    source = open_source(folder / name)
    loaded = Source(
        archive / name,
        {
            tensor_name: LazyTensor.of(np.array(tensor.read()))
            for tensor_name, tensor in source.tensors.items()
        },
        source.extras,
        source.ours,
    )
    # Computed now, since the file will be deleted.
    loaded.__dict__["sha256"] = source.sha256
    return loaded


def _check_kind(source: Source, part: str) -> None:
    """Raises NstjaxError for files that are not what their names say."""
    if source.ours:
        raise NstjaxError(
            f"{source.path} was written by nstjax and needs no conversion; use it"
        )
    counts = {
        kind: sum(name.startswith(f"{kind}.") for name in source.tensors)
        for kind in ("encoder", "decoder")
    }
    other = "decoder" if part == "encoder" else "encoder"
    if counts[other] > counts[part]:
        raise NstjaxError(
            f"{source.path} holds monodepth2's {other}, not its {part}; the files "
            "seem to be swapped: give them the names they were published with"
        )
    if not counts[part]:
        names = sorted(source.tensors)
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise NstjaxError(
            f"{source.path} is not monodepth2's {part} ({len(names)} tensors: "
            f"{shown}); give {_wanted()}"
        )


def _recognise(encoder: Source) -> int:
    """Which ResNet has most names in common with a file."""

    def agreement(number: int) -> float:
        expected = set(_encoder_tensors(number))
        return len(expected & set(encoder.tensors)) / len(
            expected | set(encoder.tensors)
        )

    return max(_RESNETS, key=agreement)


def _encoder_tensors(number: int) -> dict[str, tuple[str, str]]:
    """The tensors of a ResNet's file: maps names to a convolution and a role.

    The role is "kernel" or one of batch normalisation's.
    """
    return {
        name: (ours, role)
        for ours, convolution, norm in _encoder_modules(number)
        for name, role in (
            (f"encoder.{convolution}.weight", "kernel"),
            *((f"encoder.{norm}.{role}", role) for role in _NORM_TENSORS),
        )
    }


def _encoder_modules(number: int) -> Iterator[tuple[str, str, str]]:
    """nstjax's path, the file's convolution and its normalisation, for each layer."""
    block, layers = _RESNETS[number]
    count = 2 if block == "basic" else 3
    yield "conv1", "conv1", "bn1"
    for stage, units in enumerate(layers, start=1):
        for unit in range(units):
            ours, theirs = f"layer{stage}_{unit}", f"layer{stage}.{unit}"
            for index in range(1, count + 1):
                yield (
                    f"{ours}/conv{index}",
                    f"{theirs}.conv{index}",
                    f"{theirs}.bn{index}",
                )
            # Basic units of the first stage change neither size nor width.
            if unit == 0 and (stage > 1 or block == "bottleneck"):
                yield (
                    f"{ours}/downsample",
                    f"{theirs}.downsample.0",
                    f"{theirs}.downsample.1",
                )


def _convert_encoder(
    source: Source, shapes: Mapping[str, Any], number: int
) -> dict[str, Any]:
    flat = flatten_params(shapes)
    tensors = _encoder_tensors(number)
    expected = {
        name: _torch_shape(flat[f"{ours}/kernel"])
        if role == "kernel"
        else flat[f"{ours}/bias"]
        for name, (ours, role) in tensors.items()
    }
    what = f"monodepth2's ResNet-{number} encoder"
    check_tensors(source, Layout(what, ignored=_IGNORED), expected)
    read: dict[str, dict[str, np.ndarray]] = {}
    for name, (ours, role) in tensors.items():
        array = source.tensors[name].read().astype(np.float64)
        read.setdefault(ours, {})[role] = array
    result: dict[str, Any] = {}
    for ours, parts in read.items():
        *parents, last = ours.split("/")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = _fold(**parts)
    return result


def _fold(kernel, weight, bias, running_mean, running_var) -> dict[str, np.ndarray]:
    """Folds a convolution and its normalisation into one convolution with bias."""
    # Values that are not finite afterwards are never saved.
    with np.errstate(all="ignore"):
        factor = weight / np.sqrt(running_var + _NORM_EPS)
        return {
            "kernel": _to_ours(kernel * factor[:, None, None, None]),
            "bias": (bias - running_mean * factor).astype(np.float32),
        }


def _convert_decoder(source: Source, shapes: Mapping[str, Any]) -> dict[str, Any]:
    modules = [
        (f"upconv{level}_{half}", "conv.conv")
        for level in range(4, -1, -1)
        for half in (0, 1)
    ] + [(f"dispconv{scale}", "conv") for scale in range(4)]
    prefixes = {
        name: f"decoder.{index}.{suffix}"
        for index, (name, suffix) in enumerate(modules)
    }
    expected = {}
    for name, prefix in prefixes.items():
        expected[f"{prefix}.weight"] = _torch_shape(shapes[name]["kernel"])
        expected[f"{prefix}.bias"] = shapes[name]["bias"]
    check_tensors(source, Layout("monodepth2's depth decoder"), expected)
    with np.errstate(over="ignore"):
        return {
            name: {
                "kernel": _to_ours(source.tensors[f"{prefix}.weight"].read()),
                "bias": source.tensors[f"{prefix}.bias"].read().astype(np.float32),
            }
            for name, prefix in prefixes.items()
        }


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape["HWIO".index(axis)] for axis in "OIHW")


def _to_ours(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(2, 3, 1, 0).astype(np.float32, order="C")


def _input_size(encoder: Source) -> tuple[tuple[int, int], tuple[str, ...]]:
    """The (height, width) that the encoder's file states, and warnings."""
    height, width = (encoder.extras.get(name) for name in ("height", "width"))
    if height is None and width is None:
        height, width = _DEFAULT_SIZE
        warning = (
            f"{encoder.path} does not state the size that it was trained with; "
            f"{width} x {height} is assumed"
        )
        return _DEFAULT_SIZE, (warning,)
    if type(height) is not int or type(width) is not int:
        raise NstjaxError(
            f"{encoder.path} states a height of {height!r} and a width of "
            f"{width!r}, but they must be whole numbers; download it again"
        )
    return (height, width), ()
