"""A decoder's convolutions as a Flax module; see `nstjax.models.decoders`."""

import flax.linen as nn

from nstjax.models.decoders import DecoderSpec
from nstjax.models.modules.layers import Conv3x3
from nstjax.types import Array


class Decoder(nn.Module):
    """The spec's convolutions, from an activation to the decoder's pixels."""

    spec: DecoderSpec

    @nn.compact
    def __call__(self, x: Array, size: Array | None = None) -> Array:
        names = self.spec.convolutions
        for name, width in zip(names, self.spec.widths, strict=True):
            upsample = name in self.spec.upsample_before
            x = Conv3x3(width, upsample=upsample, name=name)(x, size)
            if upsample and size is not None:
                size = 2 * size
            if name != names[-1] or not self.spec.last_linear:
                x = nn.relu(x)
        return x
