"""monodepth2's network as Flax modules; see `nstjax.models.monodepth`."""

from functools import partial

import flax.linen as nn

from nstjax.models import batch_norm
from nstjax.models.modules.layers import Conv3x3, parameter
from nstjax.models.monodepth import EXPANSION, MonodepthSpec, Seen
from nstjax.ops.convolution import (
    conv3x3,
    conv3x3_stride2,
    conv7x7_stride2,
    upsample_reflect_conv3x3,
)
from nstjax.ops.pooling import max_pool3x3_stride2
from nstjax.ops.sums import add_bias
from nstjax.types import Array


class Residual(nn.Module):
    """One unit of a ResNet, basic or bottleneck.

    Attributes:
        block: see `MonodepthSpec`.
        width: of its 3x3 convolutions.
        stride: 1, or 2 to halve the size; a bottleneck does so in its 3x3
            convolution, as torchvision's does.
        normalise: see `Convolution`.
    """

    block: str
    width: int
    stride: int
    normalise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        convolution = partial(Convolution, normalise=self.normalise)
        features = EXPANSION[self.block] * self.width
        y = x
        if self.block == "bottleneck":
            y = nn.relu(convolution(self.width, 1, name="conv1")(y))
            y = convolution(self.width, 3, self.stride, name="conv2")(y)
            y = convolution(features, 1, last=True, name="conv3")(nn.relu(y))
        else:
            y = nn.relu(convolution(self.width, 3, self.stride, name="conv1")(y))
            y = convolution(features, 3, last=True, name="conv2")(y)
        if self.stride == 2 or x.shape[-1] != features:
            x = convolution(features, 1, self.stride, name="downsample")(x)
        return nn.relu(x + y)


class Convolution(nn.Module):
    """A convolution with bias and zeros around, of any size that ResNets have.

    Attributes:
        features: output channels.
        size: the kernel's side, 1, 3 or 7.
        stride: 1 or 2; a 7x7 one has stride 2.
        last: whether it ends a residual branch. Random weights begin with such
            branches closed, as networks without normalisation need it (Zhang
            et al., 2019, https://arxiv.org/abs/1901.09321).
        normalise: whether the batch's own mean and variance are taken out, see
            `nstjax.models.batch_norm`.
    """

    features: int
    size: int
    stride: int = 1
    last: bool = False
    normalise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        closed = self.last and not self.normalise
        begin = nn.initializers.zeros if closed else nn.initializers.he_normal()
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = parameter(self, "kernel", begin, shape).astype(x.dtype)
        bias = parameter(self, "bias", nn.initializers.zeros, (self.features,))
        if self.size == 7:
            y = conv7x7_stride2(x, kernel)
        elif self.size == 3 and self.stride == 2:
            y = conv3x3_stride2(x, kernel)
        elif self.size == 3:
            y = conv3x3(x, kernel, padding="zero")
        else:
            y = x[:, :: self.stride, :: self.stride] @ kernel[0, 0]
        if self.normalise or self.is_mutable_collection("moments"):
            mean, deviation = batch_norm.moments(y)
            self.sow("moments", "mean", mean)
            self.sow("moments", "deviation", deviation)
        if self.normalise:
            begin = nn.initializers.zeros if self.last else nn.initializers.ones
            scale = parameter(self, "scale", begin, (self.features,))
            y = ((y - mean) * (scale / deviation)).astype(y.dtype)
        return add_bias(y, bias.astype(x.dtype))


class Encoder(nn.Module):
    """The ResNet without its classifier."""

    spec: MonodepthSpec
    normalise: bool = False

    @nn.compact
    def __call__(self, pixels: Array) -> list[Array]:
        """Maps network pixels [B, H, W, 3] to features at 1/2 to 1/32 of the size."""
        spec = self.spec
        stem = Convolution(
            spec.stem_width, 7, 2, normalise=self.normalise, name="conv1"
        )
        x = nn.relu(stem(pixels))
        features = [x]
        x = max_pool3x3_stride2(x)
        stages = zip(spec.layers, spec.widths, strict=True)
        for stage, (count, width) in enumerate(stages, start=1):
            for index in range(count):
                stride = 2 if stage > 1 and index == 0 else 1
                name = f"layer{stage}_{index}"
                x = Residual(spec.block, width, stride, self.normalise, name=name)(x)
            features.append(x)
        return features


class UpConvolution(nn.Module):
    """Doubles a map, puts a feature beside it, and convolves both.

    The doubled channels and the feature's have a part of the kernel each, so
    that doubling and convolution can be done in one.
    """

    features: int

    @nn.compact
    def __call__(self, x: Array, skip: Array | None) -> Array:
        before = x.shape[-1]
        after = 0 if skip is None else skip.shape[-1]
        shape = (3, 3, before + after, self.features)
        kernel = parameter(self, "kernel", nn.initializers.he_normal(), shape)
        bias = parameter(self, "bias", nn.initializers.zeros, (self.features,))
        kernel, bias = kernel.astype(x.dtype), bias.astype(x.dtype)
        y = upsample_reflect_conv3x3(x, kernel[:, :, :before])
        if skip is not None:
            y += conv3x3(skip, kernel[:, :, before:], padding="reflect")
        return add_bias(y, bias)


class Decoder(nn.Module):
    """From the encoder's features to disparities at the spec's scales."""

    spec: MonodepthSpec

    @nn.compact
    def __call__(
        self, features: list[Array]
    ) -> tuple[dict[int, Array], dict[int, Array]]:
        """Maps the encoder's features to disparities by scale, features by level."""
        x, result, decoded = features[-1], {}, {}
        for level in self.spec.levels:
            width = self.spec.decoder_width(level)
            x = nn.elu(Conv3x3(width, name=f"upconv{level}_0")(x))
            skip = features[level - 1] if level else None
            x = nn.elu(UpConvolution(width, name=f"upconv{level}_1")(x, skip))
            decoded[level] = x
            if level in self.spec.scales:
                logit = Conv3x3(1, name=f"dispconv{level}")(x)
                result[level] = nn.sigmoid(logit)
        return result, decoded


class Monodepth(nn.Module):
    """Encoder and decoder.

    Attributes:
        spec: widths and scales.
        normalise: whether the encoder is in training, with batch normalisation.
    """

    spec: MonodepthSpec
    normalise: bool = False

    @nn.compact
    def __call__(self, pixels: Array) -> Seen:
        features = Encoder(self.spec, self.normalise, name="encoder")(pixels)
        found, decoded = Decoder(self.spec, name="decoder")(features)
        return Seen(found, features, decoded)
