"""AdaIN's pictures as evaluate.py makes and keeps them, for the benchmarks."""

from collections.abc import Sequence

import numpy as np

from nstjax import one_pass
from nstjax.evaluation.protocol import Input


def encode_styles(
    styles: Sequence[Input], *, networks: one_pass.Networks, size: int
) -> list[one_pass.SavedStyle]:
    """What AdaIN needs of each style, seen at the content's size."""
    return [
        one_pass.make_style(
            style.image, name=style.label, networks=networks, short_side=size
        )
        for style in styles
    ]


def paint(
    content: Input,
    style: one_pass.SavedStyle,
    *,
    networks: one_pass.Networks,
    alpha: float = 1.0,
) -> np.ndarray:
    """A picture [H, W, 3] in [0, 1], rounded to 8 bits as it would be stored."""
    result = one_pass.transfer_picture(
        content.image, [style], networks=networks, alpha=alpha
    )
    return np.rint(255 * result).astype(np.float32) / 255
