"""Feed-forward methods from end to end: a picture in, a painted picture out."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from nstjax.errors import NstjaxError
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import feedforward
from nstjax.methods.base import LEAST_SIDE, OnTile
from nstjax.methods.canvas import least_canvas, place
from nstjax.methods.networks import Networks
from nstjax.methods.programs import CanvasPrograms, decode, features_of
from nstjax.methods.specs import LevelStatistics
from nstjax.methods.styles import (
    NO_SAVED_STYLES,
    SavedStyle,
    all_statistics,
    scaled,
    style_side,
)
from nstjax.methods.tiling.transfer import (
    OnStatistics,
    Tiling,
    adain_in_tiles,
    feature_mask,
    style_swap_in_tiles,
    swap_features,
)
from nstjax.sharding import batch_sharded, make_data_mesh, replicated


def transfer_picture(
    content: np.ndarray,
    styles: Sequence[np.ndarray | SavedStyle],
    *,
    networks: Networks,
    alpha: float = 1.0,
    style_scale: float = 1.0,
    stroke_scale: float | None = None,
    blend: Sequence[float] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    patch_size: int = 3,
    stride: int = 1,
    tiling: Tiling | None = None,
    on_tile: OnTile | None = None,
) -> np.ndarray:
    """Paints a picture with AdaIN, or Style-Swap's inverse network.

    Args:
        content: the picture [H, W, 3], RGB in [0, 1].
        styles: pictures of any size, or saved styles.
        networks: from `load_networks`.
        alpha: strength, 0 to 1.
        style_scale: the style's shorter side, in multiples of the content's (or of 512,
            if that is less), slightly rounded; larger values make larger strokes.
        stroke_scale: the same in multiples of 512 pixels, independent of the content's
            size; used instead of `style_scale`. Above 1, the picture is painted twice,
            first at a smaller size.
        blend: a weight for each style; equal by default. Without weights, Style-Swap
            chooses patches from all styles.
        masks: where to paint each style, [H, W] in [0, 1].
        patch_size, stride: those of Style-Swap, in feature positions.
        tiling: how to cut the picture into tiles, which gives the same result in less
            memory; by default it is painted all at once.
        on_tile: called after every tile with the number of finished tiles and of all
            tiles.

    Returns:
        Picture [H, W, 3] in [0, 1].

    Raises:
        NstjaxError: if a picture is too small, or a saved style is from another
            encoder.
    """
    params = networks.params
    height, width = content.shape[:2]

    def paint_at(size: tuple[int, int], **changes: Any) -> np.ndarray:
        """Paints at another size and scales the result to the content's size."""
        painted = transfer_picture(
            resize_image(content, size),
            styles,
            networks=networks,
            blend=blend,
            masks=masks and [resize_image(m[..., None], size)[..., 0] for m in masks],
            patch_size=patch_size,
            stride=stride,
            **changes,
        )
        return resize_image(painted, (height, width))

    if min(height, width) < LEAST_SIDE:
        return paint_at(
            fit_size(height, width, short_side=LEAST_SIDE),
            alpha=alpha,
            style_scale=style_scale,
            stroke_scale=stroke_scale,
        )
    if stroke_scale is not None and stroke_scale > 1:
        # Decoders cannot paint larger strokes than in their training. So a smaller
        # picture is painted with those and enlarged, and then painted again at half the
        # strength to restore the detail that this blurred.
        short = max(1, round(min(height, width) / stroke_scale))
        small = fit_size(height, width, short_side=short)
        large = paint_at(small, stroke_scale=1.0, tiling=tiling)
        share = np.full((1, 1, 1), alpha, np.float32)
        if masks is not None:
            # Where no style goes, the content stays sharp.
            share = share * np.clip(sum(masks), 0, 1, dtype=np.float32)[..., None]
        content = (1 - share) * content + share * large
        alpha = alpha / 2
    side = style_side((height, width), style_scale, stroke_scale)
    if masks is not None:
        masks = [np.asarray(mask, np.float32)[..., None] for mask in masks]
    if networks.transform == "style_swap":
        pictures = [style for style in styles if not isinstance(style, SavedStyle)]
        if len(pictures) < len(styles):
            raise NstjaxError(NO_SAVED_STYLES)
        features = [features_of(scaled(style, side), networks) for style in pictures]
        weights = None if blend is None or masks is not None else _normalise(blend)
        if tiling is not None:
            return style_swap_in_tiles(
                params,
                content,
                features,
                weights=weights,
                masks=masks,
                alpha=alpha,
                patch_size=patch_size,
                stride=stride,
                tiling=tiling,
                spec=networks.spec,
                on_tile=on_tile,
            )
        covered = masks and [
            feature_mask(mask[None], spec=networks.spec) for mask in masks
        ]
        # Swapping is compiled for each size; encoding and decoding use canvases.
        swapped = swap_features(
            features_of(content, networks),
            features,
            weights=weights,
            feature_masks=covered,
            alpha=np.float32(alpha),
            patch_size=patch_size,
            stride=stride,
        )
        return decode(swapped.features, (height, width), networks)
    weights = _normalise(blend or [1.0] * len(styles))
    if tiling is None and masks is None:
        program = CanvasPrograms((height, width), weights, networks=networks)
        with program.compiling():
            statistics = all_statistics(
                styles, networks=networks, short_side=side, content=(height, width)
            )
            return program.paint(content, statistics, alpha)
    statistics = all_statistics(styles, networks=networks, short_side=side)
    if tiling is not None:
        return adain_in_tiles(
            params,
            content,
            statistics,
            weights=weights,
            masks=masks,
            alpha=alpha,
            tiling=tiling,
            spec=networks.spec,
            on_tile=on_tile,
        )
    images = _paint_together(
        [content], statistics, weights, alpha, networks=networks, masks=masks
    )
    return images[0]


def prepare_programs(
    size: tuple[int, int], *, networks: Networks, blend: Sequence[float]
) -> None:
    """Loads or compiles the programs that `transfer_picture` needs.

    Args:
        size: the content's (height, width).
        networks: from `load_networks`, for AdaIN.
        blend: a weight for each style.
    """
    if min(size) >= LEAST_SIDE:
        with CanvasPrograms(size, _normalise(blend), networks=networks).compiling():
            pass


def canvas_of(size: tuple[int, int], *, networks: Networks) -> tuple[int, int]:
    """The smallest canvas for a size; pictures with the same one can share a batch."""
    return least_canvas(size, networks.spec.multiple)


def _paint_together(
    contents: Sequence[np.ndarray],
    statistics: Sequence[LevelStatistics],
    weights: tuple[float, ...],
    alpha: float,
    *,
    networks: Networks,
    masks: Sequence[np.ndarray] | None = None,
    mesh: Mesh | None = None,
) -> list[np.ndarray]:
    """Paints contents [H, W, 3] of the same canvas with a single program."""
    multiple = networks.spec.multiple
    canvas = canvas_of(contents[0].shape[:2], networks=networks)
    placed, sizes = zip(*(place(x, canvas, multiple) for x in contents), strict=True)
    pictures, size = np.concatenate(placed), np.concatenate(sizes)
    params = networks.params
    if mesh is not None:
        pictures, size = jax.device_put((pictures, size), batch_sharded(mesh))
        params, statistics = jax.device_put((params, statistics), replicated(mesh))
    images = _transfer(
        params,
        pictures,
        [dict(style) for style in statistics],
        weights=weights,
        masks=masks and [place(mask, canvas, multiple)[0] for mask in masks],
        alpha=np.float32(alpha),
        spec=networks.spec,
        size=size,
    )
    painted = zip(np.asarray(images), contents, strict=True)
    return [image[: x.shape[0], : x.shape[1]] for image, x in painted]


def transfer_batch(
    contents: Sequence[np.ndarray],
    styles: Sequence[np.ndarray | SavedStyle],
    *,
    networks: Networks,
    alpha: float = 1.0,
    style_scale: float = 1.0,
    stroke_scale: float | None = None,
    blend: Sequence[float] | None = None,
) -> list[np.ndarray]:
    """Paints pictures of the same canvas with AdaIN, all in the same styles.

    The styles are encoded once, and the pictures are distributed over all devices of
    this process. The results equal those of `transfer_picture`, up to rounding.

    Args:
        contents: pictures [H, W, 3], RGB in [0, 1], with the same `canvas_of` and sides
            of at least `LEAST_SIDE`.
        styles: saved styles, or pictures, which are scaled for the first content.
        networks, alpha, style_scale, stroke_scale, blend: as for
            `transfer_picture`.

    Returns:
        Pictures of the contents' shapes, in [0, 1].

    Raises:
        NstjaxError: if the transform is not AdaIN, or a picture is too small.
    """
    size = contents[0].shape[:2]
    least = min(min(content.shape[:2]) for content in contents)
    if networks.transform != "adain" or least < LEAST_SIDE:
        raise NstjaxError(
            "only AdaIN paints pictures together, and their sides must be at least "
            f"{LEAST_SIDE} pixels"
        )
    mesh = make_data_mesh(jax.local_devices())
    statistics = all_statistics(
        styles,
        networks=networks,
        short_side=style_side(size, style_scale, stroke_scale),
    )
    # All devices get the same number; some paint the last picture again.
    spare = -len(contents) % mesh.size
    images = _paint_together(
        [*contents, *[contents[-1]] * spare],
        statistics,
        _normalise(blend or [1.0] * len(styles)),
        alpha,
        networks=networks,
        mesh=mesh,
    )
    return images[: len(contents)]


def transfer_frames(
    frames: np.ndarray,
    styles: Sequence[SavedStyle],
    *,
    networks: Networks,
    on_statistics: OnStatistics,
    alpha: float = 1.0,
    blend: Sequence[float] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    tiling: Tiling | None = None,
) -> np.ndarray:
    """Paints frames with AdaIN, with statistics that can differ from the frame's own.

    Args:
        frames: [B, H, W, 3], RGB in [0, 1], with sides of at least `LEAST_SIDE`; with
            tiles, a single frame.
        styles: from `make_style`.
        networks, alpha, blend, masks, tiling: as for `transfer_picture`.
        on_statistics: maps the frames' own statistics, with a leading axis of B, to
            those to use.

    Returns:
        Frames [B, H, W, 3] in [0, 1].
    """
    params = networks.params
    statistics = [style.statistics for style in styles]
    weights = _normalise(blend or [1.0] * len(styles))
    if masks is not None:
        masks = [np.asarray(mask, np.float32)[..., None] for mask in masks]
    if tiling is not None:
        painted = [
            adain_in_tiles(
                params,
                frame,
                statistics,
                tiling=tiling,
                weights=weights,
                masks=masks,
                alpha=alpha,
                spec=networks.spec,
                on_statistics=on_statistics,
            )
            for frame in frames
        ]
        return np.stack(painted)
    masks = masks and [mask[None] for mask in masks]
    features, own = _measure(params, frames, masks, spec=networks.spec)
    used = on_statistics(jax.tree.map(np.asarray, own))
    painted = _repaint(
        params,
        features,
        statistics,
        masks,
        weights=weights,
        alpha=np.float32(alpha),
        own=used,
        size=frames.shape[1:3],
        spec=networks.spec,
    )
    return np.asarray(painted)


_transfer = jax.jit(feedforward.adain_transfer, static_argnames=("weights", "spec"))


def _feature_masks(masks, spec):
    return masks and [feedforward.feature_mask(mask, spec=spec) for mask in masks]


@functools.partial(jax.jit, static_argnames="spec")
def _measure(params, frames, masks, *, spec):
    features = feedforward.encode(params, frames, spec=spec)
    covered = _feature_masks(masks, spec)
    return features, feedforward.content_statistics(
        features, feature_masks=covered, spec=spec
    )


@functools.partial(jax.jit, static_argnames=("weights", "size", "spec"))
def _repaint(params, features, styles, masks, *, size, spec, **options):
    covered = _feature_masks(masks, spec)
    restyled = feedforward.restyle(
        features, styles, feature_masks=covered, **options, spec=spec
    )
    return feedforward.decode(params, restyled, size=size, spec=spec)


def _normalise(weights: Sequence[float]) -> tuple[float, ...]:
    total = float(sum(weights))
    if not total > 0:
        raise NstjaxError("at least one weight of --style-blend must be positive")
    return tuple(float(weight) / total for weight in weights)
