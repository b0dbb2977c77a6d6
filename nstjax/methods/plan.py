"""The steps from a user's input to a picture: read, check, paint, finish."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.images import holds_alpha
from nstjax.io.resizing import resize_image
from nstjax.methods import one_pass
from nstjax.methods import styles as saved_styles
from nstjax.methods.base import (
    LEAST_SIDE,
    Checkpoint,
    OnProgress,
    OnTile,
    Outcome,
    Plan,
)
from nstjax.methods.images import (
    Mask,
    Picture,
    Style,
    add_opacity,
    is_depth_mask,
    near_mask,
    output_size,
    read_content,
    read_mask,
    read_picture,
    recolour,
    with_colours_of,
)
from nstjax.methods.memory.amounts import parse_amount
from nstjax.methods.styles import SavedStyle, names_saved_style
from nstjax.methods.table import method_of
from nstjax.methods.values import number, shares, whole_number
from nstjax.weights.pretrained import load_depth


def make_plan(
    content: Picture,
    styles: Sequence[Style],
    *,
    options: Mapping[str, Any],
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    blend: Sequence[float] | None = None,
    masks: Sequence[Mask] | None = None,
    max_memory: int | str | None = None,
    background: Sequence[float] | None = None,
    networks: Any = None,
    time_limit: float | None = None,
) -> Plan:
    """Reads and checks everything that a picture needs.

    Args:
        content, styles, size, seed, blend, masks, max_memory, time_limit: see
            `nstjax.api.stylize`.
        options: from `nstjax.methods.options.method_options`.
        background: see `nstjax.methods.images.read_content`.
        networks: from `load_networks`, if already loaded.

    Raises:
        NstjaxError: if an argument cannot be used.
    """
    if not styles:
        raise NstjaxError("no style picture was given; name at least one")
    if blend is not None:
        blend = check_blend(blend, styles=len(styles))
    seed = whole_number("the seed", seed)
    if not 0 <= seed < 2**32:
        raise NstjaxError(f"the seed must be from 0 to 4294967295, not {seed}")
    method = method_of(options)
    if time_limit is not None and method.in_one_pass:
        raise NstjaxError(
            f"a time limit is for methods that optimise; {method.name} paints in a "
            "single pass"
        )
    if time_limit is not None and not number("the time limit", time_limit) > 0:
        raise NstjaxError(f"the time limit must be above 0 seconds, not {time_limit}")
    image, alpha = read_content(content, background)
    networks = networks or method.load(options)
    chosen = read_styles(styles, networks=networks, options=options)
    for scale, usual in (("stroke_scale", None), ("style_scale", 1.0)):
        for style in chosen:
            if isinstance(style, SavedStyle) and options.get(scale, usual) != usual:
                raise NstjaxError(
                    f"the saved style {style.name} keeps the strokes that it was "
                    "saved with; give its picture, or leave out "
                    f"--{scale.replace('_', '-')}"
                )
    if options["preserve_color"] == "histogram":
        chosen = tuple(recolour(style, image) for style in chosen)
    height, width = image.shape[:2]
    output = output_size(height, width, size)
    plan = Plan(
        method=method,
        options=options,
        content=image,
        alpha=alpha,
        styles=chosen,
        networks=networks,
        seed=seed,
        blend=blend,
        working_size=output,
        output_size=output,
        time_limit=time_limit,
    )
    return method.prepare(
        plan,
        masks=None if masks is None else _read_masks(masks, image, options),
        sized=size is not None,
        max_memory=None if max_memory is None else parse_amount(max_memory),
    )


def _read_masks(
    masks: Sequence[Mask], content: np.ndarray, options: Mapping[str, Any]
) -> list[np.ndarray]:
    if len(masks) != 1 or not is_depth_mask(masks[0]):
        return [read_mask(mask) for mask in masks]
    if not method_of(options).takes_masks:
        # `prepare` raises the error.
        return []
    return [near_mask(content, depth=load_depth(options.get("depth_model", "slim")))]


def read_styles(
    styles: Sequence[Style], *, networks: Any, options: Mapping[str, Any]
) -> tuple[np.ndarray | SavedStyle, ...]:
    """Reads styles once, for many calls of `make_plan`.

    Args:
        styles: see `nstjax.api.stylize`.
        networks: from `load_networks`.
        options: from `nstjax.methods.options.method_options`.

    Raises:
        NstjaxError: if a file cannot be used.
    """
    return tuple(_read_style(style, networks, options) for style in styles)


def _read_style(
    style: Style, networks: Any, options: Mapping[str, Any]
) -> np.ndarray | SavedStyle:
    if isinstance(style, SavedStyle):
        return style
    if isinstance(style, (str, os.PathLike)) and names_saved_style(style):
        return method_of(options).read_style(str(style), networks)
    return read_picture(style)


def check_blend(weights: Any, *, styles: int) -> tuple[float, ...]:
    """Checks the weights for a number of styles to blend.

    Raises:
        NstjaxError: if they are not valid weights.
    """
    blend = shares("the weights to blend", weights)
    if len(blend) != styles:
        raise NstjaxError(
            f"{styles} styles need as many weights to blend, not {len(blend)}"
        )
    return blend


def load_networks(options: Mapping[str, Any]) -> Any:
    """Loads the networks that a method's options name.

    Raises:
        NstjaxError: if a network does not exist or does not fit.
    """
    return method_of(options).load(options)


def run(
    plan: Plan,
    *,
    on_progress: OnProgress | None = None,
    tell_every: int = 0,
    checkpoint: Checkpoint | None = None,
    on_tile: OnTile | None = None,
) -> Outcome:
    """Paints a planned picture, see `nstjax.methods.base.Method.paint`."""
    return plan.method.paint(
        plan,
        on_progress=on_progress,
        tell_every=tell_every,
        checkpoint=checkpoint,
        on_tile=on_tile,
    )


def finish(plan: Plan, image: np.ndarray) -> np.ndarray:
    """Applies the requested size and colours to a picture [H, W, 3].

    The result is a new, writable array.
    """
    image = resize_image(image, plan.output_size)
    if plan.options["preserve_color"] == "luminance":
        content = resize_image(plan.content, plan.output_size)
        image = with_colours_of(content, image)
    # Arrays from compiled programs belong to jax and are read-only.
    return np.require(image, requirements=["C", "O", "W"])


def with_opacity(plan: Plan, image: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """A finished picture [H, W, 3], or [H, W, 4] with the content's opacity.

    The opacity is added if the content is not fully opaque and the format of the output
    can store it.
    """
    if plan.alpha is None or not holds_alpha(path):
        return image
    return add_opacity(image, plan.alpha)


def can_share(plan: Plan) -> bool:
    """Whether the picture can be painted together with others by `run_batch`.

    It must be painted without tiles, and its styles must not depend on the content.
    """
    return (
        plan.method.paints_batches
        and can_keep_styles(plan)
        and plan.masks is None
        and plan.tiling is None
        # Larger strokes take two passes.
        and (plan.options["stroke_scale"] or 0) <= 1
    )


def can_keep_styles(plan: Plan) -> bool:
    """Whether the encoded styles can be reused for other contents."""
    return (
        plan.method.saves_styles
        and plan.options["preserve_color"] != "histogram"
        and min(plan.working_size) >= LEAST_SIDE
    )


def style_side(plan: Plan) -> int:
    """The shorter side at which a feed-forward method encodes the plan's styles."""
    scales = plan.options["style_scale"], plan.options["stroke_scale"]
    return saved_styles.style_side(plan.working_size, *scales)


def encode_styles(plan: Plan) -> tuple[SavedStyle, ...]:
    """Encodes a plan's styles for AdaIN, for all plans with the same `style_side`."""
    return tuple(
        saved_styles.make_style(
            style,
            name="",
            networks=plan.networks,
            short_side=style_side(plan),
            content=plan.working_size,
        )
        for style in plan.styles
    )


def program_shape(plan: Plan) -> tuple[int, int]:
    """The shape of the program that paints a plan; it is the same within a batch."""
    if not can_share(plan):
        return plan.working_size
    return one_pass.canvas_of(plan.working_size, networks=plan.networks)


def prepare_programs(plan: Plan) -> None:
    """Compiles the programs for painting a single plan, if possible in advance."""
    if can_share(plan):
        one_pass.prepare_programs(
            plan.working_size,
            networks=plan.networks,
            blend=plan.blend or [1.0] * len(plan.styles),
        )


def run_batch(plans: Sequence[Plan]) -> list[Outcome]:
    """Paints planned pictures together, distributed over all devices.

    Args:
        plans: plans with the same `program_shape` for which `can_share` holds, and
            which differ only in their contents.
    """
    first = plans[0]
    images = one_pass.transfer_batch(
        [resize_image(plan.content, plan.working_size) for plan in plans],
        first.styles,
        networks=first.networks,
        alpha=first.options["alpha"],
        style_scale=first.options["style_scale"],
        stroke_scale=first.options["stroke_scale"],
        blend=first.blend,
    )
    return [Outcome(image) for image in images]
