"""Style transfer in one call."""

import dataclasses
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.images import MIN_SIDE, read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import one_pass
from nstjax.methods.memory.amounts import parse_amount
from nstjax.methods.memory.planner import check_optimisation, plan_transfer
from nstjax.methods.one_pass import LEAST_SIDE, STYLE_SUFFIX, Networks, SavedStyle
from nstjax.methods.options import ONE_PASS, SWAP_OPTIONS, TRANSFORMS, method_options
from nstjax.methods.per_image import (
    INITS,
    Checkpoint,
    Outcome,
    Progress,
    kept_pictures,
    optimise_picture,
    working_size,
)
from nstjax.methods.tiling.transfer import OnTile, Tiling
from nstjax.models.depth import disparity
from nstjax.ops.color import luminance_transfer, match_color
from nstjax.optimize import driver
from nstjax.weights.pretrained import Depth, Encoder, load_depth, load_encoder

# A picture: a file, an example's name, or an array [H, W, 3] in [0, 1].
Picture = str | os.PathLike | np.ndarray
# A style: the same; or a saved one, by its file or as `read_styles` gives it.
Style = Picture | SavedStyle
# A mask: a file, or an array [H, W] in [0, 1].
Mask = str | os.PathLike | np.ndarray

# The share of a mask below which it is likely to be a mistake.
_LEAST_MASKED = 0.005
# Pixels whose colours are worked on at a time.
_STRIP = 2**22

_disparity = jax.jit(disparity, static_argnames="spec")
_luminance_transfer = jax.jit(luminance_transfer)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A picture to make, with everything read and checked.

    Attributes:
        content: [H, W, 3] in [0, 1].
        styles: the same, one or several; or saved styles.
        blend: each style's weight, or None for equal ones.
        masks: where each style goes, [H, W] in [0, 1], or None.
        init_image: a picture to start from, or None.
        options: the method's options.
        networks: the encoder, or for a method of one pass also the decoder.
        depth: the depth network, if there is a depth term; else None.
        seed: of all randomness.
        working_size: (height, width) at which the picture is made.
        output_size: (height, width) of the result.
        tiling: how a method of one pass cuts the picture, or None.
    """

    content: np.ndarray
    styles: tuple[np.ndarray | SavedStyle, ...]
    blend: tuple[float, ...] | None
    masks: tuple[np.ndarray, ...] | None
    init_image: np.ndarray | None
    options: Mapping[str, Any]
    networks: Encoder | Networks
    depth: Depth | None
    seed: int
    working_size: tuple[int, int]
    output_size: tuple[int, int]
    tiling: Tiling | None = None


def stylize(
    content: Picture,
    style: Picture | Sequence[Picture],
    *,
    method: str = "adain",
    preset: str = "best",
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    style_blend: Sequence[float] | None = None,
    mask: Mask | Sequence[Mask] | None = None,
    max_memory: int | str | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
    **options: Any,
) -> np.ndarray:
    """Paints a picture in the style of another.

    Args:
        content: what to paint: a file, an example's name such as "chelsea",
            or an RGB array [H, W, 3] with values in [0, 1].
        style: how to paint it: the same (or a file of a saved style), or
            several, which are blended.
        method: one of `nstjax.methods.options.METHODS`: "adain" and its kin paint in
            one pass, "gatys" and its kin optimise the picture.
        preset: "best", "reference" or "paper", of methods that optimise.
        size: the result's longer side, or its (height, width); by default
            the content's size.
        seed: of all randomness.
        style_blend: a weight for each style.
        mask: of methods of one pass: a picture that is white where the first
            of two styles goes and black where the second; or one for each
            style, white where it goes, outside of which the content stays.
            A file or an array [H, W] in [0, 1].
        max_memory: what the whole process may take, in bytes or like "2GB".
            Methods of one pass paint larger pictures in tiles, to the same
            result; by default they do if all at once would take more than a
            share of the available memory.
        on_progress: told after every few evaluations; True stops the run.
        **options: by name: ``alpha=0.5``, ``preserve_color="luminance"``, or
            leaves of the config of a method that optimises, such as
            ``style_weight=100.0``, ``iterations=50``, ``encoder="file"``,
            ``init="noise"`` (or a picture).

    Returns:
        RGB array [H, W, 3], float32, values in [0, 1].

    Raises:
        NstjaxError: in one sentence, for anything that cannot be used.
    """
    styles = [style] if isinstance(style, (str, os.PathLike, np.ndarray)) else style
    masks = [mask] if isinstance(mask, (str, os.PathLike, np.ndarray)) else mask
    plan = make_plan(
        content,
        styles,
        options=method_options(method, preset, options=options),
        size=size,
        seed=seed,
        blend=style_blend,
        masks=masks,
        max_memory=max_memory,
    )
    return finish(plan, run(plan, on_progress=on_progress).image)


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
    networks: Encoder | Networks | None = None,
) -> Plan:
    """Reads and checks everything that a picture needs.

    Args:
        content, styles, size, seed, blend, max_memory: see `stylize`.
        options: from `nstjax.methods.options.method_options`.
        masks: see `stylize`.
        networks: from `load_networks`, where they have been loaded already.

    Raises:
        NstjaxError: for anything that cannot be used.
    """
    if not styles:
        raise NstjaxError("no style picture was given; name at least one")
    if blend is not None and len(blend) != len(styles):
        raise NstjaxError(
            f"{len(styles)} styles need as many weights to blend, not {len(blend)}"
        )
    if not 0 <= seed < 2**32:
        raise NstjaxError(f"the seed must be from 0 to 4294967295, not {seed}")
    one_pass_method = options["method"] in ONE_PASS
    image = read_picture(content)
    networks = networks or load_networks(options)
    chosen = read_styles(styles, networks=networks)
    if options["preserve_color"] == "histogram":
        chosen = tuple(_recolour(style, image) for style in chosen)
    height, width = image.shape[:2]
    output = _output_size(height, width, size)
    init_image = depth = tiling = None
    allowed = None if max_memory is None else parse_amount(max_memory)
    if one_pass_method:
        working = output
        swaps = networks.transform == "style_swap"
        shares = _read_masks(masks, len(chosen), blend, working)
        kept = [style for style in chosen if isinstance(style, np.ndarray)]
        tiling = plan_transfer(
            output,
            networks.spec,
            max_memory=allowed,
            swaps=swaps,
            held=sum(array.nbytes for array in (*kept, *(shares or ()))),
        )
    else:
        if masks is not None:
            raise NstjaxError(
                f"the method {options['method']} takes no mask; methods of one pass "
                f"do ({', '.join(ONE_PASS)})"
            )
        shares = None
        # A size that is asked for is worked at; a preset's own rule is for
        # pictures that may be of any size.
        rule = {} if size is None else {"size_rule": "content"}
        working = working_size(*output, dict(options) | rule)
        check_optimisation(
            working,
            networks.spec,
            solver_pictures=kept_pictures(options),
            max_memory=allowed,
        )
        init = options["init"]
        if not (isinstance(init, str) and init in INITS):
            init_image = read_picture(init)
        if options["depth_weight"]:
            depth = load_depth(options["depth_model"])
    return Plan(
        content=image,
        styles=chosen,
        blend=None if blend is None else tuple(blend),
        masks=shares,
        init_image=init_image,
        options=options,
        networks=networks,
        depth=depth,
        seed=seed,
        working_size=working,
        output_size=output,
        tiling=tiling,
    )


def read_styles(
    styles: Sequence[Style], *, networks: Encoder | Networks
) -> tuple[np.ndarray | SavedStyle, ...]:
    """Reads what `make_plan` would, for many plans of the same styles.

    Args:
        styles: see `stylize`.
        networks: from `load_networks`.

    Raises:
        NstjaxError: for a file that cannot be used.
    """
    return tuple(_read_style(style, networks) for style in styles)


def load_networks(options: Mapping[str, Any]) -> Encoder | Networks:
    """Loads the networks that a method's options name.

    Raises:
        NstjaxError: if there are no such networks, or they do not fit.
    """
    encoder = load_encoder(options["encoder"], pooling=options.get("pooling", ""))
    if options["method"] in ONE_PASS:
        transform = TRANSFORMS.get(options["method"], "adain")
        return one_pass.load_networks(
            encoder,
            options["decoder"],
            transform=transform,
            compute_dtype=options["compute_dtype"],
        )
    return encoder


def run(
    plan: Plan,
    *,
    on_progress: Callable[[Progress], bool | None] | None = None,
    tell_every: int = 0,
    checkpoint: Checkpoint | None = None,
    on_tile: OnTile | None = None,
) -> Outcome:
    """Makes a planned picture.

    Args:
        plan: from `make_plan`.
        on_progress, tell_every, checkpoint: see `nstjax.methods.per_image`.
        on_tile: see `nstjax.methods.one_pass.transfer_picture`.
    """
    if isinstance(plan.networks, Networks):
        image = one_pass.transfer_picture(
            resize_image(plan.content, plan.working_size),
            plan.styles,
            networks=plan.networks,
            alpha=plan.options["alpha"],
            style_scale=plan.options["style_scale"],
            blend=plan.blend,
            masks=plan.masks,
            tiling=plan.tiling,
            on_tile=on_tile,
            **{n: plan.options[n] for n in SWAP_OPTIONS if n in plan.options},
        )
        return Outcome(image, None, driver.FINISHED, None)
    return optimise_picture(
        plan.content,
        plan.styles,
        options=plan.options,
        encoder=plan.networks,
        size=plan.working_size,
        depth=plan.depth,
        seed=plan.seed,
        style_blend=plan.blend,
        init_image=plan.init_image,
        on_progress=on_progress,
        tell_every=tell_every,
        checkpoint=checkpoint,
    )


def can_share(plan: Plan) -> bool:
    """Whether the picture can be made together with others by `run_batch`.

    They must be AdaIN's, painted whole, and the styles nobody's own.
    """
    return (
        isinstance(plan.networks, Networks)
        and plan.networks.transform == "adain"
        and plan.masks is None
        and plan.tiling is None
        and plan.options["preserve_color"] != "histogram"
        and min(plan.working_size) >= LEAST_SIDE
    )


def style_side(plan: Plan) -> int:
    """The shorter side at which a method of one pass sees the plan's styles."""
    return one_pass.style_side(plan.working_size, plan.options["style_scale"])


def encode_styles(plan: Plan) -> tuple[SavedStyle, ...]:
    """What AdaIN needs of a plan's styles, for all plans of their `style_side`."""
    how = {"networks": plan.networks, "short_side": style_side(plan)}
    return tuple(one_pass.make_style(style, name="", **how) for style in plan.styles)


def run_batch(plans: Sequence[Plan]) -> list[Outcome]:
    """Makes planned pictures together, shared out over all devices.

    Args:
        plans: of one working size, which `can_share`, and which agree in all
            that is not the content's.
    """
    first = plans[0]
    images = one_pass.transfer_batch(
        np.stack([resize_image(plan.content, plan.working_size) for plan in plans]),
        first.styles,
        networks=first.networks,
        alpha=first.options["alpha"],
        style_scale=first.options["style_scale"],
        blend=first.blend,
    )
    return [Outcome(image, None, driver.FINISHED, None) for image in images]


def finish(plan: Plan, image: np.ndarray) -> np.ndarray:
    """Brings a picture [H, W, 3] to the size and the colours asked for."""
    image = resize_image(image, plan.output_size)
    if plan.options["preserve_color"] == "luminance":
        content = resize_image(plan.content, plan.output_size)
        image = _with_colours_of(content, image)
    return image


def _with_colours_of(content: np.ndarray, image: np.ndarray) -> np.ndarray:
    """`luminance_transfer` in strips, for large pictures."""
    result = np.empty(image.shape, np.float32)
    rows = max(1, _STRIP // image.shape[1])
    for first in range(0, len(image), rows):
        strip = slice(first, first + rows)
        result[strip] = _luminance_transfer(image[strip], content[strip])
    return result


def disparity_pictures(
    content: np.ndarray, image: np.ndarray, *, depth: Depth
) -> tuple[np.ndarray, np.ndarray]:
    """What a depth network sees in a content and in what was made of it.

    Args:
        content: the content, [H, W, 3] in [0, 1].
        image: the result, of any size.
        depth: the network.

    Returns:
        The disparities of both, [H, W, 3] in [0, 1], grey, bright where it is
        near. Each is divided by its mean, as the depth loss does; black and
        white are then the content's farthest and nearest point in both.
    """
    maps = []
    for picture in (content, image):
        found = np.asarray(_disparity(depth.params, picture[None], spec=depth.spec))[0]
        maps.append(found / max(found.mean(), 1e-6))
    least, most = maps[0].min(), maps[0].max()
    first, second = (
        np.repeat(np.clip((x - least) / max(most - least, 1e-6), 0, 1), 3, axis=2)
        for x in maps
    )
    return first, second


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


def _read_style(style: Style, networks: Encoder | Networks) -> np.ndarray | SavedStyle:
    if isinstance(style, SavedStyle):
        return style
    if isinstance(style, np.ndarray) or Path(style).suffix != STYLE_SUFFIX:
        return read_picture(style)
    if not isinstance(networks, Networks):
        raise NstjaxError(
            f"{style} is a saved style, which only methods of one pass can use "
            f"({', '.join(ONE_PASS)})"
        )
    return one_pass.load_style(style, networks=networks)


def _recolour(style: np.ndarray | SavedStyle, content: np.ndarray) -> np.ndarray:
    """The style with the content's colours."""
    if isinstance(style, SavedStyle):
        raise NstjaxError(
            f"the saved style {style.name} cannot take on the content's colours; give "
            "its picture, or use --preserve-color luminance"
        )
    return np.asarray(match_color(style, content))


def _read_masks(
    masks: Sequence[Mask] | None,
    styles: int,
    blend: Sequence[float] | None,
    size: tuple[int, int],
) -> tuple[np.ndarray, ...] | None:
    """Each style's share of every position, [H, W], together 1 at most."""
    if masks is None:
        return None
    if blend is not None:
        raise NstjaxError("styles are either blended or masked; leave out one of both")
    if not (len(masks) == styles or (len(masks) == 1 and styles == 2)):
        raise NstjaxError(
            f"{styles} styles and {len(masks)} masks do not fit; give a mask for each "
            "style, or one mask and two styles"
        )
    shares = [resize_image(_read_mask(mask), size)[..., 0] for mask in masks]
    if len(shares) < styles:
        shares.append(1 - shares[0])
    total = np.maximum(sum(shares), 1)
    return tuple(share / total for share in shares)


def _read_mask(mask: Mask) -> np.ndarray:
    """A mask as [H, W, 1] in [0, 1]."""
    if not isinstance(mask, np.ndarray):
        # What is transparent is not there: strokes on a layer of their own.
        read = read_image(mask, background=0.0).mean(axis=2, keepdims=True)
        if not _LEAST_MASKED < read.mean() < 1 - _LEAST_MASKED:
            shade = "black" if read.mean() < 0.5 else "white"
            warnings.warn(
                f"the mask {mask} is {shade} nearly everywhere (where it is "
                "transparent, it counts as black)",
                NstjaxWarning,
                stacklevel=2,
            )
        return read
    fits = mask.ndim == 2 and mask.dtype.kind in "fb"
    if not (fits and mask.min() >= 0 and mask.max() <= 1):
        raise NstjaxError(
            "a mask given as an array must be [H, W], with values in [0, 1]"
        )
    return mask.astype(np.float32)[..., None]


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
