"""How far the border of a tile is felt: the networks' receptive fields.

A tile that ends inside the picture is padded there where the picture goes on.
What is wrong by that spreads inwards, one position with every 3x3 convolution.
Walking along the layers gives how far; halos are as wide as that.
"""

from nstjax.methods.feedforward import TransferSpec


def receptive_field_radius(spec: TransferSpec) -> int:
    """Cells of the features beside a tile's border that depend on what is outside."""
    reach, previous_block = 0, "1"
    for name in reversed(spec.decoder.convolutions):
        block = name[len("conv")]
        if block != previous_block:
            # Tiles begin at multiples of a cell, so no window of a pooling is cut.
            reach = -(-reach // 2)
            previous_block = block
        reach += 1
    return reach


def decoder_field_radius(spec: TransferSpec) -> int:
    """The same for the decoder's pixels, in whole cells of its input."""
    pixels = 0
    for name in spec.decoder.convolutions:
        if name in spec.decoder.upsample_before:
            pixels *= 2
        pixels += 1
    return -(-pixels // spec.multiple)
