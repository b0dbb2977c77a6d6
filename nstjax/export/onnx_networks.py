"""The networks of AdaIN as ONNX operations.

Internally, features are NCHW, as in ONNX. Weights are those of `nstjax.models`, whose
functions these graphs reproduce in ONNX; `nstjax.export.check` verifies that both give
the same results. Heights and widths are free.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nstjax.export.graph import Graph
from nstjax.methods.specs import OnePassSpec, PainterTransferSpec, TransferSpec
from nstjax.models import painter
from nstjax.ops.preprocess import input_map
from nstjax.types import Params

# For the first and second upsampled pixel, which of a kernel row's three taps fall on
# each of two pixels of the small picture.
_PHASES = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], dtype=np.float32)
# The names of a level's mean and deviation, each [B, C], by level.
Moments = Mapping[str, tuple[str, str]]


def encode(g: Graph, image: str, params: Params, spec: OnePassSpec) -> dict[str, str]:
    """Like `nstjax.methods.feedforward.encode`: [B, H, W, 3] to features by level."""
    # Reflection to a multiple: ONNX's Mod has the divisor's sign, like Python's.
    sizes = g.add("Shape", image)
    multiples = g.constant(np.array([1, spec.multiple, spec.multiple, 1]))
    after = g.add("Mod", g.add("Neg", sizes), multiples)
    margins = g.add("Concat", g.constant(np.zeros(4, np.int64)), after, axis=0)
    padded = g.add("Pad", image, margins, mode="reflect")
    if isinstance(spec, PainterTransferSpec):
        return _encode_by_painter(g, padded, params["encoder"], spec)
    return _encode_by_vgg(g, padded, params["encoder"], spec)


def measure(g: Graph, features: Mapping[str, str], spec: OnePassSpec) -> Moments:
    """Means and deviations of the features of every level, each [B, C]."""
    found = {}
    for level, value in features.items():
        mean = _mean(g, value)
        difference = g.add("Sub", value, mean)
        variance = _mean(g, g.add("Mul", difference, difference))
        if spec.ddof:
            sides = g.add("Cast", g.add("Shape", value, start=2), to=1)
            count = g.add("ReduceProd", sides, keepdims=1)
            fewer = g.add("Sub", count, g.constant(np.array([spec.ddof], np.float32)))
            variance = g.add("Mul", variance, g.add("Div", count, fewer))
        deviation = g.add("Sqrt", g.add("Add", variance, _number(g, spec.eps)))
        flat = g.constant(np.array([2, 3]))
        found[level] = (
            g.add("Squeeze", mean, flat),
            g.add("Squeeze", deviation, flat),
        )
    return found


def paint(
    g: Graph,
    features: Mapping[str, str],
    style: Moments,
    alpha: str,
    params: Params,
    spec: OnePassSpec,
) -> str:
    """AdaIN and the decoder: features to pictures [B, H, W, 3], clipped to [0, 1].

    Args:
        g: the graph to add to.
        features: from `encode`.
        style: from `measure`, or inputs of the same shapes.
        alpha: strength, [1].
        params, spec: those of the networks.
    """
    restyled, towards = {}, {}
    for level, (mean, deviation) in measure(g, features, spec).items():
        its_mean, its_deviation = style[level]
        # AdaIN is a scale and a shift of each channel, computed in one pass.
        ratio = g.add("Div", its_deviation, deviation)
        shift = g.add("Sub", its_mean, g.add("Mul", mean, ratio))
        change = g.add("Sub", ratio, _number(g, 1))
        scale = g.add("Add", g.add("Mul", alpha, change), _number(g, 1))
        shift = g.add("Mul", alpha, shift)
        restyled[level] = _scale_and_shift(g, features[level], scale, shift)
        towards[level] = (
            _interpolate(g, mean, its_mean, alpha),
            _interpolate(g, deviation, its_deviation, alpha),
        )
    if isinstance(spec, PainterTransferSpec):
        pixels = _decode_by_painter(g, restyled, towards, params, spec)
    else:
        pixels = _decode_by_mirror(g, restyled, params["decoder"], spec)
    pixels = g.add("Clip", pixels, _number(g, 0), _number(g, 1))
    return g.add("Transpose", pixels, perm=[0, 2, 3, 1])


def cut(g: Graph, pixels: str, image: str) -> str:
    """Crops pictures [B, H, W, 3] to the height and width of others."""
    starts, axes = g.constant(np.array([0, 0])), g.constant(np.array([1, 2]))
    size = g.add("Shape", image, start=1, end=3)
    return g.add("Slice", pixels, starts, size, axes)


def _encode_by_painter(
    g: Graph, image: str, weights: Params, spec: PainterTransferSpec
) -> dict[str, str]:
    x = g.add("Transpose", image, perm=[0, 3, 1, 2])
    x = g.add("Sub", g.add("Mul", x, _number(g, 2)), _number(g, 1))
    x = g.add("SpaceToDepth", x, blocksize=2)
    found: dict[str, str] = {}
    own = spec.painter
    for level, widths in zip(own.levels, own.encoder_widths, strict=True):
        if found:
            x = g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        for number in range(len(widths)):
            x = g.add("Relu", _convolve(g, x, weights[f"{level}_{number}"]))
        found[level] = x
    return found


def _decode_by_painter(
    g: Graph,
    features: Mapping[str, str],
    style: Moments,
    params: Params,
    spec: PainterTransferSpec,
) -> str:
    own, weights = spec.painter, params["decoder"]
    numbers = [value for level in own.levels for value in style[level]]
    told = g.add("Concat", *numbers, axis=1)
    told = _dense(g, told, params["style"]["condense"])
    bound = _number(g, painter.LARGEST_STATISTIC)
    told = g.add("Mul", bound, g.add("Tanh", g.add("Div", told, bound)))

    def styled(name: str, x: str) -> str:
        wanted = _dense(g, told, params["style"][name])
        width = own.decoder_convolutions[name][1]
        axis = g.constant(np.array([1]))
        scale, shift = (
            g.add("Slice", wanted, *(g.constant(np.array([n])) for n in between), axis)
            for between in ((0, width), (width, 2 * width))
        )
        scale = g.add("Mul", _number(g, painter.LARGEST_SCALE), g.add("Tanh", scale))
        return _scale_and_shift(g, x, g.add("Add", scale, _number(g, 1)), shift)

    coarsest = own.levels[-1]
    x = features[coarsest]
    for level, widths in zip(own.levels[::-1], own.decoder_widths, strict=True):
        for number in range(len(widths)):
            name = f"{level}_{number}"
            if number > 0 or level == coarsest:
                x = _convolve(g, x, weights[name])
            else:
                skip = _convolve(g, features[level], weights[f"{level}_skip"])
                x = g.add("Add", _double_and_convolve(g, x, weights[name]), skip)
            x = g.add("Relu", styled(name, x))
    x = g.add("DepthToSpace", _convolve(g, x, weights["pixels"]), blocksize=2)
    return g.add("Add", x, _number(g, 0.5))


def _encode_by_vgg(
    g: Graph, image: str, weights: Params, spec: TransferSpec
) -> dict[str, str]:
    vgg, layer = spec.encoder, spec.decoder.layer
    matrix, bias = (np.asarray(part) for part in input_map(vgg.input_map, weights))
    x = g.add("MatMul", image, g.constant(matrix))
    x = g.add("Add", x, g.constant(bias))
    x = g.add("Transpose", x, perm=[0, 3, 1, 2])
    before = "1"
    for name in vgg.convolutions[: vgg.layers.index(layer) + 1]:
        if (block := name[len("conv")]) != before:
            before = block
            kind = "MaxPool" if vgg.pooling == "max" else "AveragePool"
            # Sides are divisible by all poolings, so nothing is rounded.
            x = g.add(kind, x, kernel_shape=[2, 2], strides=[2, 2])
        x = g.add("Relu", _convolve(g, x, weights[name], padding=vgg.padding))
    return {layer: x}


def _decode_by_mirror(
    g: Graph, features: Mapping[str, str], weights: Params, spec: TransferSpec
) -> str:
    decoder = spec.decoder
    x = features[decoder.layer]
    for name in decoder.convolutions:
        doubles = name in decoder.upsample_before
        x = (_double_and_convolve if doubles else _convolve)(g, x, weights[name])
        if name != decoder.convolutions[-1] or not decoder.last_linear:
            x = g.add("Relu", x)
    if decoder.output_map == "unit":
        return x
    matrix, bias = (np.asarray(part) for part in input_map(decoder.output_map))
    back = np.linalg.inv(matrix.astype(np.float64)).T[:, :, None, None]
    shift = -(back[:, :, 0, 0] @ bias)
    arrays = (back.astype(np.float32), shift.astype(np.float32))
    return g.add("Conv", x, *map(g.constant, arrays))


def _convolve(g: Graph, x: str, weights: Params, *, padding: str = "reflect") -> str:
    """A 3x3 convolution that keeps the size."""
    margins = [0, 0, 1, 1]
    if padding == "reflect":
        x = g.add("Pad", x, g.constant(np.array(2 * margins)), mode="reflect")
    pads = [0, 0, 0, 0] if padding == "reflect" else [1, 1, 1, 1]
    return g.add("Conv", x, *_arrays(g, weights), pads=pads)


def _double_and_convolve(g: Graph, x: str, weights: Params) -> str:
    """Nearest x2 upsampling, reflection and a 3x3 convolution.

    Each of the four output phases is a 2x2 convolution of the small picture with sums
    of taps, with 4/9 of the multiplications. (JAX compiles the form of
    `nstjax.ops.convolution` faster.)
    """
    kernel, *bias = _arrays(g, weights)
    phases = []
    for i, rows in enumerate(_PHASES):
        for j, columns in enumerate(_PHASES):
            # Summed when the file is loaded, so that the file stays small.
            taps = g.add("MatMul", g.constant(rows), kernel)
            taps = g.add("MatMul", taps, g.constant(columns.T))
            margins = g.constant(np.array([0, 0, 1 - i, 1 - j, 0, 0, i, j]))
            padded = g.add("Pad", x, margins, mode="edge")
            phases.append(g.add("Conv", padded, taps, *bias))
    return g.add("DepthToSpace", g.add("Concat", *phases, axis=1), blocksize=2)


def _arrays(g: Graph, weights: Params) -> list[str]:
    """A convolution's kernel, in ONNX's order, and its bias, if any."""
    kernel = np.asarray(weights["kernel"]).transpose(3, 2, 0, 1)
    return [
        g.constant(kernel),
        *(g.constant(weights[n]) for n in ("bias",) if n in weights),
    ]


def _dense(g: Graph, x: str, weights: Params) -> str:
    return g.add("Gemm", x, g.constant(weights["kernel"]), g.constant(weights["bias"]))


def _scale_and_shift(g: Graph, x: str, scale: str, shift: str) -> str:
    """Every channel times its scale, plus its shift, both [B or 1, C]."""
    axes = g.constant(np.array([2, 3]))
    scale, shift = (g.add("Unsqueeze", value, axes) for value in (scale, shift))
    return g.add("Add", g.add("Mul", x, scale), shift)


def _interpolate(g: Graph, mine: str, its: str, alpha: str) -> str:
    return g.add("Add", mine, g.add("Mul", alpha, g.add("Sub", its, mine)))


def _mean(g: Graph, x: str) -> str:
    return g.add("ReduceMean", x, g.constant(np.array([2, 3])), keepdims=1)


def _number(g: Graph, value: Any) -> str:
    return g.constant(np.float32(value))
