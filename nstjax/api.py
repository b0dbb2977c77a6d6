"""Style transfer in one call."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nstjax import examples, one_pass
from nstjax.errors import NstjaxError
from nstjax.io.images import MIN_SIDE, read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import ONE_PASS, SWAP_OPTIONS, TRANSFORMS, method_options
from nstjax.models import monodepth
from nstjax.one_pass import STYLE_SUFFIX, Networks, SavedStyle
from nstjax.ops.color import luminance_transfer, match_color
from nstjax.optimize import driver
from nstjax.per_image import (
    INITS,
    Checkpoint,
    Outcome,
    Progress,
    optimise_picture,
    working_size,
)
from nstjax.registry import Depth, Encoder, load_depth, load_encoder

# A picture: a file, an example's name, or an array [H, W, 3] in [0, 1].
Picture = str | os.PathLike | np.ndarray
# A mask: a file, or an array [H, W] in [0, 1].
Mask = str | os.PathLike | np.ndarray

_disparity = jax.jit(monodepth.disparity, static_argnames="spec")


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
    on_progress: Callable[[Progress], bool | None] | None = None,
    **options: Any,
) -> np.ndarray:
    """Paints a picture in the style of another.

    Args:
        content: what to paint: a file, an example's name such as "chelsea",
            or an RGB array [H, W, 3] with values in [0, 1].
        style: how to paint it: the same (or a file of a saved style), or
            several, which are blended.
        method: one of `nstjax.methods.METHODS`: "adain" and its kin paint in
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
    masks: Sequence[Mask] | None = None,
    networks: Encoder | Networks | None = None,
) -> Plan:
    """Reads and checks everything that a picture needs.

    Args:
        content, styles, size, seed, blend: see `stylize`.
        options: from `nstjax.methods.method_options`.
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
    one_pass_method = options["method"] in ONE_PASS
    image = read_picture(content)
    networks = networks or load_networks(options)
    chosen = tuple(_read_style(style, networks) for style in styles)
    if options["preserve_color"] == "histogram":
        chosen = tuple(_recolour(style, image) for style in chosen)
    height, width = image.shape[:2]
    output = _output_size(height, width, size)
    init_image = depth = None
    if one_pass_method:
        working = output
        shares = _read_masks(masks, len(chosen), blend, working)
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
    )


def load_networks(options: Mapping[str, Any]) -> Encoder | Networks:
    """Loads the networks that a method's options name.

    Raises:
        NstjaxError: if there are no such networks, or they do not fit.
    """
    encoder = load_encoder(options["encoder"], pooling=options.get("pooling", ""))
    if options["method"] in ONE_PASS:
        transform = TRANSFORMS.get(options["method"], "adain")
        return one_pass.load_networks(encoder, options["decoder"], transform=transform)
    return encoder


def run(
    plan: Plan,
    *,
    on_progress: Callable[[Progress], bool | None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Makes a planned picture; see `nstjax.per_image.optimise_picture`."""
    if isinstance(plan.networks, Networks):
        image = one_pass.transfer_picture(
            resize_image(plan.content, plan.working_size),
            plan.styles,
            networks=plan.networks,
            alpha=plan.options["alpha"],
            style_scale=plan.options["style_scale"],
            blend=plan.blend,
            masks=plan.masks,
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
        checkpoint=checkpoint,
    )


def finish(plan: Plan, image: np.ndarray) -> np.ndarray:
    """Brings a picture [H, W, 3] to the size and the colours asked for."""
    image = resize_image(image, plan.output_size)
    if plan.options["preserve_color"] == "luminance":
        content = resize_image(plan.content, plan.output_size)
        image = np.asarray(luminance_transfer(image, content))
    return image


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


def _read_style(
    style: Picture, networks: Encoder | Networks
) -> np.ndarray | SavedStyle:
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
        return read_image(mask).mean(axis=2, keepdims=True)
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
