"""Converts a publisher's tensors to params, and lists what does not fit."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax import __version__
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.weights.conversion.layouts import Layout
from nstjax.weights.conversion.publishers import Publisher, by_hash
from nstjax.weights.conversion.sources import Source

# A convolution's shape in torch's order, [out, in, height, width].
ConvolutionShape = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Converted:
    """A network, ready for `nstjax.io.weights.save_weights`.

    Attributes:
        params: nested dicts of float32 arrays.
        metadata: their metadata.
        summary: a line for display: what the file was, and how it was recognised.
        warnings: sentences about what may be wrong.
    """

    params: Mapping[str, Any]
    metadata: WeightsMetadata
    summary: str
    warnings: tuple[str, ...] = ()


def convolution_widths(source: Source, layout: Layout) -> tuple[int, ...]:
    """The input channels of the first layer, then the output channels of each layer.

    They are read from the biases; missing or malformed ones count as 0.
    """
    suffix, bias_suffix = layout.suffixes
    first = source.tensors.get(next(iter(layout.modules.values())) + suffix)
    axis = layout.kernel_order.index("I")
    widths = [first.shape[axis] if first is not None and len(first.shape) == 4 else 0]
    for module in layout.modules.values():
        bias = source.tensors.get(module + bias_suffix)
        widths.append(bias.shape[0] if bias is not None and len(bias.shape) == 1 else 0)
    return tuple(widths)


def torch_shapes(
    names: Iterable[str], widths: Sequence[int]
) -> dict[str, ConvolutionShape]:
    """The shapes of torch's kernels in a chain of convolutions.

    Args:
        names: nstjax's names; "conv0" is 1x1, the others are 3x3.
        widths: channels before the first and after each convolution.
    """
    return {
        name: (after, before, *((1, 1) if name == "conv0" else (3, 3)))
        for name, before, after in zip(names, widths[:-1], widths[1:], strict=True)
    }


def origin(
    source: Source, publisher: Publisher | None, *, command: str
) -> dict[str, Any]:
    """The fields of `WeightsMetadata` for the weights' origin.

    Args:
        source: the file.
        publisher: the likely publisher; None if unknown.
        command: the converter's name.
    """
    if publisher is None:
        where, licence = f"{source.path.name}, of unknown origin", "unknown"
    elif publisher is by_hash(source):
        where, licence = publisher.url, publisher.licence
    else:
        where = f"{source.path.name}, in the form published at {publisher.url}"
        licence = f"as of the publisher: {publisher.licence}"
    return {
        "source": where,
        "licence": licence,
        "origin_sha256": source.sha256,
        "recipe": f"nstjax convert {command}, nstjax {__version__}",
    }


def convert_convolutions(
    source: Source, layout: Layout, shapes: Mapping[str, ConvolutionShape]
) -> dict[str, Any]:
    """Renames and transposes a file's convolutions.

    Args:
        source: the file.
        layout: its layout.
        shapes: the required shape of every layer, by nstjax's name.

    Returns:
        ``{"conv1_1": {"kernel": [3, 3, in, out], "bias": [out]}, ...}``, float32.

    Raises:
        NstjaxError: listing missing, unexpected and wrongly shaped tensors by their
            names in the file.
    """
    expected = {}
    kernel_suffix, bias_suffix = layout.suffixes
    for name, shape in shapes.items():
        module = layout.modules[name]
        in_file = tuple(shape["OIHW".index(axis)] for axis in layout.kernel_order)
        expected[module + kernel_suffix] = in_file
        expected[module + bias_suffix] = shape[:1]
    check_tensors(source, layout, expected)

    to_ours = tuple(layout.kernel_order.index(axis) for axis in "HWIO")

    def read(name: str, axes: tuple[int, ...]) -> np.ndarray:
        view = source.tensors[name].read().transpose(axes)
        # A copy, since the file may be removed or change. Values that float32 cannot
        # hold become infinite, and are never saved.
        with np.errstate(over="ignore"):
            return view.astype(np.float32, order="C")

    return {
        name: {
            "kernel": read(layout.modules[name] + kernel_suffix, to_ours),
            "bias": read(layout.modules[name] + bias_suffix, (0,)),
        }
        for name in shapes
    }


def check_tensors(
    source: Source, layout: Layout, expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Checks that a file has exactly the tensors that its network needs.

    Args:
        source: the file.
        layout: its layout, which names the ignored tensors.
        expected: the shapes, by the names in the file.

    Raises:
        NstjaxError: listing missing, unexpected and wrongly shaped tensors.
    """
    needed = layout.needed(source.tensors)
    problems = []
    if missing := sorted(expected.keys() - needed):
        problems.append(f"missing {', '.join(missing)}")
    if extra := sorted(needed - expected.keys()):
        problems.append(f"unexpected {', '.join(extra)}")
    for name in sorted(needed & expected.keys()):
        tensor = source.tensors[name]
        if tensor.shape != expected[name]:
            problems.append(
                f"{name} has shape {tensor.shape} instead of {expected[name]}"
            )
        elif tensor.dtype.kind not in "fV":  # V: bfloat16
            problems.append(f"{name} holds {tensor.dtype} instead of floats")
    if problems:
        raise NstjaxError(
            f"{source.path} looks like {layout.what}, but does not fit it: "
            f"{'; '.join(problems)}; download it again"
        )
