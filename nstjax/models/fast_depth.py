"""FastDepth: depth in metres from one picture, a MobileNet with a light decoder.

It teaches the bundled depth network and judges depth in benchmarks. Its weights
are a publisher's, pruned to widths that follow no rule; they are read off the
params.

References:
    Wofk et al., 2019, https://arxiv.org/abs/1903.03273, and its code,
    dwofk/fast-depth (``models.py``, MobileNetSkipAdd).
"""

from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax

from nstjax.ops.convolution import depthwise_conv
from nstjax.ops.resample import resize
from nstjax.types import Array, Params

# The side of the square that every picture is resized to.
SIZE = 224
# Metres to take for less: the last layer is a ReLU, which gives 0 now and then.
LEAST_DEPTH = 0.1
ENCODER_BLOCKS = tuple(f"block{number}" for number in range(1, 14))
DECODER_BLOCKS = tuple(f"block{number}" for number in range(1, 6))

_HALVING = ("block2", "block4", "block6", "block12")
# Encoder blocks whose output is added in the decoder, by the block it follows.
_SKIPS = {"block2": "block5", "block3": "block3", "block4": "block1"}
# The last encoder block of each size, 1/2 to 1/32 of the picture's sides.
_STAGES = ("block1", "block3", "block5", "block11", "block13")


class Seen(NamedTuple):
    """What the network sees in pictures.

    Attributes:
        depth: in metres, [B, 112, 112, 1]; the network itself ends by doubling
            each of its pixels.
        encoder: features at 1/2, 1/4, 1/8, 1/16 and 1/32 of 224 pixels.
        decoder: features by level, skips added; level i is at 1/2^i.
    """

    depth: Array
    encoder: tuple[Array, ...]
    decoder: Mapping[int, Array]


def see(params: Params, image: Array) -> Seen:
    """Looks at pictures of any size, whatever their aspect ratio.

    Args:
        params: ``{"stem": {"kernel": [3, 3, 3, C], "bias": [C]}, "encoder":
            {"block1": {"depthwise": {"kernel": [3, 3, C], "bias": [C]},
            "pointwise": {"kernel": [C, D], "bias": [D]}}, ...}, "decoder": ...,
            "head": {"kernel": [C, 1], "bias": [1]}}``, batch normalisation folded.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1].
    """
    chex.assert_rank(image, 4)
    chex.assert_axis_dimension(image, 3, 3)
    x = resize(image, (SIZE, SIZE), method="linear")
    x = _stem(x, params["stem"])
    kept = {}
    for name in ENCODER_BLOCKS:
        x = _separable(x, params["encoder"][name], 2 if name in _HALVING else 1)
        kept[name] = x
    decoded = {}
    for level, name in zip((4, 3, 2, 1), DECODER_BLOCKS, strict=False):
        x = _separable(x, params["decoder"][name], 1)
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        if name in _SKIPS:
            x = x + kept[_SKIPS[name]]
        decoded[level] = x
    x = _separable(x, params["decoder"][DECODER_BLOCKS[-1]], 1)
    depth = _pointwise(x, params["head"])
    return Seen(depth, tuple(kept[name] for name in _STAGES), decoded)


def _stem(x: Array, layer: Mapping[str, Array]) -> Array:
    y = jax.lax.conv_general_dilated(
        x,
        layer["kernel"],
        window_strides=(2, 2),
        padding=((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return jax.nn.relu(y + layer["bias"])


def _separable(x: Array, block: Mapping[str, Params], stride: int) -> Array:
    layer = block["depthwise"]
    y = depthwise_conv(x, layer["kernel"], stride=stride) + layer["bias"]
    return _pointwise(jax.nn.relu(y), block["pointwise"])


def _pointwise(x: Array, layer: Mapping[str, Array]) -> Array:
    return jax.nn.relu(x @ layer["kernel"] + layer["bias"])
