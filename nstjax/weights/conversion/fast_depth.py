"""Converts FastDepth from an .npz file of its folded layers, in order.

References:
    Wofk et al., 2019, https://arxiv.org/abs/1903.03273.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.models.fast_depth import (
    DECODER_BLOCKS,
    ENCODER_BLOCKS,
    FastDepthSpec,
)
from nstjax.weights.conversion.mapping import Converted, origin
from nstjax.weights.conversion.publishers import FAST_DEPTH
from nstjax.weights.conversion.sources import Source

_KERNEL, _BIAS = "_w", "_b"
_COMMAND = "fast_depth"


def convert_fast_depth(source: Source, *, variant: str | None = None) -> Converted:
    """Converts FastDepth, with any widths.

    Args:
        source: an .npz file with a kernel ``NAME_w`` (HWIO) and a bias ``NAME_b``
            for each layer, with folded batch normalisation and names that sort in the
            layers' order.
        variant: None; there is only one.

    Raises:
        NstjaxError: if the layers are not FastDepth's, or do not fit each other.
    """
    del variant
    layers = _layers(source)
    blocks = len(ENCODER_BLOCKS) + len(DECODER_BLOCKS)
    if len(layers) != 2 * blocks + 2:
        raise NstjaxError(
            f"{source.path} has {len(layers)} layers with kernels and biases, but "
            f"FastDepth has {2 * blocks + 2}; give its folded weights as .npz"
        )
    rest = iter(layers[1:-1])
    params = {
        "stem": _convolution(source, layers[0], (3, 3, 3, None)),
        "encoder": {name: _block(source, rest) for name in ENCODER_BLOCKS},
        "decoder": {name: _block(source, rest) for name in DECODER_BLOCKS},
        "head": _pointwise(source, layers[-1]),
    }
    _check_chain(source, params)
    metadata = WeightsMetadata(
        kind="depth",
        name="fast-depth",
        spec=_spec(params).to_dict(),
        **origin(source, FAST_DEPTH, command=_COMMAND),
    )
    return Converted(params, metadata, "FastDepth, pruned")


def _spec(params: dict[str, Any]) -> FastDepthSpec:
    encoder, decoder = (
        tuple(block["pointwise"]["bias"].size for block in params[part].values())
        for part in ("encoder", "decoder")
    )
    return FastDepthSpec(params["stem"]["bias"].size, encoder, decoder)


def _layers(source: Source) -> list[str]:
    names = sorted(name.removesuffix(_KERNEL) for name in source.tensors)
    return [
        name
        for name in names
        if name + _KERNEL in source.tensors and name + _BIAS in source.tensors
    ]


def _block(source: Source, rest: Iterator[str]) -> dict[str, Any]:
    depthwise = _convolution(source, next(rest), (None, None, 1, None))
    depthwise["kernel"] = depthwise["kernel"][:, :, 0]
    return {"depthwise": depthwise, "pointwise": _pointwise(source, next(rest))}


def _pointwise(source: Source, layer: str) -> dict[str, np.ndarray]:
    found = _convolution(source, layer, (1, 1, None, None))
    return found | {"kernel": found["kernel"][0, 0]}


def _convolution(
    source: Source, layer: str, wanted: tuple[int | None, ...]
) -> dict[str, np.ndarray]:
    kernel, bias = (
        np.array(source.tensors[layer + suffix].read(), np.float32)
        for suffix in (_KERNEL, _BIAS)
    )
    fits = kernel.ndim == 4 and all(
        side in (None, length)
        for side, length in zip(wanted, kernel.shape, strict=True)
    )
    if not fits or bias.shape != kernel.shape[3:]:
        raise NstjaxError(
            f"{source.path}: the layer {layer} has a kernel of {kernel.shape} and a "
            f"bias of {bias.shape}, which is not FastDepth's form"
        )
    return {"kernel": kernel, "bias": bias}


def _check_chain(source: Source, params: dict[str, Any]) -> None:
    """Checks that each block takes the channels of the block before."""
    channels = params["stem"]["bias"].size
    for part in ("encoder", "decoder"):
        for name, block in params[part].items():
            inner = block["depthwise"]["kernel"].shape[-1]
            if not channels == inner == block["pointwise"]["kernel"].shape[0]:
                raise NstjaxError(
                    f"{source.path}: the {part}'s {name} does not take the {channels} "
                    "channels that come before it"
                )
            channels = block["pointwise"]["bias"].size
    if params["head"]["kernel"].shape != (channels, 1):
        raise NstjaxError(f"{source.path}: the last layer does not give one channel")
