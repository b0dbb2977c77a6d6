"""The shapes of weights, told without making the layers."""

from collections.abc import Sequence

Shapes = dict[str, dict[str, tuple[int, ...]]]


def chain_shapes(names: Sequence[str], widths: Sequence[int], before: int) -> Shapes:
    """The shapes of the weights of `Conv3x3` layers in a row.

    Told without making the layers: tracing them takes a third of a second.

    Args:
        names: of the layers; those beyond the widths are left out.
        widths: output channels of each.
        before: input channels of the first.
    """
    inputs = (before, *widths[:-1])
    return {
        name: {"kernel": (3, 3, channels, width), "bias": (width,)}
        for name, channels, width in zip(names, inputs, widths, strict=False)
    }
