"""The decoder: from a VGG activation back to a picture.

A mirrored VGG: its convolutions have the encoder's names in reverse order,
``conv4_1, conv3_4, ..., conv1_1``, each with reflect padding and a ReLU, with
nearest x2 upsampling where the encoder pools. The published decoders (AdaIN's,
Style-Swap's, the invertors of universal style transfer, distilled slim ones)
differ only in their `DecoderSpec`, which is stored with the weights.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868.
    Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337.
    Li et al., 2017, https://arxiv.org/abs/1705.08086.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models.shapes import chain_shapes, he_normal
from nstjax.models.vgg import BLOCKS, convolution_names
from nstjax.ops.preprocess import from_network
from nstjax.precision import cast_floating, check_floating
from nstjax.types import Array, Params

# Which pixels a decoder may emit; see `nstjax.ops.preprocess`.
OUTPUT_MAPS = ("unit", "imagenet")


@dataclasses.dataclass(frozen=True)
class DecoderSpec:
    """What distinguishes one decoder from another.

    The defaults are AdaIN's decoder at full width.

    Attributes:
        layer: the activation it starts from, such as "relu4_1".
        input_width: channels of that activation.
        widths: output channels of each of `convolutions`; the last is 3.
        upsample_before: the convolutions before which the features are upsampled: one
            for every pooling between the picture and `layer`, so that the output has
            the picture's size (a multiple of 2 ** poolings).
        last_linear: whether the last convolution has no ReLU.
        output_map: which pixels the last layer emits: "unit" for RGB in
            [0, 1], "imagenet" for pixels normalised by ImageNet's mean and
            standard deviation.
        blocks: the encoder's, see `nstjax.models.vgg.VGGSpec`.
    """

    layer: str = "relu4_1"
    input_width: int = 512
    widths: tuple[int, ...] = (256, 256, 256, 256, 128, 128, 64, 64, 3)
    upsample_before: tuple[str, ...] = ("conv3_4", "conv2_2", "conv1_2")
    last_linear: bool = True
    output_map: str = "unit"
    blocks: tuple[int, ...] = BLOCKS

    def __post_init__(self):
        _check_layer(self.layer, self.blocks)
        try:
            widths = tuple(int(width) for width in self.widths)
            object.__setattr__(self, "widths", widths)
            object.__setattr__(self, "input_width", int(self.input_width))
            object.__setattr__(self, "upsample_before", tuple(self.upsample_before))
            object.__setattr__(self, "blocks", tuple(self.blocks))
        except (TypeError, ValueError) as error:
            raise NstjaxError(
                f"a decoder spec has a malformed field: {error}"
            ) from error
        count = len(self.convolutions)
        if len(widths) != count or widths[-1] != 3 or min(widths) < 1:
            raise NstjaxError(
                f"a decoder from {self.layer} has {count} positive widths, the last "
                f"of them 3, not {widths}"
            )
        if self.input_width < 1:
            raise NstjaxError(
                f"a decoder's input width must be positive, not {self.input_width}"
            )
        poolings = int(self.layer[len("relu")]) - 1
        in_order = tuple(n for n in self.convolutions if n in self.upsample_before)
        if self.upsample_before != in_order or len(in_order) != poolings:
            raise NstjaxError(
                f"a decoder from {self.layer} upsamples before {poolings} of its "
                f"convolutions, named in order, not {self.upsample_before}"
            )
        if not isinstance(self.last_linear, bool):
            raise NstjaxError(
                f"a decoder's last_linear is true or false, not {self.last_linear!r}"
            )
        if self.output_map not in OUTPUT_MAPS:
            raise NstjaxError(
                f"a decoder's output_map must be one of {', '.join(OUTPUT_MAPS)}, "
                f"not {self.output_map!r}"
            )

    @classmethod
    def mirror(
        cls,
        layer: str,
        encoder_widths: tuple[int, ...],
        *,
        blocks: tuple[int, ...] = BLOCKS,
        last_linear: bool = True,
        output_map: str = "unit",
    ) -> "DecoderSpec":
        """The mirror image of an encoder, as all published decoders are.

        Args:
            layer: the activation to start from.
            encoder_widths: `nstjax.models.vgg.VGGSpec.widths`, up to `layer` or
                deeper.
            blocks: the encoder's.
            last_linear: see the class.
            output_map: see the class.

        Raises:
            NstjaxError: if there is no such layer, or the encoder does not
                reach it.
        """
        layers = _layers(blocks)[: len(encoder_widths)]
        if layer not in layers:
            raise NstjaxError(
                f"a decoder cannot start from {layer!r}: its encoder has "
                f"{layers[0]} to {layers[-1]}"
            )
        last = layers.index(layer)
        block = int(layer[len("relu")])
        return cls(
            layer=layer,
            input_width=encoder_widths[last],
            widths=(*reversed(encoder_widths[:last]), 3),
            upsample_before=tuple(
                f"conv{below}_{blocks[below - 1]}" for below in range(block - 1, 0, -1)
            ),
            last_linear=last_linear,
            output_map=output_map,
            blocks=blocks,
        )

    @property
    def convolutions(self) -> tuple[str, ...]:
        """The layers' names, in the order in which they are applied."""
        names = convolution_names(self.blocks)
        return names[_layers(self.blocks).index(self.layer) :: -1]

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return dataclasses.asdict(self) | {
            "widths": list(self.widths),
            "upsample_before": list(self.upsample_before),
            "blocks": list(self.blocks),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DecoderSpec":
        """Reads what `to_dict` wrote; without "blocks", it mirrors a VGG-19.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) | {"blocks"} != names:
            raise NstjaxError(
                f"a decoder spec has the fields {sorted(names)}, not {sorted(data)}"
            )
        return cls(**data)


def decode(
    params: Params,
    features: Array,
    *,
    spec: DecoderSpec,
    compute_dtype: str | None = None,
    size: Array | None = None,
) -> Array:
    """Turns an activation into a picture.

    Args:
        params: ``{"conv4_1": {"kernel": [3, 3, 512, 256], "bias": [256]}, ...}``.
        features: the activation of `spec.layer`, of shape [B, H, W, C].
        spec: the spec of `params`.
        compute_dtype: the dtype of the convolutions, one of
            `nstjax.precision.COMPUTE_DTYPES`; by default the features' dtype.
        size: [B, 2] int32, the (height, width) of activations that fill only the upper
            left part of `features`; by default they fill it.

    Returns:
        Pictures of shape [B, H * 2**p, W * 2**p, 3] with the features' dtype, p being
        the number of upsamplings; RGB, nominally in [0, 1], not clipped. They are
        slightly larger than the original if the encoder rounds odd sizes up.

    Raises:
        NstjaxError: if `features` is too small for reflect padding, or of integers.
    """
    check_floating(features=features)
    chex.assert_rank(features, 4)
    chex.assert_axis_dimension(features, 3, spec.input_width)
    height, width = features.shape[1:3]
    first_is_doubled = spec.convolutions[0] in spec.upsample_before
    if any(side < (1 if first_is_doubled else 2) for side in (height, width)):
        scale = 2 ** len(spec.upsample_before)
        raise NstjaxError(
            f"a {spec.layer} activation of {width} x {height} positions is too small "
            f"to decode; the picture's shorter side must be at least {2 * scale}"
        )
    pixels = _module(spec).apply(
        {"params": params}, cast_floating(features, compute_dtype), size
    )
    pixels = cast_floating(pixels, features.dtype)
    if spec.output_map == "unit":
        return pixels
    return from_network(pixels, spec.output_map)


def init_params(key: Array, spec: DecoderSpec) -> dict[str, Any]:
    """Random weights of the spec's shapes (He initialisation, zero biases)."""
    return he_normal(key, param_shapes(spec))


def param_shapes(spec: DecoderSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""
    return chain_shapes(spec.convolutions, spec.widths, spec.input_width)


def _layers(blocks: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(name.replace("conv", "relu") for name in convolution_names(blocks))


def _check_layer(layer: str, blocks: tuple[int, ...]) -> None:
    layers = _layers(blocks)
    if layer not in layers:
        raise NstjaxError(
            f"a decoder starts from a VGG layer, {layers[0]} to {layers[-1]}, "
            f"not {layer!r}"
        )


def _module(spec: DecoderSpec):
    # Imported here: Flax takes a tenth of a second, which cached programs save.
    from nstjax.models.modules.decoders import Decoder

    return Decoder(spec)
