"""Compiled programs of feed-forward methods, each for pictures in a canvas.

They encode, decode or paint one picture, and are cached on disk.
"""

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from nstjax.methods import feedforward
from nstjax.methods.canvas import Thrift, choose_canvas, least_canvas, place
from nstjax.methods.networks import Networks
from nstjax.methods.specs import LevelStatistics, OnePassSpec
from nstjax.ops.stats import Statistics
from nstjax.types import Features
from nstjax.weights.store.programs import CachedJit


class CanvasPrograms:
    """The two programs that encode and paint pictures in arrays of a given shape."""

    def __init__(
        self, size: tuple[int, int], weights: tuple[float, ...], *, networks: Networks
    ) -> None:
        self._networks, self._weights = networks, weights
        self._functions = programs_of(networks.spec)
        multiple = networks.spec.multiple
        self._size, self._least = size, least_canvas(size, multiple)
        most = self._functions.thrift.most_pixels(size, self._least)
        chosen, key = self._functions.chosen, (size, weights, most)
        if key not in chosen:  # checking for all ready programs takes a while
            chosen[key] = choose_canvas(size, multiple, self._is_ready, most=most)
        self._shape = chosen[key]

    def _is_ready(self, shape: tuple[int, int]) -> bool:
        # Hundreds of shapes are checked, and most have neither program.
        return self._functions.encode_measured.is_ready(
            *self._encoding(shape)
        ) and self._functions.paint.is_ready(*self._painting(shape))

    def _encoding(self, shape: tuple[int, int]) -> tuple:
        """The shapes of the encoding program's arguments."""
        return self._networks.params, _array(1, *shape, 3), _size()

    def _painting(self, shape: tuple[int, int]) -> tuple:
        """The shapes of the painting program's arguments."""
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
        styles = [by_level(numbers, spec)] * len(self._weights)
        return params, features, numbers, styles, self._weights, _array(), _size()

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Prepares both programs in parallel while the ``with`` block runs."""
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
        """Paints a content; returns a picture [H, W, 3] in [0, 1]."""
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


def encode(
    image: np.ndarray, networks: Networks, canvas: tuple[int, int] | None = None
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """The features of a picture [H, W, 3] in a canvas, by level, and its statistics."""
    spec, function = networks.spec, programs_of(networks.spec).encode_measured
    if canvas is None:
        canvas, _ = encoding_canvas(image.shape[:2], networks)
    found = function(networks.params, *place(image, canvas, spec.multiple))
    return found[: len(spec.strides)], found[len(spec.strides) :]


def encoding_canvas(
    size: tuple[int, int], networks: Networks
) -> tuple[tuple[int, int], bool]:
    """The canvas for encoding a picture of a size, and whether its program is ready."""
    functions = programs_of(networks.spec)

    def is_ready(canvas: tuple[int, int]) -> bool:
        return functions.encode_measured.is_ready(
            networks.params, _array(1, *canvas, 3), _size()
        )

    key = ("encode", size)
    if key not in functions.chosen:
        canvas = choose_canvas(size, networks.spec.multiple, is_ready)
        if not is_ready(canvas):
            return canvas, False  # another one may be ready later
        functions.chosen[key] = canvas
    return functions.chosen[key], True


def features_of(image: np.ndarray, networks: Networks) -> Features:
    """Features of a picture [H, W, 3] by level, cropped to the picture."""
    spec = networks.spec
    found, _ = encode(image, networks)
    rows, columns = (
        spec.multiple * -(-side // spec.multiple) for side in image.shape[:2]
    )
    on_host = {
        level: np.asarray(value)[:, : rows // stride, : columns // stride]
        for (level, stride), value in zip(spec.strides.items(), found, strict=True)
    }
    return on_host  # type: ignore[return-value]  # compiled programs accept both


def decode(features: Features, size: tuple[int, int], networks: Networks) -> np.ndarray:
    """Decodes features [1, h, w, C] of one level to a picture [H, W, 3]."""
    spec, function = networks.spec, programs_of(networks.spec).decode
    ((_, value),) = features.items()

    def is_ready(canvas: tuple[int, int]) -> bool:
        shape = (1, *(side // spec.multiple for side in canvas), value.shape[-1])
        return function.is_ready(networks.params, _array(*shape), _size())

    canvas = choose_canvas(size, spec.multiple, is_ready)
    height, width = (side // spec.multiple for side in canvas)
    placed, within = place(np.asarray(value)[0], (height, width), 1)
    (image,) = function(networks.params, placed, spec.multiple * within)
    return np.ascontiguousarray(np.asarray(image)[0, : size[0], : size[1]])


def by_level(numbers: Sequence[Any], spec: OnePassSpec) -> LevelStatistics:
    """Groups a flat list of means and deviations into statistics by level."""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {
        level: Statistics(*pair)
        for level, pair in zip(spec.strides, pairs, strict=True)
    }


def _array(*shape: int, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def _size() -> jax.ShapeDtypeStruct:
    return _array(1, 2, dtype=np.int32)


class Programs(NamedTuple):
    """The programs for single pictures, which are cached on disk.

    Attributes:
        encode_measured: maps a picture in a canvas to features by level, followed by
            the mean and deviation of each level.
        decode: maps features of one level to a picture.
        paint: maps the output of `encode_measured` and styles' statistics to a picture.
        thrift: decides when another canvas is worth compiling.
        chosen: the canvases chosen so far, by purpose.
    """

    encode_measured: CachedJit
    decode: CachedJit
    paint: CachedJit
    thrift: Thrift
    chosen: dict[tuple, tuple[int, int]]


@functools.lru_cache(maxsize=8)
def programs_of(spec: OnePassSpec) -> Programs:
    """The programs for networks of a spec, cached."""

    # Two programs, which compile in parallel; contents and styles share the first.
    # Results are flat, as cached programs require: features by level, then the mean and
    # deviation of each level.
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
            own=[by_level(own, spec)],
            weights=weights,
            alpha=alpha,
            spec=spec,
        )
        level = next(iter(spec.strides))
        whole = tuple(spec.strides[level] * side for side in features[0].shape[1:3])
        image = feedforward.decode(params, restyled, size=whole, spec=spec, within=size)
        return (image,)

    return Programs(
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
