"""VGG-19 and VGG-16 in every variant, cut at any layer.

The variants (torchvision's, Caffe's, AdaIN's normalised one, distilled slim ones)
differ only in the convolutions per block, channel widths, padding, pooling and input
map. These make up the `VGGSpec`, which is stored with the weights.

References:
    Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556 (configurations D
    and E).
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models.shapes import chain_shapes, he_normal
from nstjax.ops.preprocess import INPUT_MAPS, to_network
from nstjax.ops.resample import size_of
from nstjax.precision import cast_floating, check_floating
from nstjax.types import Array, Features, Params

# Convolutions in each of the five blocks, with a 2x2 pooling between blocks.
BLOCKS = (2, 2, 4, 4, 4)
VGG16_BLOCKS = (2, 2, 3, 3, 3)
# The kinds of weight files (`nstjax.io.weights.WeightsMetadata.kind`) that hold a
# VGG, and the convolutions per block of each.
KINDS = {"vgg19": BLOCKS, "vgg16": VGG16_BLOCKS}
_BLOCK_WIDTHS = (64, 128, 256, 512, 512)


def convolution_names(blocks: Sequence[int]) -> tuple[str, ...]:
    """Names, such as "conv1_1", of the convolutions in blocks of these sizes."""
    return tuple(
        f"conv{block}_{index}"
        for block, count in enumerate(blocks, start=1)
        for index in range(1, count + 1)
    )


def full_widths(blocks: Sequence[int]) -> tuple[int, ...]:
    """Output channels of each convolution, as in Simonyan & Zisserman."""
    return tuple(
        width
        for width, count in zip(_BLOCK_WIDTHS, blocks, strict=True)
        for _ in range(count)
    )


# VGG-19's.
CONVOLUTIONS = convolution_names(BLOCKS)
LAYERS = tuple(name.replace("conv", "relu") for name in CONVOLUTIONS)
FULL_WIDTHS = full_widths(BLOCKS)


@dataclasses.dataclass(frozen=True)
class VGGSpec:
    """What distinguishes one VGG from another.

    Attributes:
        widths: output channels of conv1_1, conv1_2, ... in order, for the convolutions
            that the weights have.
        padding: "zero" or "reflect".
        pooling: "max" or "average".
        rounding: "floor" or "ceil", for pooling odd sizes.
        input_map: one of `nstjax.ops.preprocess.INPUT_MAPS`.
        blocks: convolutions in each of the five blocks: `BLOCKS`, which are
            VGG-19's, or `VGG16_BLOCKS`.
    """

    widths: tuple[int, ...] = FULL_WIDTHS
    padding: str = "zero"
    pooling: str = "max"
    rounding: str = "floor"
    input_map: str = "imagenet"
    blocks: tuple[int, ...] = BLOCKS

    def __post_init__(self):
        try:
            object.__setattr__(self, "widths", tuple(int(w) for w in self.widths))
            object.__setattr__(self, "blocks", tuple(int(n) for n in self.blocks))
        except (TypeError, ValueError) as error:
            raise NstjaxError(
                f"a VGG spec's widths or blocks are malformed: {error}"
            ) from error
        if self.blocks not in KINDS.values():
            raise NstjaxError(
                f"a VGG spec's blocks must be {' or '.join(map(str, KINDS.values()))}, "
                f"not {self.blocks}"
            )
        if not 1 <= len(self.widths) <= sum(self.blocks) or min(self.widths) < 1:
            raise NstjaxError(
                f"a {self.name} has 1 to {sum(self.blocks)} positive widths, "
                f"not {self.widths}"
            )
        for field, allowed in (
            ("padding", ("zero", "reflect")),
            ("pooling", ("max", "average")),
            ("rounding", ("floor", "ceil")),
            ("input_map", INPUT_MAPS),
        ):
            if getattr(self, field) not in allowed:
                raise NstjaxError(
                    f"the VGG spec's {field} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, field)!r}"
                )

    @property
    def name(self) -> str:
        """The network's usual name: "VGG-19" or "VGG-16"."""
        return "VGG-19" if self.blocks == BLOCKS else "VGG-16"

    @property
    def convolutions(self) -> tuple[str, ...]:
        """The convolutions that the weights have, in order."""
        return convolution_names(self.blocks)[: len(self.widths)]

    @property
    def layers(self) -> tuple[str, ...]:
        """The activations that these weights can compute, shallow to deep."""
        return tuple(name.replace("conv", "relu") for name in self.convolutions)

    def width(self, layer: str) -> int:
        """The number of channels of a layer: 512 for "relu4_1" at full width."""
        return self.widths[self.layers.index(layer.replace("conv", "relu"))]

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return dataclasses.asdict(self) | {
            "widths": list(self.widths),
            "blocks": list(self.blocks),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "VGGSpec":
        """Reads what `to_dict` wrote; without "blocks", it is a VGG-19's.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) | {"blocks"} != names:
            raise NstjaxError(
                f"a VGG spec has the fields {sorted(names)}, not {sorted(data)}"
            )
        return cls(**data)


def features(
    params: Params,
    image: Array,
    layers: Iterable[str],
    *,
    spec: VGGSpec,
    compute_dtype: str | None = None,
    size: Array | None = None,
) -> Features:
    """Computes activations of a VGG, up to the deepest requested layer.

    Args:
        params: ``{"conv1_1": {"kernel": [3, 3, 3, 64], "bias": [64]}, ...}``,
            and ``"conv0"`` where `spec.input_map` is "learned".
        image: pictures of shape [B, H, W, 3], RGB in [0, 1]. Values outside are
            allowed, since optimisers can leave the range.
        layers: names such as "relu4_1" (after the ReLU) or "conv4_1" (before).
        spec: the spec of `params`.
        compute_dtype: the dtype of the convolutions, one of
            `nstjax.precision.COMPUTE_DTYPES`; by default the picture's dtype.
        size: [B, 2] int32, the (height, width) of pictures that fill only the upper
            left part of `image`, divisible by all poolings like its sides; they are
            padded at their own borders. By default they fill `image`.

    Returns:
        Each named layer's activation [B, H', W', C], by name, with the picture's dtype.

    Raises:
        NstjaxError: if a layer is unknown or deeper than these weights, or the picture
            is too small to reach it or of integers.
    """
    check_floating(image=image)
    chex.assert_rank(image, 4)
    chex.assert_axis_dimension(image, 3, 3)
    pixels = to_network(image, spec.input_map, params)
    return features_from_pixels(
        params, pixels, layers, spec=spec, compute_dtype=compute_dtype, size=size
    )


def features_from_pixels(
    params: Params,
    pixels: Array,
    layers: Iterable[str],
    *,
    spec: VGGSpec,
    compute_dtype: str | None = None,
    size: Array | None = None,
) -> Features:
    """Like `features`, from pixels in the network's own domain."""
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    chex.assert_rank(pixels, 4)
    chex.assert_axis_dimension(pixels, 3, 3)
    check_layers(layers, spec)
    _check_size(size_of(pixels), layers, spec)
    # Layers cast their weights to the dtype of their input.
    found = _module(spec, layers).apply(
        {"params": params}, cast_floating(pixels, compute_dtype), size
    )
    return cast_floating(found, pixels.dtype)


def init_params(key: Array, spec: VGGSpec) -> dict[str, Any]:
    """Random weights of the spec's shapes (He initialisation, zero biases)."""
    params = he_normal(key, chain_shapes(spec.convolutions, spec.widths, 3))
    if spec.input_map == "learned":
        params["conv0"] = {
            "kernel": jnp.eye(3)[None, None],
            "bias": jnp.zeros(3),
        }
    return params


def param_shapes(spec: VGGSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""
    tree = chain_shapes(spec.convolutions, spec.widths, 3)
    if spec.input_map == "learned":
        tree["conv0"] = {"kernel": (1, 1, 3, 3), "bias": (3,)}
    return tree


def scale_features(params: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The weights of the same encoder with all its features multiplied by a factor.

    Rectifiers and pooling pass on a factor, so it suffices to multiply the first
    convolution's kernel and every bias.

    Args:
        params: an encoder's weights.
        factor: a positive number.
    """
    return {
        name: layer
        if name == "conv0"
        else {
            "kernel": layer["kernel"] * (factor if name == "conv1_1" else 1),
            "bias": layer["bias"] * factor,
        }
        for name, layer in params.items()
    }


def check_layers(layers: Iterable[str], spec: VGGSpec) -> None:
    """Raises NstjaxError unless every layer exists and the weights reach it."""
    layers = tuple(layers)
    if not layers:
        raise NstjaxError("no VGG layer was asked for; name one, such as relu4_1")
    convolutions = convolution_names(spec.blocks)
    for layer in layers:
        activation = layer.replace("conv", "relu")
        if layer.replace("relu", "conv") not in convolutions:
            raise NstjaxError(
                f"{spec.name} has no layer {layer!r}; its layers are relu1_1 to "
                f"{convolutions[-1].replace('conv', 'relu')}"
            )
        if activation not in spec.layers:
            raise NstjaxError(
                f"these {spec.name} weights end at {spec.layers[-1]}, before {layer}; "
                "use deeper weights or a shallower layer"
            )


def _module(spec: VGGSpec, layers: tuple[str, ...]):
    # Imported here: Flax takes a tenth of a second, which cached programs save.
    from nstjax.models.modules.vgg import VGG

    return VGG(spec, layers)


def _check_size(size: tuple[int, int], layers: tuple[str, ...], spec: VGGSpec) -> None:
    deepest = max(int(layer[len("relu")]) for layer in layers)
    # Reflect padding needs two pixels, everything else one.
    least = 2 if spec.padding == "reflect" else 1

    def shrink(side: int) -> int:
        for _ in range(deepest - 1):
            side = side // 2 if spec.rounding == "floor" else -(-side // 2)
        return side

    if any(shrink(side) < least for side in size):
        # The smallest side that is still large enough after the halvings.
        halvings = 2 ** (deepest - 1)
        needed = (
            least * halvings if spec.rounding == "floor" else (least - 1) * halvings + 1
        )
        raise NstjaxError(
            f"a picture of {size[1]} x {size[0]} pixels is too small for {spec.name}'s "
            f"block {deepest}; its shorter side must be at least "
            f"{needed}"
        )
