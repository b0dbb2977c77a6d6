"""The painter: an encoder and a decoder for multi-level AdaIN, trained together.

AdaIN's published decoder must reconstruct a picture from relu4_1 alone. The painter
applies AdaIN to features at 1/2, 1/4, ... of the picture's size and decodes all of
them. The style's means and deviations also determine a bounded scale and shift for
every channel that the decoder computes. Its encoder is not a VGG: it is trained
together with the decoder and costs a fraction of a slim VGG. Nothing is computed at the
picture's full size, since blocks of 2 x 2 pixels are folded into channels.

The decoder does not normalise by statistics of its own features: each pixel depends
only on a neighbourhood and on statistics of the encoder's features, so painting in
tiles gives the same result as painting the whole picture.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868 (AdaIN, at relu4_1);
    Dumoulin et al., 2016, https://arxiv.org/abs/1610.07629 (a scale and a shift of
    channels for each style);
    Shi et al., 2016, https://arxiv.org/abs/1609.05158 (pixels folded into channels).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models.shapes import he_normal
from nstjax.ops.blocks import depth_to_space, space_to_depth
from nstjax.ops.convolution import conv3x3, upsample_reflect_conv3x3
from nstjax.ops.cpu.sums import add_bias
from nstjax.ops.pooling import mean_over_blocks, pool2x2
from nstjax.ops.stats import Statistics
from nstjax.precision import cast_floating
from nstjax.types import Array, Features, Params

# All possible levels, each with half the sides of the one before.
LEVELS = ("half", "quarter", "eighth")
# Added to the variances of the encoder's features, whose scale is about 1: a channel
# that is nearly always zero must not be amplified.
EPS = 1e-3
# The largest relative change that a style can make to a channel.
LARGEST_SCALE = 0.8
# The bound on each number in a style's condensed statistics.
LARGEST_STATISTIC = 4.0


@dataclasses.dataclass(frozen=True)
class PainterSpec:
    """What distinguishes one painter from another.

    Attributes:
        encoder_widths: channels of the encoder's convolutions at each level.
        decoder_widths: channels of the decoder's convolutions at the same levels, the
            coarsest first.
        style_width: how many numbers the style's statistics are condensed to.
    """

    encoder_widths: tuple[tuple[int, ...], ...] = ((32, 40), (40, 80))
    decoder_widths: tuple[tuple[int, ...], ...] = ((96, 64, 64, 48), (48, 32))
    style_width: int = 128

    def __post_init__(self):
        try:
            encoder, decoder = (
                tuple(tuple(int(width) for width in level) for level in levels)
                for levels in (self.encoder_widths, self.decoder_widths)
            )
            least = min(
                int(self.style_width), *(min(level) for level in (*encoder, *decoder))
            )
        except (TypeError, ValueError) as error:
            raise NstjaxError(
                f"a painter spec has a malformed field: {error}"
            ) from error
        if not 1 <= len(encoder) == len(decoder) <= len(LEVELS) or least < 1:
            raise NstjaxError(
                "a painter has as many lists of encoder widths as of decoder widths, "
                f"{len(LEVELS)} at most, and no width below 1, not {encoder} and "
                f"{decoder}"
            )
        object.__setattr__(self, "encoder_widths", encoder)
        object.__setattr__(self, "decoder_widths", decoder)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of this painter, finest first."""
        return LEVELS[: len(self.encoder_widths)]

    @property
    def strides(self) -> dict[str, int]:
        """The side, in pixels, that one position of each level covers."""
        return {level: 2**number for number, level in enumerate(self.levels, start=1)}

    @property
    def multiple(self) -> int:
        """What pictures' sides must be multiples of."""
        return 2 ** len(self.levels)

    @property
    def level_widths(self) -> dict[str, int]:
        """Channels of the encoder's features, by level."""
        return {
            level: widths[-1]
            for level, widths in zip(self.levels, self.encoder_widths, strict=True)
        }

    @property
    def encoder_convolutions(self) -> dict[str, tuple[int, int]]:
        """Input and output channels of each, in order of use."""
        found, width = {}, 12
        for level, widths in zip(self.levels, self.encoder_widths, strict=True):
            for number, after in enumerate(widths):
                found[f"{level}_{number}"] = (width, after)
                width = after
        return found

    @property
    def decoder_convolutions(self) -> dict[str, tuple[int, int]]:
        """Input and output channels of each, in order of use."""
        coarsest = self.levels[-1]
        width = self.level_widths[coarsest]
        found = {}
        for level, widths in zip(self.levels[::-1], self.decoder_widths, strict=True):
            if level != coarsest:
                found[f"{level}_skip"] = (self.level_widths[level], widths[0])
            for number, after in enumerate(widths):
                found[f"{level}_{number}"] = (width, after)
                width = after
        return found | {"pixels": (width, 12)}

    @property
    def styled(self) -> tuple[str, ...]:
        """The decoder's convolutions whose channels the style scales and shifts."""
        return tuple(
            name
            for name in self.decoder_convolutions
            if not name.endswith("_skip") and name != "pixels"
        )

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return dataclasses.asdict(self) | {
            "encoder_widths": [list(level) for level in self.encoder_widths],
            "decoder_widths": [list(level) for level in self.decoder_widths],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "PainterSpec":
        """Reads what `to_dict` wrote.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) != names:
            raise NstjaxError(
                f"a painter spec has the fields {', '.join(sorted(names))}, not "
                f"{', '.join(sorted(data))}: another release's painters cannot be read"
            )
        return cls(**data)


def encode(
    params: Params,
    image: Array,
    *,
    spec: PainterSpec,
    compute_dtype: str | None = None,
    size: Array | None = None,
) -> Features:
    """Computes the features that AdaIN restyles.

    Args:
        params: ``{"encoder": ..., "decoder": ..., "style": ...}``.
        image: pictures [B, H, W, 3], RGB in [0, 1]; H and W are multiples of
            `spec.multiple`, and at least twice that.
        spec: the spec of `params`.
        compute_dtype: the dtype of the convolutions, one of
            `nstjax.precision.COMPUTE_DTYPES`; by default the picture's dtype.
        size: [B, 2] int32, the (height, width) of pictures that fill only the upper
            left part of `image`, also multiples of `spec.multiple`; by default they
            fill it.

    Returns:
        ``{"half": [B, H / 2, W / 2, C], "quarter": ...}`` after ReLUs, with the
        picture's dtype.

    Raises:
        NstjaxError: if the picture is too small, or its sides are not such multiples.
    """
    chex.assert_rank(image, 4)
    height, width = image.shape[1:3]
    step, least = spec.multiple, 2 * spec.multiple
    if any(side < least or side % step for side in (height, width)):
        raise NstjaxError(
            f"this painter takes pictures whose sides are multiples of {step}, "
            f"{least} or more, not {width} x {height} pixels"
        )
    weights = params["encoder"]
    # Centred, so that black and white are equally far from zero for the first layer.
    x = cast_floating(space_to_depth(2 * image - 1), compute_dtype)
    found: dict[str, Array] = {}
    for level, widths in zip(spec.levels, spec.encoder_widths, strict=True):
        if found:
            x = pool2x2(x, kind="max", rounding="floor")
        within = None if size is None else size // spec.strides[level]
        for number in range(len(widths)):
            layer = weights[f"{level}_{number}"]
            x = jax.nn.relu(_convolve(layer, x, size=within))
        found[level] = x
    return cast_floating(found, image.dtype)


def decode(
    params: Params,
    features: Features,
    styles: Sequence[Mapping[str, Statistics]],
    weights: Sequence[Array] | None = None,
    *,
    spec: PainterSpec,
    compute_dtype: str | None = None,
    size: Array | None = None,
) -> Array:
    """Turns restyled features into pictures.

    Args:
        params: see `encode`.
        features: from `encode`, after AdaIN.
        styles: the style statistics that AdaIN used, by level, each [B or 1, 1, 1, C];
            one style, or one for each of `weights`.
        weights: each style's weight at every position, [B, H / 2, W / 2, 1], summing to
            1.
        spec: the spec of `params`.
        compute_dtype: see `encode`.
        size: [B, 2] int32, the pictures' (height, width), see `encode`.

    Returns:
        Pictures [B, H, W, 3] of the features' dtype, RGB, nominally in [0, 1] and not
        clipped.
    """
    layers = params["decoder"]
    coarsest = spec.levels[-1]
    dtype = features[coarsest].dtype
    features = cast_floating(dict(features), compute_dtype)
    told = [_condense(params["style"], style) for style in styles]

    def styled(name: str, x: Array) -> Array:
        wanted = [_adjustment(params["style"][name], style) for style in told]
        if weights is not None:
            side = weights[0].shape[1] // x.shape[1]
            wanted = [
                mean_over_blocks(weight, side) * value
                for weight, value in zip(weights, wanted, strict=True)
            ]
        scale, shift = jnp.split(sum(wanted), 2, axis=-1)
        scale = 1 + LARGEST_SCALE * jnp.tanh(scale)
        return x * scale.astype(x.dtype) + shift.astype(x.dtype)

    x, within = features[coarsest], None
    for level, widths in zip(spec.levels[::-1], spec.decoder_widths, strict=True):
        before, within = within, None if size is None else size // spec.strides[level]
        for number in range(len(widths)):
            name = f"{level}_{number}"
            if number > 0 or level == coarsest:
                y = _convolve(layers[name], x, size=within)
            else:
                skip = _convolve(layers[f"{level}_skip"], features[level], size=within)
                y = skip + _convolve(layers[name], x, upsample=True, size=before)
            x = jax.nn.relu(styled(name, y))
    # Zero is grey, so an untrained painter paints grey, not black.
    pixels = depth_to_space(_convolve(layers["pixels"], x, size=within)) + 0.5
    return cast_floating(pixels, dtype)


def init_params(key: Array, spec: PainterSpec) -> dict[str, Any]:
    """Random weights of the spec's shapes (He's), which paint nearly grey pictures."""
    params = he_normal(key, param_shapes(spec))
    for name in spec.styled:
        # Starts without changing any channel.
        kernel = params["style"][name]["kernel"]
        params["style"][name]["kernel"] = jnp.zeros_like(kernel)
    last = params["decoder"]["pixels"]
    last["kernel"] = 0.1 * last["kernel"]
    return params


def param_shapes(spec: PainterSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""

    def chain(convolutions: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
        return {
            name: {"kernel": (3, 3, before, after)}
            # No bias: a skip is added to a convolution that has one.
            | ({} if name.endswith("_skip") else {"bias": (after,)})
            for name, (before, after) in convolutions.items()
        }

    def dense(before: int, after: int) -> dict[str, Any]:
        return {"kernel": (before, after), "bias": (after,)}

    style = {
        name: dense(spec.style_width, 2 * spec.decoder_convolutions[name][1])
        for name in spec.styled
    }
    numbers = 2 * sum(spec.level_widths.values())
    return {
        "encoder": chain(spec.encoder_convolutions),
        "decoder": chain(spec.decoder_convolutions),
        "style": style | {"condense": dense(numbers, spec.style_width)},
    }


def _convolve(
    weights: Params, x: Array, *, upsample: bool = False, size: Array | None = None
) -> Array:
    kernel = weights["kernel"].astype(x.dtype)
    if upsample:
        y = upsample_reflect_conv3x3(x, kernel, size=size)
    else:
        y = conv3x3(x, kernel, padding="reflect", size=size)
    return add_bias(y, weights["bias"].astype(x.dtype)) if "bias" in weights else y


def _condense(weights: Params, style: Mapping[str, Statistics]) -> Array:
    """Condenses a style's statistics to a few bounded numbers, [B, style_width]."""
    numbers = [x[:, 0, 0] for level in LEVELS for x in style.get(level, ())]
    dense = weights["condense"]
    told = jnp.concatenate(numbers, axis=1) @ dense["kernel"] + dense["bias"]
    return LARGEST_STATISTIC * jnp.tanh(told / LARGEST_STATISTIC)


def _adjustment(weights: Params, told: Array) -> Array:
    """The scale and shift of the channels, concatenated: [B, 1, 1, 2 C]."""
    return (told @ weights["kernel"] + weights["bias"])[:, None, None]
