"""Style transfer in one call."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.io.images import MIN_SIDE, read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import method_options
from nstjax.per_image import (
    INITS,
    Checkpoint,
    Outcome,
    Progress,
    optimise_picture,
    working_size,
)
from nstjax.registry import Encoder, load_encoder

# A picture: a file, an example's name, or an array [H, W, 3] in [0, 1].
Picture = str | os.PathLike | np.ndarray


@dataclasses.dataclass(frozen=True)
class Plan:
    """A picture to make, with everything read and checked.

    Attributes:
        content: [H, W, 3] in [0, 1].
        styles: the same, one or several to blend.
        blend: each style's weight, or None for equal ones.
        init_image: a picture to start from, or None.
        options: every leaf of the method's config.
        encoder: the network.
        seed: of all randomness.
        working_size: (height, width) at which the picture is optimised.
        output_size: (height, width) of the result.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    blend: tuple[float, ...] | None
    init_image: np.ndarray | None
    options: Mapping[str, Any]
    encoder: Encoder
    seed: int
    working_size: tuple[int, int]
    output_size: tuple[int, int]


def stylize(
    content: Picture,
    style: Picture | Sequence[Picture],
    *,
    method: str = "gatys",
    preset: str = "best",
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    style_blend: Sequence[float] | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
    **options: Any,
) -> np.ndarray:
    """Paints a picture in the style of another.

    Args:
        content: what to paint: a file, an example's name such as "chelsea",
            or an RGB array [H, W, 3] with values in [0, 1].
        style: how to paint it: the same, or several, which are blended.
        method: "gatys" or "lapstyle".
        preset: "best", "reference" or "paper".
        size: the result's longer side, or its (height, width); by default
            the content's size.
        seed: of all randomness.
        style_blend: a weight for each style.
        on_progress: told after every few evaluations; True stops the run.
        **options: leaves of the method's config by name, such as
            ``style_weight=100.0``, ``iterations=50``, ``encoder="file"``,
            ``init="noise"`` (or a picture).

    Returns:
        RGB array [H, W, 3], float32, values in [0, 1].

    Raises:
        NstjaxError: in one sentence, for anything that cannot be used.
    """
    styles = [style] if isinstance(style, (str, os.PathLike, np.ndarray)) else style
    plan = make_plan(
        content,
        styles,
        options=method_options(method, preset, options=options),
        size=size,
        seed=seed,
        blend=style_blend,
    )
    return finish(plan, run(plan, on_progress=on_progress).image)


def make_plan(
    content: Picture,
    styles: Sequence[Picture],
    *,
    options: Mapping[str, Any],
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    blend: Sequence[float] | None = None,
    encoder: Encoder | None = None,
) -> Plan:
    """Reads and checks everything that a picture needs.

    Args:
        content, styles, size, seed, blend: see `stylize`.
        options: from `nstjax.methods.method_options`.
        encoder: the network ``options["encoder"]`` names, where it has been
            loaded already.

    Raises:
        NstjaxError: for anything that cannot be used.
    """
    pictures = tuple(read_picture(style) for style in styles)
    if not pictures:
        raise NstjaxError("no style picture was given; name at least one")
    image = read_picture(content)
    height, width = image.shape[:2]
    output = _output_size(height, width, size)
    # A size that is asked for is worked at; a preset's own rule is for pictures
    # that may be of any size.
    rule = {} if size is None else {"size_rule": "content"}
    working = working_size(*output, dict(options) | rule)
    init = options["init"]
    from_picture = not (isinstance(init, str) and init in INITS)
    return Plan(
        content=image,
        styles=pictures,
        blend=None if blend is None else tuple(blend),
        init_image=read_picture(init) if from_picture else None,
        options=options,
        encoder=encoder or load_encoder(options["encoder"], pooling=options["pooling"]),
        seed=seed,
        working_size=working,
        output_size=output,
    )


def run(
    plan: Plan,
    *,
    on_progress: Callable[[Progress], bool | None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Makes a planned picture; see `nstjax.per_image.optimise_picture`."""
    return optimise_picture(
        plan.content,
        plan.styles,
        options=plan.options,
        encoder=plan.encoder,
        size=plan.working_size,
        seed=plan.seed,
        style_blend=plan.blend,
        init_image=plan.init_image,
        on_progress=on_progress,
        checkpoint=checkpoint,
    )


def finish(plan: Plan, image: np.ndarray) -> np.ndarray:
    """Brings a picture [H, W, 3] of the working size to the size asked for."""
    return resize_image(image, plan.output_size)


def read_picture(picture: Picture) -> np.ndarray:
    """Reads a file, an example or an array as [H, W, 3] float32 in [0, 1].

    Raises:
        NstjaxError: if it cannot be used as a picture.
    """
    if isinstance(picture, np.ndarray):
        return _check_array(picture)
    if isinstance(picture, str) and not os.path.exists(picture):
        if picture in examples.content_names():
            return examples.content_image(picture)
        if picture in examples.style_names():
            return read_image(examples.style_path(picture))
    return read_image(picture)


def _check_array(picture: np.ndarray) -> np.ndarray:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype.kind != "f":
        raise NstjaxError(
            "a picture given as an array must be floating-point with the shape "
            f"[H, W, 3], not {picture.dtype} {list(picture.shape)}"
        )
    if min(picture.shape[:2]) < MIN_SIDE:
        raise NstjaxError(f"a picture needs sides of at least {MIN_SIDE} pixels")
    if not (picture.min() >= 0 and picture.max() <= 1):
        raise NstjaxError("a picture given as an array must have values in [0, 1]")
    return np.asarray(picture, np.float32)


def _output_size(
    height: int, width: int, size: int | tuple[int, int] | None
) -> tuple[int, int]:
    if size is None:
        return height, width
    if isinstance(size, int):
        size = fit_size(height, width, long_side=size)
    if min(size) < MIN_SIDE:
        raise NstjaxError(
            f"a result of {size[1]} x {size[0]} pixels is too small; both sides must "
            f"be at least {MIN_SIDE}"
        )
    return tuple(size)
