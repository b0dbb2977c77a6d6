"""A VGG's convolutions as a Flax module; see `nstjax.models.vgg`."""

import flax.linen as nn

from nstjax.models.modules.layers import Conv3x3
from nstjax.models.vgg import VGGSpec
from nstjax.ops.pooling import pool2x2
from nstjax.types import Array


class VGG(nn.Module):
    """A VGG's convolutions, up to the deepest of `layers`."""

    spec: VGGSpec
    layers: tuple[str, ...]

    @nn.compact
    def __call__(self, pixels: Array, size: Array | None = None) -> dict[str, Array]:
        """Maps network pixels [B, H, W, 3] to the named layers' activations.

        `size` is that of the pictures within them, see `nstjax.models.vgg.features`.
        """
        found: dict[str, Array] = {}
        x, previous_block = pixels, "1"
        for name, width in zip(self.spec.convolutions, self.spec.widths, strict=True):
            block = name[len("conv")]
            if block != previous_block:
                x = pool2x2(x, kind=self.spec.pooling, rounding=self.spec.rounding)
                size = None if size is None else size // 2
                previous_block = block
            x = Conv3x3(width, padding=self.spec.padding, name=name)(x, size)
            if name in self.layers:
                found[name] = x
            x = nn.relu(x)
            if (activation := name.replace("conv", "relu")) in self.layers:
                found[activation] = x
            if len(found) == len(set(self.layers)):
                break
        return {name: found[name] for name in self.layers}
