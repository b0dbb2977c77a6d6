"""Models of the memory that pictures take, by the widths of the networks.

The peak of a pass occurs at one convolution, when its padded input and its output are
both alive. In the forms that a CPU uses for some convolutions, the factors of the
products are alive, too (as XLA plans them): the blocks' transforms for wide
convolutions, and all values that a pixel reads or writes for few channels.
`benchmarks/tiled_memory.py` compares these figures with measurements.
"""

from nstjax.methods.specs import Convolution, OnePassSpec
from nstjax.models.vgg import VGGSpec
from nstjax.ops.convolution import UPSAMPLING_CHANNELS, WINOGRAD_CHANNELS
from nstjax.ops.cpu.rgb_conv import RGB_CHANNELS

_FLOAT = 4
# The interpreter, jax and the compiler.
BASE = 450 * 10**6
# A picture [H, W, 3] in single precision.
PICTURE = 3 * _FLOAT
# The gradient of an objective takes this many times the memory of the activations of
# the two convolutions at full resolution.
_GRADIENT_COPIES = 5
# The content, the optimised picture, the gradient and their copies.
_PICTURES_OF_A_RUN = 6


def encoder_bytes(spec: OnePassSpec) -> float:
    """Bytes of the encoder's activations, for each pixel."""
    return max(map(_activations, spec.encoder_convolutions))


def decoder_bytes(spec: OnePassSpec) -> float:
    """The same for the decoder's, for each pixel of the result."""
    return max(map(_activations, spec.decoder_convolutions))


def feature_bytes(spec: OnePassSpec) -> float:
    """Bytes of the features between encoder and decoder, for each pixel."""
    return _FLOAT * sum(
        spec.widths[level] / stride**2 for level, stride in spec.strides.items()
    )


def transfer_bytes(spec: OnePassSpec) -> float:
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


def weight_bytes(spec: OnePassSpec) -> int:
    """Bytes of the networks' weights."""
    convolutions = (*spec.encoder_convolutions, *spec.decoder_convolutions)
    return 9 * _FLOAT * sum(c.before * c.after for c in convolutions)


def _activations(convolution: Convolution) -> float:
    """Bytes that are alive at a convolution, for each pixel of the picture."""
    cost = _upsampling if convolution.doubles else _convolution
    alive = cost(convolution.before, convolution.after) + _FLOAT * convolution.beside
    return alive / convolution.stride**2


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
    # The input has a quarter of the output's size.
    if min(before, width) >= UPSAMPLING_CHANNELS:
        return _FLOAT * (before / 4 + width + 3.2 * max(before, width))
    return _FLOAT * (before / 4 + width + max(before / 4, width))
