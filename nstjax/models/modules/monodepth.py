"""monodepth2's network as Flax modules; see `nstjax.models.monodepth`."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp

from nstjax.models.modules.layers import Conv3x3, parameter
from nstjax.models.monodepth import EXPANSION, DepthOutputs, MonodepthSpec
from nstjax.ops.convolution import (
    conv3x3,
    conv3x3_stride2,
    conv7x7_stride2,
    upsample_reflect_conv3x3,
)
from nstjax.ops.cpu.depthwise import depthwise_conv
from nstjax.ops.cpu.sums import add_bias
from nstjax.ops.pooling import max_pool3x3_stride2
from nstjax.types import Array


class Residual(nn.Module):
    """One unit of a ResNet, basic or bottleneck.

    Attributes:
        block: see `MonodepthSpec`.
        width: channels of its 3x3 convolutions.
        stride: 1, or 2 to halve the size; a bottleneck does so in its 3x3
            convolution, as torchvision's does.
    """

    block: str
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        features = EXPANSION[self.block] * self.width
        y = x
        if self.block == "bottleneck":
            y = nn.relu(Convolution(self.width, 1, name="conv1")(y))
            y = Convolution(self.width, 3, self.stride, name="conv2")(y)
            y = Convolution(features, 1, name="conv3")(nn.relu(y))
        else:
            y = nn.relu(Convolution(self.width, 3, self.stride, name="conv1")(y))
            y = Convolution(features, 3, name="conv2")(y)
        if self.stride == 2 or x.shape[-1] != features:
            x = Convolution(features, 1, self.stride, name="downsample")(x)
        return nn.relu(x + y)


class Separable(nn.Module):
    """One unit of a MobileNet, without a shortcut.

    Attributes:
        width: output channels.
        stride: 1, or 2 to halve the size.
        size: the side of the depthwise kernels.
    """

    width: int
    stride: int = 1
    size: int = 3

    @nn.compact
    def __call__(self, x: Array) -> Array:
        filters = Convolution(
            x.shape[-1], self.size, self.stride, depthwise=True, name="conv1"
        )
        x = filters(x)
        return nn.relu(Convolution(self.width, 1, name="conv2")(nn.relu(x)))


class Convolution(nn.Module):
    """A convolution with bias and zero padding, of any size that the units use.

    Attributes:
        features: output channels.
        size: the kernel's side, 1, 3, 5 or 7.
        stride: 1 or 2; a 7x7 convolution has stride 2.
        depthwise: whether each channel is convolved by itself.
    """

    features: int
    size: int
    stride: int = 1
    depthwise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        before = () if self.depthwise else (x.shape[-1],)
        shape = (self.size, self.size, *before, self.features)
        kernel = parameter(self, "kernel", nn.initializers.he_normal(), shape)
        kernel = kernel.astype(x.dtype)
        bias = parameter(self, "bias", nn.initializers.zeros, (self.features,))
        if self.depthwise:
            y = depthwise_conv(x, kernel, stride=self.stride)
        elif self.size == 7:
            y = conv7x7_stride2(x, kernel)
        elif self.size == 3 and self.stride == 2:
            y = conv3x3_stride2(x, kernel)
        elif self.size == 3:
            y = conv3x3(x, kernel, padding="zero")
        else:
            y = x[:, :: self.stride, :: self.stride] @ kernel[0, 0]
        return add_bias(y, bias.astype(x.dtype))


class Encoder(nn.Module):
    """The ResNet without its classifier, or with a MobileNet's units."""

    spec: MonodepthSpec

    @nn.compact
    def __call__(self, pixels: Array) -> list[Array]:
        """Maps network pixels [B, H, W, 3] to features at 1/2 to 1/32 of the size."""
        spec = self.spec
        x = nn.relu(Convolution(spec.stem_width, 7, 2, name="conv1")(pixels))
        features = [x]
        separable = spec.block == "separable"
        if not separable:
            x = max_pool3x3_stride2(x)
        unit = Separable if separable else partial(Residual, spec.block)
        stages = zip(spec.layers, spec.widths, strict=True)
        for stage, (count, width) in enumerate(stages, start=1):
            for index in range(count):
                halves = index == 0 and (stage > 1 or separable)
                name = f"layer{stage}_{index}"
                x = unit(width, 1 + halves, name=name)(x)
            features.append(x)
        return features


class UpConvolution(nn.Module):
    """Doubles a map's size, concatenates a feature and convolves both.

    The kernel is split into parts for the doubled channels and for the feature's, so
    that doubling and convolution can be done in one step.
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
        separable = self.spec.block == "separable"
        for level in self.spec.levels:
            width, skip = self.spec.decoder_width(level), None
            name = f"upconv{level}"
            if level:
                skip = features[level - 1]
            if separable:
                x = Separable(width, size=5, name=f"{name}_0")(x)
                x = x.repeat(2, axis=1).repeat(2, axis=2)
                x = x if skip is None else jnp.concatenate([x, skip], -1)
                x = Separable(width, size=5, name=f"{name}_1")(x)
            else:
                x = nn.elu(Conv3x3(width, name=f"{name}_0")(x))
                x = nn.elu(UpConvolution(width, name=f"{name}_1")(x, skip))
            decoded[level] = x
            if level in self.spec.scales:
                logit = Conv3x3(1, name=f"dispconv{level}")(x)
                result[level] = nn.sigmoid(logit)
        return result, decoded


class Monodepth(nn.Module):
    """Encoder and decoder.

    Attributes:
        spec: widths and scales.
    """

    spec: MonodepthSpec

    @nn.compact
    def __call__(self, pixels: Array) -> DepthOutputs:
        features = Encoder(self.spec, name="encoder")(pixels)
        found, decoded = Decoder(self.spec, name="decoder")(features)
        return DepthOutputs(found, features, decoded)
