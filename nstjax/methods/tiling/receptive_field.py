"""How far the border of a tile has an effect: the networks' receptive fields.

A tile that ends inside the picture is padded where the picture continues. The resulting
error spreads inwards by one position with every 3x3 convolution. Tiles begin at
multiples of the coarsest position, so no pooling window is cut.
"""

from collections.abc import Iterable

from nstjax.methods.specs import Convolution, OnePassSpec


def receptive_field_radius(spec: OnePassSpec) -> int:
    """How many positions of the coarsest features at a tile's border are wrong."""
    return _positions(spec.encoder_convolutions, spec)


def decoder_field_radius(spec: OnePassSpec) -> int:
    """The same for the decoder's pixels, in whole positions of its coarsest input."""
    return _positions(spec.decoder_convolutions, spec)


def _positions(convolutions: Iterable[Convolution], spec: OnePassSpec) -> int:
    pixels = sum(convolution.stride for convolution in convolutions)
    return -(-pixels // spec.multiple)
