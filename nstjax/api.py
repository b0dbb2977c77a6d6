"""Style transfer in one call."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.methods.base import OnProgress
from nstjax.methods.images import Mask, Picture, Style, to_pil
from nstjax.methods.options import method_options
from nstjax.methods.plan import finish, make_plan, run
from nstjax.methods.styles import SavedStyle

# One picture, as opposed to a sequence of them.
_SINGLE = (str, os.PathLike, np.ndarray, jax.Array, Image.Image, SavedStyle)


def stylize(
    content: Picture,
    style: Style | Sequence[Style],
    *,
    method: str = "adain",
    preset: str = "best",
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    style_blend: Sequence[float] | None = None,
    mask: Mask | Sequence[Mask] | None = None,
    max_memory: int | str | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
    as_pil: bool = False,
    **options: Any,
) -> Any:
    """Paints a picture in the style of another.

    Ctrl-C ends a method that optimises after the evaluations at hand, and what is
    returned is the picture so far; a second one raises KeyboardInterrupt.

    Args:
        content: the picture to paint: a file, an example's name such as "chelsea", a
            PIL picture, or an RGB array [H, W, 3] (NumPy or jax), uint8 or
            floating-point in [0, 1].
        style: the picture whose style to use, given like the content, or a saved
            style's file; several are blended.
        method: a name in `nstjax.METHODS`: "adain" and the like are feed-forward,
            "gatys" and the like optimise the picture.
        preset: for methods that optimise: "best", "reference" or "paper"; also "vgg19"
            for "gatys", "lapstyle" and "gatys-depth".
        size: the result's longer side, or its (height, width), in pixels, each at least
            16; by default the content's size.
        seed: the seed of all random numbers, from 0 to 2^32 - 1.
        style_blend: a weight for each style, 0 or more, on any scale; equal by default.
        mask: for feed-forward methods: a picture that is white where the first of two
            styles goes and black where the second goes; or one mask for each style,
            white where that style goes (the content stays where no mask is white). A
            file, a PIL picture or an array [H, W]; or "depth", which uses the first of
            two styles where the content is near and the second where it is far,
            according to the network ``depth_model``.
        max_memory: the memory that the whole process may use, in bytes or like "2GB".
            Feed-forward methods paint larger pictures in tiles, with the same result;
            by default they do so if painting the whole picture at once would take more
            than a share of the available memory.
        time_limit: for methods that optimise: seconds after which the current picture
            is returned; coarse stages get a share of this time. Compilation counts.
        on_progress: for methods that optimise: called after every few evaluations with
            a `nstjax.methods.base.Progress`; returning True stops the run.
        as_pil: whether to return a PIL picture.
        **options: further options: ``alpha=0.5``, ``preserve_color="luminance"``,
            ``stroke_scale=2.0`` (see docs/options.md), or entries of the config of a
            method that optimises, such as ``style_weight=100.0``, ``iterations=50``,
            ``encoder="file"``, ``init="noise"`` (or a picture).

    Returns:
        RGB array [H, W, 3], float32, values in [0, 1]; or a PIL picture.

    Raises:
        NstjaxError: with a one-sentence explanation, if an argument cannot be used.
    """
    plan = make_plan(
        content,
        as_list(style),
        options=method_options(method, preset, options=options),
        size=size,
        seed=seed,
        blend=style_blend,
        masks=None if mask is None else as_list(mask),
        max_memory=max_memory,
        time_limit=time_limit,
    )
    image = finish(plan, run(plan, on_progress=on_progress).image)
    return to_pil(image) if as_pil else image


def as_list(pictures: Any) -> Sequence[Any]:
    """Wraps a single picture in a list; returns a sequence unchanged.

    Raises:
        NstjaxError: if it is neither.
    """
    if isinstance(pictures, _SINGLE):
        return [pictures]
    if not isinstance(pictures, Sequence):
        raise NstjaxError(
            "give a picture (a file, an example's name, a PIL picture or an array) or "
            f"a list of pictures, not {type(pictures).__name__}"
        )
    return pictures
