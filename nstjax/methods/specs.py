"""The networks of feed-forward methods: encoding, decoding and receptive fields.

All specs have the same interface, so other modules need not distinguish them. Features
and their statistics are keyed by level, such as "relu4_1".
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from nstjax.errors import NstjaxError
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.painter import EPS as PAINTER_EPS
from nstjax.models.painter import PainterSpec
from nstjax.models.vgg import VGGSpec
from nstjax.ops.stats import Statistics
from nstjax.precision import check_compute_dtype
from nstjax.transforms.adain import EPS
from nstjax.types import Array, Features, Params

# A picture's statistics by level.
LevelStatistics = Mapping[str, Statistics]


class Convolution(NamedTuple):
    """A 3x3 convolution of a network, for computing costs and receptive fields.

    Attributes:
        before, after: its input and output channels.
        stride: the side, in pixels, that one position of its output covers.
        doubles: whether its input is upsampled first.
        beside: channels of other arrays of its output's size that are alive then.
    """

    before: int
    after: int
    stride: int
    doubles: bool = False
    beside: int = 0


@dataclasses.dataclass(frozen=True)
class TransferSpec:
    """A VGG-19 and a decoder for one of its activations.

    Attributes:
        encoder, decoder: their specs.
        eps: added to variances.
        ddof: 1 for torch's unbiased variance.
        compute_dtype: the dtype of the convolutions, one of
            `nstjax.precision.COMPUTE_DTYPES`; the rest is float32.

    Raises:
        NstjaxError: if the decoder does not fit the encoder.
    """

    encoder: VGGSpec
    decoder: DecoderSpec
    eps: float = EPS
    ddof: int = 0
    compute_dtype: str = "float32"

    def __post_init__(self):
        check_compute_dtype(self.compute_dtype)
        layer, width = self.decoder.layer, self.decoder.input_width
        vgg.check_layers((layer,), self.encoder)
        if self.encoder.width(layer) != width:
            raise NstjaxError(
                f"the decoder takes {width} channels of {layer}, but the encoder "
                f"has {self.encoder.width(layer)}; use the encoder it was trained with"
            )

    @property
    def multiple(self) -> int:
        """The side, in pixels, that one position of the coarsest features covers."""
        return 2 ** len(self.decoder.upsample_before)

    @property
    def strides(self) -> dict[str, int]:
        """The same for the features of every level, finest first."""
        return {self.decoder.layer: self.multiple}

    @property
    def widths(self) -> dict[str, int]:
        """Channels of the features of every level."""
        return {self.decoder.layer: self.decoder.input_width}

    @property
    def encoder_convolutions(self) -> Iterator[Convolution]:
        """The convolutions of `encode`, in order."""
        before, stride, previous_block = 3, 1, "1"
        widths = self.encoder.widths[: len(self.decoder.convolutions)]
        for name, width in zip(self.encoder.convolutions, widths, strict=False):
            if (block := name[len("conv")]) != previous_block:
                stride, previous_block = 2 * stride, block
            yield Convolution(before, width, stride)
            before = width

    @property
    def decoder_convolutions(self) -> Iterator[Convolution]:
        """The convolutions of `decode`, in order."""
        before, stride = self.decoder.input_width, self.multiple
        for name, width in zip(
            self.decoder.convolutions, self.decoder.widths, strict=True
        ):
            doubles = name in self.decoder.upsample_before
            stride = stride // 2 if doubles else stride
            yield Convolution(before, width, stride, doubles)
            before = width

    def encode(
        self, params: Params, image: Array, size: Array | None = None
    ) -> Features:
        """Features by level of pictures whose sides are multiples of `multiple`.

        Args:
            params: the networks' weights.
            image: [B, H, W, 3].
            size: [B, 2] int32, the (height, width) of pictures that fill only the upper
                left part of `image`, also multiples of `multiple`; or None.
        """
        return vgg.features(
            params["encoder"],
            image,
            (self.decoder.layer,),
            spec=self.encoder,
            compute_dtype=self.compute_dtype,
            size=size,
        )

    def decode(
        self,
        params: Params,
        features: Features,
        styles: Sequence[LevelStatistics],
        weights: Sequence[Array] | None,
        size: Array | None = None,
    ) -> Array:
        """Decodes features, with `styles` weighted by `weights`, without clipping."""
        del styles, weights  # this decoder uses only the features
        return decoders.decode(
            params["decoder"],
            features[self.decoder.layer],
            spec=self.decoder,
            compute_dtype=self.compute_dtype,
            size=None if size is None else size // self.multiple,
        )


@dataclasses.dataclass(frozen=True)
class PainterTransferSpec:
    """A painter, which encodes and decodes; see `nstjax.models.painter`.

    Attributes:
        painter: its spec.
        eps, ddof, compute_dtype: see `TransferSpec`.
    """

    painter: PainterSpec
    eps: float = PAINTER_EPS
    ddof: int = 0
    compute_dtype: str = "float32"

    def __post_init__(self):
        check_compute_dtype(self.compute_dtype)

    @property
    def multiple(self) -> int:
        """See `TransferSpec`."""
        return self.painter.multiple

    @property
    def strides(self) -> dict[str, int]:
        """See `TransferSpec`."""
        return self.painter.strides

    @property
    def widths(self) -> dict[str, int]:
        """See `TransferSpec`."""
        return self.painter.level_widths

    @property
    def encoder_convolutions(self) -> Iterator[Convolution]:
        """See `TransferSpec`."""
        for name, (before, after) in self.painter.encoder_convolutions.items():
            yield Convolution(before, after, self.strides[name.split("_")[0]])

    @property
    def decoder_convolutions(self) -> Iterator[Convolution]:
        """See `TransferSpec`."""
        for name, (before, after) in self.painter.decoder_convolutions.items():
            if name.endswith("_skip"):
                continue  # computed together with the convolution that it is added to
            level = "half" if name == "pixels" else name.split("_")[0]
            stride = self.strides[level]
            if name == f"{level}_0" and stride < self.multiple:
                # The encoder's features, their convolution, and the sum.
                beside = self.painter.level_widths[level] + 2 * after
                yield Convolution(before, after, stride, True, beside)
            else:
                yield Convolution(before, after, stride)

    def encode(
        self, params: Params, image: Array, size: Array | None = None
    ) -> Features:
        """See `TransferSpec`."""
        return painter.encode(
            params,
            image,
            spec=self.painter,
            compute_dtype=self.compute_dtype,
            size=size,
        )

    def decode(
        self,
        params: Params,
        features: Features,
        styles: Sequence[LevelStatistics],
        weights: Sequence[Array] | None,
        size: Array | None = None,
    ) -> Array:
        """See `TransferSpec`."""
        return painter.decode(
            params,
            features,
            styles,
            weights,
            spec=self.painter,
            compute_dtype=self.compute_dtype,
            size=size,
        )


OnePassSpec = TransferSpec | PainterTransferSpec
