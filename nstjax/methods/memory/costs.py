"""What pictures cost in memory, by the widths of the networks: models.

The peak of a pass lies at one convolution, where its input, padded, and its output
are alive; and, in the forms that a CPU takes for some, what these multiply (as XLA
plans them): of wide ones the blocks' transforms, of few channels all that a pixel
sees or gives.
`benchmarks/tiled_memory.py` compares these figures with what processes take.
"""

from nstjax.methods.feedforward import TransferSpec
from nstjax.models.vgg import VGGSpec
from nstjax.ops.convolution import UPSAMPLING_CHANNELS, WINOGRAD_CHANNELS
from nstjax.ops.cpu.rgb_conv import RGB_CHANNELS

_FLOAT = 4
# The interpreter, jax and the compiler.
BASE = 450 * 10**6
# A picture [H, W, 3] in single precision.
PICTURE = 3 * _FLOAT
# The gradient of an objective keeps and makes so many times the activations of
# the two convolutions of full resolution.
_GRADIENT_COPIES = 5
# The content, what is optimised, the gradient and their copies.
_PICTURES_OF_A_RUN = 6


def encoder_bytes(spec: TransferSpec) -> float:
    """Bytes that the encoder's activations take for each pixel."""
    costs, before, scale, previous_block = [], 3, 1.0, "1"
    widths = spec.encoder.widths[: len(spec.decoder.convolutions)]
    for name, width in zip(spec.encoder.convolutions, widths, strict=False):
        if (block := name[len("conv")]) != previous_block:
            scale, previous_block = scale / 4, block
        costs.append(_convolution(before, width) * scale)
        before = width
    return max(costs)


def decoder_bytes(spec: TransferSpec) -> float:
    """The same for the decoder's, for each pixel of the result."""
    decoder = spec.decoder
    costs, before, scale = [], decoder.input_width, 1 / spec.multiple**2
    for name, width in zip(decoder.convolutions, decoder.widths, strict=True):
        if name in decoder.upsample_before:
            scale *= 4
            costs.append(_upsampling(before, width) * scale)
        else:
            costs.append(_convolution(before, width) * scale)
        before = width
    return max(costs)


def feature_bytes(spec: TransferSpec) -> float:
    """Bytes of the features between both, for each pixel."""
    return _FLOAT * spec.decoder.input_width / spec.multiple**2


def transfer_bytes(spec: TransferSpec) -> float:
    """Bytes of encoding and decoding a picture, for each pixel."""
    pass_bytes = max(encoder_bytes(spec), decoder_bytes(spec))
    return pass_bytes + feature_bytes(spec) + 2 * PICTURE


def gradient_bytes(spec: VGGSpec, *, solver_pictures: int) -> float:
    """Bytes of optimising a picture, for each pixel.

    Args:
        spec: the encoder.
        solver_pictures: how many arrays of the picture's size the solver keeps.
    """
    pictures = PICTURE * (_PICTURES_OF_A_RUN + solver_pictures)
    return _GRADIENT_COPIES * _FLOAT * sum(spec.widths[:2]) + pictures


def weight_bytes(spec: TransferSpec) -> int:
    """Bytes of both networks' weights."""
    encoder = spec.encoder.widths[: len(spec.decoder.convolutions)]
    decoder = (spec.decoder.input_width, *spec.decoder.widths)
    total = 0
    for widths in ((3, *encoder), decoder):
        total += sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    return 9 * _FLOAT * total


def _convolution(before: float, width: float) -> float:
    factors = 0.0
    if before <= RGB_CHANNELS:
        factors = 6 * before
    elif width <= RGB_CHANNELS:
        return _FLOAT * (before + 9 * width)
    elif min(before, width) >= WINOGRAD_CHANNELS:
        factors = 5.5 * max(before, width)
    return _FLOAT * (before + width + factors)


def _upsampling(before: float, width: float) -> float:
    # The input is a quarter of the output's size.
    if min(before, width) >= UPSAMPLING_CHANNELS:
        return _FLOAT * (before / 4 + width + 3.2 * max(before, width))
    return _FLOAT * (before / 4 + width + max(before / 4, width))
