"""Losses that compare pictures alone, for per-image methods and for training alike.

Each is a term ``NAME`` with the weight ``NAME_weight``. A new one is a function
in a file of its own, a line here, and a leaf in ``configs/common.py``
(docs/add-a-loss.md). Terms that look at features, or have options of their own,
are in `nstjax.methods.objectives`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from nstjax.losses.adain import color_loss, color_statistics
from nstjax.losses.artifacts import checkerboard_loss, flat_noise_loss
from nstjax.losses.variation import range_loss
from nstjax.types import Array


class PictureLoss(NamedTuple):
    """A loss of a result, given what was prepared of its content and style.

    Attributes:
        prepare: from pictures [B, H, W, 3] of the content and [B, H', W', 3] of the
            style, both in [0, 1], to whatever `loss` takes; computed once.
        loss: from a result [B, H, W, 3], nominally in [0, 1], and that, to a scalar.
    """

    prepare: Callable[[Array, Array], Any]
    loss: Callable[[Array, Any], Array]


PICTURE_LOSSES: dict[str, PictureLoss] = {
    "color": PictureLoss(lambda content, style: color_statistics(style), color_loss),
    "flat": PictureLoss(
        lambda content, style: (content, style),
        lambda image, pictures: flat_noise_loss(image, *pictures),
    ),
    "checkerboard": PictureLoss(
        lambda content, style: (), lambda image, nothing: checkerboard_loss(image)
    ),
    "range": PictureLoss(
        lambda content, style: (), lambda image, nothing: range_loss(image)
    ),
}
