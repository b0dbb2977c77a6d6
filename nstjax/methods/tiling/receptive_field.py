"""How far the border of a tile is felt: the networks' receptive fields.

A tile that ends inside the picture is padded there where the picture goes on. What is
wrong by that spreads inwards, one position with every 3x3 convolution. Tiles begin at
multiples of the coarsest position, so no window of a pooling is cut.
"""

from collections.abc import Iterable

from nstjax.methods.specs import Convolution, OnePassSpec


def receptive_field_radius(spec: OnePassSpec) -> int:
    """Positions of the coarsest features beside a tile's border that are wrong."""
    return _positions(spec.encoder_convolutions, spec)


def decoder_field_radius(spec: OnePassSpec) -> int:
    """The same for the decoder's pixels, in whole positions of its coarsest input."""
    return _positions(spec.decoder_convolutions, spec)


def _positions(convolutions: Iterable[Convolution], spec: OnePassSpec) -> int:
    pixels = sum(convolution.stride for convolution in convolutions)
    return -(-pixels // spec.multiple)
