"""The convolution layer of VGGs, their decoders and monodepth2's."""

import flax.linen as nn

from nstjax.ops.convolution import conv3x3, upsample_reflect_conv3x3
from nstjax.ops.cpu.sums import add_bias
from nstjax.types import Array


def parameter(
    module: nn.Module,
    name: str,
    initializer: nn.initializers.Initializer,
    shape: tuple[int, ...],
) -> Array:
    """Reads a weight like `module.param`, without tracing the initializer.

    `module.param` traces it even if weights are given, which for an encoder and a
    decoder takes a fifth of a second in every process. If weights are missing or have
    another shape, `module.param` raises Flax's error.
    """
    if module.has_variable("params", name):
        value: Array = module.get_variable("params", name)
        if value.shape == shape:
            return value
    return module.param(name, initializer, shape)


class Conv3x3(nn.Module):
    """A 3x3 convolution with bias that keeps the size.

    Attributes:
        features: output channels.
        padding: "zero" or "reflect".
        upsample: whether to double the size by nearest neighbour first (needs reflect
            padding; both are done in one step).
    """

    features: int
    padding: str = "reflect"
    upsample: bool = False

    @nn.compact
    def __call__(self, x: Array, size: Array | None = None) -> Array:
        kernel = parameter(
            self,
            "kernel",
            nn.initializers.he_normal(),
            (3, 3, x.shape[-1], self.features),
        )
        bias = parameter(self, "bias", nn.initializers.zeros, (self.features,))
        kernel, bias = kernel.astype(x.dtype), bias.astype(x.dtype)
        if not self.upsample:
            y = conv3x3(x, kernel, padding=self.padding, size=size)
            return add_bias(y, bias)
        if self.padding != "reflect":
            raise ValueError("upsampling is fused with reflect padding only")
        return add_bias(upsample_reflect_conv3x3(x, kernel, size=size), bias)
