"""Methods of one pass from end to end: a picture in, a painted one out."""

import contextlib
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from nstjax.errors import NstjaxError
from nstjax.io.resizing import fit_size, resize_image
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.methods import feedforward
from nstjax.methods.base import STROKE_SIDE
from nstjax.methods.canvas import Thrift, choose_canvas, least_canvas, place
from nstjax.methods.specs import (
    LevelStatistics,
    OnePassSpec,
    PainterTransferSpec,
    TransferSpec,
)
from nstjax.methods.tiling.moments import Moments, merge, moments_of, to_statistics
from nstjax.methods.tiling.receptive_field import receptive_field_radius
from nstjax.methods.tiling.spans import read_window, spans
from nstjax.methods.tiling.transfer import (
    OnStatistics,
    OnTile,
    Tiling,
    adain_in_tiles,
    feature_mask,
    style_swap_in_tiles,
    swap_features,
)
from nstjax.models.painter import PainterSpec
from nstjax.ops.stats import Statistics
from nstjax.sharding import batch_sharded, make_data_mesh, replicated
from nstjax.transforms.adain import EPS
from nstjax.types import Features
from nstjax.weights.pretrained import (
    DEFAULT_ENCODER,
    Decoder,
    Encoder,
    load_decoder,
    load_encoder,
)
from nstjax.weights.store.programs import CachedJit

STYLE_SUFFIX = ".style"
# What decoders are trained to paint.
TRANSFORMS = ("adain", "style_swap")
# A style's shorter side is that of the content, but no longer than this:
# decoders have seen strokes of this scale.
_STYLE_SIDE = 512
_NO_SAVED_STYLES = (
    "Style-Swap needs a style's picture, of which a saved style has statistics only; "
    "give the picture"
)
# The least side of which relu4_1 has enough positions for statistics.
LEAST_SIDE = 32
# A style is not measured in more windows of a content's canvas.
_MOST_WINDOWS = 3


class Networks(NamedTuple):
    """The networks of a transfer in one pass.

    Attributes:
        params: their weights, for `nstjax.methods.feedforward`.
        spec: theirs.
        files: what they were loaded from: an encoder and a decoder, or a painter.
        transform: what they paint, one of `TRANSFORMS`.
    """

    params: Mapping[str, Any]
    spec: OnePassSpec
    files: tuple[Encoder | Decoder, ...]
    transform: str = "adain"

    @property
    def encoder_sha256(self) -> str:
        """Of the file that styles are encoded with: the encoder's, or the painter's."""
        return self.files[0].sha256


class SavedStyle(NamedTuple):
    """A style without its picture.

    Attributes:
        statistics: what AdaIN takes of it, by level.
        encoder: SHA-256 of the encoder they were computed by.
        name: of the picture, for people.
    """

    statistics: LevelStatistics
    encoder: str
    name: str


def load_networks(
    encoder: str | Path,
    decoder: str | Path,
    *,
    transform: str = "adain",
    compute_dtype: str = "float32",
) -> Networks:
    """Loads a decoder with the encoder it was made for, or a painter.

    Args:
        encoder: a VGG-19's name or file; "" for the bundled one. A painter has its own.
        decoder: a decoder's name or file, or a painter's.
        transform: what it is to paint, one of `TRANSFORMS`.
        compute_dtype: see `nstjax.methods.specs.TransferSpec`.

    Raises:
        NstjaxError: if there are no such networks, they do not belong together, or
            were made for another transform.
    """
    loaded = load_decoder(decoder)
    notes = loaded.metadata.notes
    if notes.get("transform", transform) != transform:
        raise NstjaxError(
            f"the decoder {loaded.metadata.name} was trained for "
            f"{notes['transform']}, not {transform}; choose another --method or "
            "--decoder"
        )
    eps, ddof = float(notes.get("eps", EPS)), int(notes.get("ddof", 0))
    if isinstance(loaded.spec, PainterSpec):
        if encoder:
            raise NstjaxError(
                f"{loaded.metadata.name} encodes pictures itself, so that "
                f"--encoder={encoder} would change nothing; leave it out, or name a "
                "decoder of that encoder with --decoder"
            )
        own = PainterTransferSpec(
            painter=loaded.spec, eps=eps, ddof=ddof, compute_dtype=compute_dtype
        )
        return Networks(loaded.params, own, (loaded,), transform)
    seen = load_encoder(encoder or DEFAULT_ENCODER)
    if notes.get("encoder_sha256", seen.sha256) != seen.sha256:
        raise NstjaxError(
            f"the decoder {loaded.metadata.name} was trained with another encoder "
            f"({notes.get('encoder')}) than {seen.metadata.name}; give both, "
            "--encoder and --decoder"
        )
    spec = TransferSpec(
        encoder=seen.spec,
        decoder=loaded.spec,
        eps=eps,
        ddof=ddof,
        compute_dtype=compute_dtype,
    )
    params = {"encoder": seen.params, "decoder": loaded.params}
    return Networks(params, spec, (seen, loaded), transform)


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
        content: picture [H, W, 3], RGB in [0, 1].
        styles: pictures of any size, or saved styles.
        networks: from `load_networks`.
        alpha: strength, 0 to 1.
        style_scale: the style's shorter side, in multiples of the content's
            (or of 512, if that is less), rounded a little: larger ones make larger
            strokes.
        stroke_scale: the same in multiples of 512 pixels, whatever the content's
            size; in place of `style_scale`. Above 1 the picture is painted twice, at
            first smaller.
        blend: a weight for each style; equal by default. Style-Swap without
            any chooses its patches among all styles.
        masks: where to paint each style, [H, W] in [0, 1].
        patch_size, stride: of Style-Swap, in feature positions.
        tiling: how to cut the picture, to the same result in less memory; by
            default it is painted all at once.
        on_tile: told after every tile how many are done, and of how many.

    Returns:
        Picture [H, W, 3] in [0, 1].

    Raises:
        NstjaxError: for pictures too small, or a saved style of another
            encoder.
    """
    params = networks.params
    height, width = content.shape[:2]
    if min(height, width) < LEAST_SIDE:
        small = fit_size(height, width, short_side=LEAST_SIDE)
        larger = transfer_picture(
            resize_image(content, small),
            styles,
            networks=networks,
            alpha=alpha,
            style_scale=style_scale,
            stroke_scale=stroke_scale,
            blend=blend,
            masks=masks and [resize_image(m[..., None], small)[..., 0] for m in masks],
            patch_size=patch_size,
            stride=stride,
        )
        return resize_image(larger, (height, width))
    if stroke_scale is not None and stroke_scale > 1:
        # No decoder paints larger strokes than it has seen. A smaller picture with
        # those is enlarged, and painted once more at half the strength for what that
        # blurred.
        short = max(1, round(min(height, width) / stroke_scale))
        small = fit_size(height, width, short_side=short)
        painted = transfer_picture(
            resize_image(content, small),
            styles,
            networks=networks,
            stroke_scale=1.0,
            blend=blend,
            masks=masks and [resize_image(m[..., None], small)[..., 0] for m in masks],
            patch_size=patch_size,
            stride=stride,
            tiling=tiling,
        )
        large = resize_image(painted, (height, width))
        content = (1 - np.float32(alpha)) * content + np.float32(alpha) * large
        alpha = alpha / 2
    side = style_side((height, width), style_scale, stroke_scale)
    if masks is not None:
        masks = [np.asarray(mask, np.float32)[..., None] for mask in masks]
    if networks.transform == "style_swap":
        pictures = [style for style in styles if not isinstance(style, SavedStyle)]
        if len(pictures) < len(styles):
            raise NstjaxError(_NO_SAVED_STYLES)
        features = [_features(_scaled(style, side), networks) for style in pictures]
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
        # Swapping is of each size alone; encoding and decoding are of canvases.
        swapped = swap_features(
            _features(content, networks),
            features,
            weights=weights,
            feature_masks=covered,
            alpha=np.float32(alpha),
            patch_size=patch_size,
            stride=stride,
        )
        return _decode(swapped.features, (height, width), networks)
    weights = _normalise(blend or [1.0] * len(styles))
    if tiling is None and masks is None:
        program = _Canvas((height, width), weights, networks=networks)
        with program.compiling():
            statistics = _all_statistics(
                styles, networks=networks, short_side=side, content=(height, width)
            )
            return program.paint(content, statistics, alpha)
    statistics = _all_statistics(styles, networks=networks, short_side=side)
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
    """Loads or compiles what `transfer_picture` needs for a size and as many styles.

    Args:
        size: the content's (height, width).
        networks: from `load_networks`, for AdaIN.
        blend: a weight for each style.
    """
    if min(size) >= LEAST_SIDE:
        with _Canvas(size, _normalise(blend), networks=networks).compiling():
            pass


def canvas_of(size: tuple[int, int], *, networks: Networks) -> tuple[int, int]:
    """The least canvas of a size; pictures of one can be painted together."""
    return least_canvas(size, networks.spec.multiple)


def _array(*shape: int, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def _size() -> jax.ShapeDtypeStruct:
    return _array(1, 2, dtype=np.int32)


class _Canvas:
    """Two programs, which encode and paint pictures within arrays of one shape."""

    def __init__(
        self, size: tuple[int, int], weights: tuple[float, ...], *, networks: Networks
    ) -> None:
        self._networks, self._weights = networks, weights
        self._functions = _programs(networks.spec)
        multiple = networks.spec.multiple
        self._size, self._least = size, least_canvas(size, multiple)
        most = self._functions.thrift.most_pixels(size, self._least)
        chosen, key = self._functions.chosen, (size, weights, most)
        if key not in chosen:  # to ask for all that are ready takes a while
            chosen[key] = choose_canvas(size, multiple, self._is_ready, most=most)
        self._shape = chosen[key]

    def _is_ready(self, shape: tuple[int, int]) -> bool:
        # Hundreds of shapes are asked for, of which most have neither.
        return self._functions.encode_measured.is_ready(
            *self._encoding(shape)
        ) and self._functions.paint.is_ready(*self._painting(shape))

    def _encoding(self, shape: tuple[int, int]) -> tuple:
        """The shapes of what the program that encodes is called with."""
        return self._networks.params, _array(1, *shape, 3), _size()

    def _painting(self, shape: tuple[int, int]) -> tuple:
        """The same of the one that paints."""
        params, spec = self._networks.params, self._networks.spec
        features = tuple(
            _array(1, *(side // stride for side in shape), spec.widths[level])
            for level, stride in spec.strides.items()
        )
        numbers = tuple(
            _array(1, 1, 1, spec.widths[level])
            for level in spec.strides
            for _ in range(2)
        )
        styles = [_by_level(numbers, spec)] * len(self._weights)
        return params, features, numbers, styles, self._weights, _array(), _size()

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Prepares both programs side by side, and meanwhile does what is within."""
        with ThreadPoolExecutor(2) as pool:
            both = (
                self._functions.paint.prepare(pool, *self._painting(self._shape)),
                self._functions.encode_measured.prepare(
                    pool, *self._encoding(self._shape)
                ),
            )
            yield
            for program in both:
                program.result()

    def paint(
        self, content: np.ndarray, styles: Sequence[LevelStatistics], alpha: float
    ) -> np.ndarray:
        """A picture [H, W, 3] in [0, 1] of a content of the same shape."""
        params, spec = self._networks.params, self._networks.spec
        beyond = math.prod(self._shape) - math.prod(self._size)
        self._functions.thrift.spend(beyond, self._least)
        placed, size = place(content, self._shape, spec.multiple)
        found = self._functions.encode_measured(params, placed, size)
        features, own = found[: len(spec.strides)], found[len(spec.strides) :]
        (image,) = self._functions.paint(
            params,
            features,
            own,
            [dict(style) for style in styles],
            self._weights,
            np.float32(alpha),
            size,
        )
        height, width = content.shape[:2]
        return np.ascontiguousarray(np.asarray(image)[0, :height, :width])


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
    """Paints contents [H, W, 3] of one canvas by a single program."""
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
    mesh: Mesh | None = None,
) -> list[np.ndarray]:
    """Paints pictures of one canvas with AdaIN, all in the same styles.

    The styles are encoded once, and the pictures shared out over devices. Each
    comes out as `transfer_picture` makes it, up to rounding.

    Args:
        contents: pictures [H, W, 3], RGB in [0, 1], of one `canvas_of`, sides of at
            least `LEAST_SIDE`.
        styles: saved styles, or pictures, which are seen as for the first content.
        networks, alpha, style_scale, stroke_scale, blend: as for
            `transfer_picture`.
        mesh: from `nstjax.sharding.make_data_mesh`; by default, of all devices
            of this process.

    Returns:
        Pictures of the contents' shapes, in [0, 1].

    Raises:
        NstjaxError: for another transform than AdaIN, or smaller pictures.
    """
    size = contents[0].shape[:2]
    least = min(min(content.shape[:2]) for content in contents)
    if networks.transform != "adain" or least < LEAST_SIDE:
        raise NstjaxError(
            "pictures are painted together with AdaIN only, with sides of at least "
            f"{LEAST_SIDE} pixels"
        )
    mesh = mesh or make_data_mesh(jax.local_devices())
    statistics = _all_statistics(
        styles,
        networks=networks,
        short_side=style_side(size, style_scale, stroke_scale),
    )
    # Every device gets as many; some paint the last picture once more.
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
    """Paints frames with AdaIN, by statistics that are not each frame's own.

    Args:
        frames: [B, H, W, 3], RGB in [0, 1], sides of at least `LEAST_SIDE`; with
            tiles a single one.
        styles: from `make_style`.
        networks, alpha, blend, masks, tiling: as for `transfer_picture`.
        on_statistics: given the frames' own statistics, with a leading axis of B;
            what it returns is used.

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


def style_side(
    size: Sequence[int], style_scale: float, stroke_scale: float | None = None
) -> int:
    """The shorter side at which styles are seen for a content of a size."""
    if stroke_scale is not None:
        return max(LEAST_SIDE, round(STROKE_SIDE * min(stroke_scale, 1)))
    side = min(*size, _STYLE_SIDE) * style_scale
    # Contents of nearly one size share a style's statistics.
    step = 32 if side >= 256 else 8
    return max(LEAST_SIDE, step * round(side / step))


def _all_statistics(
    styles: Sequence[np.ndarray | SavedStyle], **how: Any
) -> list[LevelStatistics]:
    return [
        style.statistics
        if isinstance(style, SavedStyle)
        else encode_style(style, **how)
        for style in styles
    ]


def encode_style(
    style: np.ndarray,
    *,
    networks: Networks,
    short_side: int = _STYLE_SIDE,
    content: tuple[int, int] | None = None,
) -> LevelStatistics:
    """A style picture's [H, W, 3] statistics by level, seen at a size.

    Args:
        style: RGB in [0, 1].
        networks: from `load_networks`.
        short_side: what its shorter side is scaled to.
        content: the (height, width) of a content to paint it on. Where there is a
            program that encodes that, and none for the style, the style is measured
            in windows rather than that another is compiled.
    """
    image = _scaled(style, short_side)
    if content is not None:
        found = _statistics_in_windows(image, content, networks)
        if found is not None:
            return found
    _, numbers = _encode(image, networks)
    return _by_level(numbers, networks.spec)


def _statistics_in_windows(
    image: np.ndarray, content: tuple[int, int], networks: Networks
) -> LevelStatistics | None:
    """What `encode_style` finds, or None where windows would gain nothing."""
    spec, functions = networks.spec, _programs(networks.spec)
    canvas, own_is_ready = _encoding_canvas(image.shape[:2], networks)
    window, is_ready = _encoding_canvas(content, networks)
    halo, key = receptive_field_radius(spec), ("style", canvas)
    positions = [side // spec.multiple for side in window]
    if (
        own_is_ready
        or not is_ready
        or min(positions) <= 2 * halo
        or functions.thrift.is_worth_compiling(key)
    ):
        return None
    rows, columns = (
        spans(-(-side // spec.multiple), size, halo)
        for side, size in zip(image.shape[:2], positions, strict=True)
    )
    if len(rows) * len(columns) > _MOST_WINDOWS:
        return None
    in_vain = len(rows) * len(columns) * math.prod(window) - math.prod(image.shape[:2])
    functions.thrift.spend(in_vain, key)
    known: dict[str, Moments] = {}
    for down, across in itertools.product(rows, columns):
        part = read_window(image, *(s.scaled(spec.multiple) for s in (down, across)))
        features = functions.encode_measured(
            networks.params, *place(part[0], window, spec.multiple)
        )
        for (level, stride), value in zip(
            spec.strides.items(), features[: len(spec.strides)], strict=True
        ):
            inner = (s.scaled(spec.multiple // stride).inner for s in (down, across))
            core = np.asarray(value)[0][tuple(inner)]
            known[level] = merge(known.get(level), moments_of(core))
    return {
        level: to_statistics(known[level], eps=spec.eps, ddof=spec.ddof)
        for level in spec.strides
    }


def make_style(
    style: np.ndarray | SavedStyle,
    *,
    name: str,
    networks: Networks,
    short_side: int | None = None,
    content: tuple[int, int] | None = None,
) -> SavedStyle:
    """What is saved of a style picture [H, W, 3], by default of its largest size.

    `content` is that of `encode_style`.
    """
    if networks.transform == "style_swap":
        raise NstjaxError(_NO_SAVED_STYLES)
    if isinstance(style, SavedStyle):
        return style
    side = short_side or min(_STYLE_SIDE, *style.shape[:2])
    statistics = encode_style(
        style, networks=networks, short_side=side, content=content
    )
    return SavedStyle(statistics, networks.encoder_sha256, name)


def save_style(path: str | Path, style: SavedStyle, *, overwrite: bool = False) -> None:
    """Writes a style to a file that can be painted with again.

    Args:
        path: the file, which ends in ".style" by custom.
        style: from `make_style`.
        overwrite: whether an existing file may be replaced.

    Raises:
        NstjaxError: if it is no saved style, cannot be written, or exists and may not
            be replaced.
    """
    if not isinstance(style, SavedStyle):
        raise NstjaxError(
            "save_style writes what make_style gives to a file: save_style(path, "
            f"style), where the style is no {type(style).__name__}"
        )
    params = {
        level: {"mean": np.asarray(value.mean), "std": np.asarray(value.std)}
        for level, value in style.statistics.items()
    }
    metadata = WeightsMetadata(
        kind="style",
        name=style.name,
        spec={"levels": list(params)},
        source="a style picture",
        licence="that of the picture",
        notes={"encoder_sha256": style.encoder},
    )
    save_weights(path, params, metadata, overwrite=overwrite)


def load_style(path: str | Path, *, networks: Networks) -> SavedStyle:
    """Reads what `save_style` wrote.

    Args:
        path: the file.
        networks: those it is to be painted with, from `load_networks`.

    Returns:
        The style, which can be given to `nstjax.stylize` in place of a picture.

    Raises:
        NstjaxError: if it is no style, or one of another encoder.
    """
    params, metadata = load_weights(path)
    if metadata.kind != "style":
        raise NstjaxError(f"{path} holds a {metadata.kind}, not a saved style")
    if "layer" in metadata.spec:  # as releases before 0.2 wrote it
        params = {metadata.spec["layer"]: params}
    encoder = metadata.notes.get("encoder_sha256")
    levels = networks.spec.strides
    if encoder != networks.encoder_sha256 or set(params) != set(levels):
        raise NstjaxError(
            f"the style {path} was saved with another encoder; save it again from its "
            "picture, with --save-style"
        )
    statistics = {level: Statistics(**params[level]) for level in levels}
    return SavedStyle(statistics, encoder, metadata.name)


def _by_level(numbers: Sequence[Any], spec: OnePassSpec) -> LevelStatistics:
    """Statistics of a mean and a deviation of one level after another."""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {
        level: Statistics(*pair)
        for level, pair in zip(spec.strides, pairs, strict=True)
    }


def _scaled(style: np.ndarray, short_side: int) -> np.ndarray:
    """A style picture with its shorter side scaled."""
    return resize_image(style, fit_size(*style.shape[:2], short_side=short_side))


def _encode(
    image: np.ndarray, networks: Networks
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """Features of a picture [H, W, 3] in a canvas, by level, and its statistics."""
    spec, function = networks.spec, _programs(networks.spec).encode_measured
    canvas, _ = _encoding_canvas(image.shape[:2], networks)
    found = function(networks.params, *place(image, canvas, spec.multiple))
    return found[: len(spec.strides)], found[len(spec.strides) :]


def _encoding_canvas(
    size: tuple[int, int], networks: Networks
) -> tuple[tuple[int, int], bool]:
    """The canvas that a picture of a size is encoded in, and if it has its program."""
    function = _programs(networks.spec).encode_measured

    def is_ready(canvas: tuple[int, int]) -> bool:
        return function.is_ready(networks.params, _array(1, *canvas, 3), _size())

    canvas = choose_canvas(size, networks.spec.multiple, is_ready)
    return canvas, is_ready(canvas)


def _features(image: np.ndarray, networks: Networks) -> Features:
    """The same, cut to what is the picture's."""
    spec = networks.spec
    found, _ = _encode(image, networks)
    rows, columns = (
        spec.multiple * -(-side // spec.multiple) for side in image.shape[:2]
    )
    on_host = {
        level: np.asarray(value)[:, : rows // stride, : columns // stride]
        for (level, stride), value in zip(spec.strides.items(), found, strict=True)
    }
    return on_host  # type: ignore[return-value]  # compiled programs take them alike


def _decode(
    features: Features, size: tuple[int, int], networks: Networks
) -> np.ndarray:
    """The picture of a size, [H, W, 3], of features [1, h, w, C] of one level."""
    spec, function = networks.spec, _programs(networks.spec).decode
    ((_, value),) = features.items()

    def is_ready(canvas: tuple[int, int]) -> bool:
        shape = (1, *(side // spec.multiple for side in canvas), value.shape[-1])
        array = jax.ShapeDtypeStruct(shape, np.float32)
        within = jax.ShapeDtypeStruct((1, 2), np.int32)
        return function.is_ready(networks.params, array, within)

    canvas = choose_canvas(size, spec.multiple, is_ready)
    height, width = (side // spec.multiple for side in canvas)
    placed, within = place(np.asarray(value)[0], (height, width), 1)
    (image,) = function(networks.params, placed, spec.multiple * within)
    return np.ascontiguousarray(np.asarray(image)[0, : size[0], : size[1]])


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


class _Programs(NamedTuple):
    """What single pictures are painted by; the programs outlive the process."""

    encode_measured: CachedJit
    decode: CachedJit
    paint: CachedJit
    thrift: Thrift
    chosen: dict[tuple, tuple[int, int]]


@functools.lru_cache(maxsize=8)
def _programs(spec: OnePassSpec) -> _Programs:
    # Two programs, of which contents and styles share the first, and which compile
    # side by side. Flat, as programs are kept: features by level, and then mean and
    # deviation of one level after another.
    def encode_measured(params, image, size):
        features = feedforward.encode(params, image, spec=spec, size=size)
        (own,) = feedforward.content_statistics(features, spec=spec, size=size)
        numbers = [value for level in spec.strides for value in own[level]]
        return *(features[level] for level in spec.strides), *numbers

    def decode(params, features, size):
        (level,) = spec.strides
        restyled = feedforward.Restyled({level: features}, [])
        whole = tuple(spec.multiple * side for side in features.shape[1:3])
        image = feedforward.decode(params, restyled, size=whole, spec=spec, within=size)
        return (image,)

    def paint(params, features, own, styles, weights, alpha, size):
        restyled = feedforward.restyle(
            dict(zip(spec.strides, features, strict=True)),
            styles,
            own=[_by_level(own, spec)],
            weights=weights,
            alpha=alpha,
            spec=spec,
        )
        level = next(iter(spec.strides))
        whole = tuple(spec.strides[level] * side for side in features[0].shape[1:3])
        image = feedforward.decode(params, restyled, size=whole, spec=spec, within=size)
        return (image,)

    return _Programs(
        encode_measured=CachedJit(
            encode_measured,
            name="encode",
            options=spec,
            outputs=3 * len(spec.strides),
        ),
        decode=CachedJit(decode, name="decode", options=spec, outputs=1),
        paint=CachedJit(
            paint, name="paint", options=spec, outputs=1, static_argnums=(4,)
        ),
        thrift=Thrift(),
        chosen={},
    )


def _normalise(weights: Sequence[float]) -> tuple[float, ...]:
    total = float(sum(weights))
    if not total > 0:
        raise NstjaxError("at least one weight of --style-blend must be positive")
    return tuple(float(weight) / total for weight in weights)
