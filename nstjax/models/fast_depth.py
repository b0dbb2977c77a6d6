"""FastDepth: depth in metres from one picture, a MobileNet with a light decoder.

It teaches the bundled depth network, judges depth in benchmarks, and can take that
network's place. Its weights are the publisher's, pruned to irregular widths.

References:
    Wofk et al., 2019, https://arxiv.org/abs/1903.03273, and its code,
    dwofk/fast-depth (``models.py``, MobileNetSkipAdd).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.ops.convolution import conv3x3_stride2
from nstjax.ops.cpu.depthwise import depthwise_conv
from nstjax.ops.resample import resize, size_of
from nstjax.types import Array, Params

# The side of the square that every picture is resized to.
SIZE = 224
# In metres. Smaller depths are raised to this, since the last layer is a ReLU, which
# sometimes gives 0.
LEAST_DEPTH = 0.1
ENCODER_BLOCKS = tuple(f"block{number}" for number in range(1, 14))
DECODER_BLOCKS = tuple(f"block{number}" for number in range(1, 6))

_HALVING = ("block2", "block4", "block6", "block12")
# Encoder blocks whose output is added in the decoder, by the decoder block before.
_SKIPS = {"block2": "block5", "block3": "block3", "block4": "block1"}
# The last encoder block of each size, 1/2 to 1/32 of the picture's sides.
_STAGES = ("block1", "block3", "block5", "block11", "block13")


@dataclasses.dataclass(frozen=True)
class FastDepthSpec:
    """The channels of a FastDepth.

    Attributes:
        stem_width: output channels of the first convolution.
        encoder_widths: output channels of each of the encoder's 13 blocks.
        decoder_widths: output channels of each of the decoder's 5 blocks.
    """

    stem_width: int
    encoder_widths: tuple[int, ...]
    decoder_widths: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return {
            "stem_width": self.stem_width,
            "encoder_widths": list(self.encoder_widths),
            "decoder_widths": list(self.decoder_widths),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "FastDepthSpec":
        """Reads what `to_dict` wrote.

        Raises:
            NstjaxError: if a field is missing, unknown or malformed.
        """
        try:
            spec = cls(
                int(data["stem_width"]),
                tuple(int(width) for width in data["encoder_widths"]),
                tuple(int(width) for width in data["decoder_widths"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NstjaxError(f"a FastDepth's spec is malformed: {error!r}") from error
        counts = len(spec.encoder_widths), len(spec.decoder_widths)
        if counts != (len(ENCODER_BLOCKS), len(DECODER_BLOCKS)):
            raise NstjaxError(
                f"a FastDepth has {len(ENCODER_BLOCKS)} and {len(DECODER_BLOCKS)} "
                f"blocks, not {counts[0]} and {counts[1]}"
            )
        return spec


class DepthOutputs(NamedTuple):
    """The network's outputs for pictures.

    Attributes:
        depth: in metres, at half the sides; the network itself ends by doubling
            each of its pixels.
        encoder: features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the sides.
        decoder: the decoder blocks' outputs by level, before upsampling and added
            skips; level i is at 1/2^i.
    """

    depth: Array
    encoder: tuple[Array, ...]
    decoder: Mapping[int, Array]


def forward(params: Params, image: Array) -> DepthOutputs:
    """Applies the network to pictures of any size and aspect ratio.

    Args:
        params: ``{"stem": {"kernel": [3, 3, 3, C], "bias": [C]}, "encoder":
            {"block1": {"depthwise": {"kernel": [3, 3, C], "bias": [C]},
            "pointwise": {"kernel": [C, D], "bias": [D]}}, ...}, "decoder": ...,
            "head": {"kernel": [C, 1], "bias": [1]}}``, batch normalisation folded.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1].
    """
    chex.assert_rank(image, 4)
    chex.assert_axis_dimension(image, 3, 3)
    given = activations(params, resize(image, (SIZE, SIZE), method="linear"))
    encoder, decoder = (
        {name: jax.nn.relu(pointwise) for name, (_, pointwise) in blocks.items()}
        for blocks in (given.encoder, given.decoder)
    )
    return DepthOutputs(
        given.depth,
        tuple(encoder[name] for name in _STAGES),
        dict(zip((5, 4, 3, 2, 1), decoder.values(), strict=True)),
    )


class Activations(NamedTuple):
    """The outputs of the network's layers.

    Attributes:
        encoder: for each of `ENCODER_BLOCKS`, in order, the outputs of its 3x3 and its
            1x1 convolution, before their ReLUs.
        decoder: the same for each of `DECODER_BLOCKS`, with 5x5 and 1x1 convolutions.
        depth: see `DepthOutputs`.
    """

    encoder: Mapping[str, tuple[Array, Array]]
    decoder: Mapping[str, tuple[Array, Array]]
    depth: Array


def activations(params: Params, image: Array) -> Activations:
    """Applies the network to pictures without resizing them.

    Args:
        params: see `forward`.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1], H and W multiples of 32.
    """
    x, encoder, decoder = _stem(image, params["stem"]), {}, {}
    for name in ENCODER_BLOCKS:
        stride = 2 if name in _HALVING else 1
        encoder[name] = _separable(x, params["encoder"][name], stride)
        x = jax.nn.relu(encoder[name][1])
    for name in DECODER_BLOCKS:
        decoder[name] = _separable(x, params["decoder"][name], 1)
        x = jax.nn.relu(decoder[name][1])
        if name != DECODER_BLOCKS[-1]:
            x = x.repeat(2, axis=1).repeat(2, axis=2)
        if name in _SKIPS:
            x = x + jax.nn.relu(encoder[_SKIPS[name]][1])
    head = params["head"]
    depth = jax.nn.relu(x @ head["kernel"] + head["bias"])
    return Activations(encoder, decoder, depth)


def inputs(part: str, block: str) -> set[tuple[str, str]]:
    """The blocks whose outputs, added, are a block's input.

    Args:
        part: "encoder" or "decoder".
        block: one of the part's.

    Returns:
        Pairs of part and block; none for the first block, whose input is the stem's.
    """
    blocks = {"encoder": ENCODER_BLOCKS, "decoder": DECODER_BLOCKS}[part]
    index = blocks.index(block)
    if index == 0:
        return {("encoder", ENCODER_BLOCKS[-1])} if part == "decoder" else set()
    before = blocks[index - 1]
    found = {(part, before)}
    if part == "decoder" and before in _SKIPS:
        found.add(("encoder", _SKIPS[before]))
    return found


def disparity(params: Params, image: Array, *, spec: FastDepthSpec) -> Array:
    """The reciprocal of the depth, for pictures of any size, at their size.

    Args:
        params, image: see `forward`.
        spec: the spec of `params`.

    Returns:
        Disparities of shape [B, H, W, 1], per metre.
    """
    del spec  # the widths are the params' own
    near = 1 / jnp.maximum(forward(params, image).depth, LEAST_DEPTH)
    return resize(near, size_of(image), method="linear", antialias=False)


def param_shapes(spec: FastDepthSpec) -> dict[str, Any]:
    """The shapes of a network's weights, nested as the weights are."""
    shapes: dict[str, Any] = {
        "stem": {"kernel": (3, 3, 3, spec.stem_width), "bias": (spec.stem_width,)},
        "encoder": {},
        "decoder": {},
    }
    channels = spec.stem_width
    for part, names, widths, side in (
        ("encoder", ENCODER_BLOCKS, spec.encoder_widths, 3),
        ("decoder", DECODER_BLOCKS, spec.decoder_widths, 5),
    ):
        for name, width in zip(names, widths, strict=True):
            shapes[part][name] = {
                "depthwise": {"kernel": (side, side, channels), "bias": (channels,)},
                "pointwise": {"kernel": (channels, width), "bias": (width,)},
            }
            channels = width
    shapes["head"] = {"kernel": (channels, 1), "bias": (1,)}
    return shapes


def described_by(data: Mapping[str, Any]) -> bool:
    """Whether a depth network's stored spec is a FastDepth's."""
    return "encoder_widths" in data


def _stem(x: Array, layer: Mapping[str, Array]) -> Array:
    return jax.nn.relu(conv3x3_stride2(x, layer["kernel"]) + layer["bias"])


def _separable(
    x: Array, block: Mapping[str, Params], stride: int
) -> tuple[Array, Array]:
    """The outputs of a block's two convolutions, before their ReLUs."""
    layer = block["depthwise"]
    filtered = depthwise_conv(x, layer["kernel"], stride=stride) + layer["bias"]
    layer = block["pointwise"]
    return filtered, jax.nn.relu(filtered) @ layer["kernel"] + layer["bias"]
