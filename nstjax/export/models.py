"""The four exported functions of a feed-forward method, in JAX and in ONNX.

Both forms of a function have the same inputs and outputs: pictures and features in
NHWC, means and deviations [B, C] by level. Heights and widths are free.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.export import onnx_networks
from nstjax.export.graph import Graph
from nstjax.methods import feedforward
from nstjax.methods.base import LEAST_SIDE
from nstjax.methods.networks import Networks
from nstjax.methods.specs import LevelStatistics
from nstjax.ops.stats import Statistics
from nstjax.types import Array, Features


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A float32 input or output of a model.

    Attributes:
        name: its name in the file.
        shape: sizes; those that are free are terms, such as "height" or "4*rows".
        holds: its meaning and range.
    """

    name: str
    shape: tuple[int | str, ...]
    holds: str


@dataclasses.dataclass(frozen=True)
class Model:
    """A function that is exported.

    Attributes:
        name: the name of its file.
        does: a description.
        inputs, outputs: its inputs and outputs, in order.
        function: maps `inputs` to `outputs` in JAX.
        build: adds the same to a graph, given the inputs' names; returns the outputs'.
    """

    name: str
    does: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    function: Callable[..., tuple[Array, ...]]
    build: Callable[..., tuple[str, ...]]

    def to_onnx(self) -> bytes:
        """The function as an ONNX file.

        Raises:
            NstjaxError: if the package onnx is not installed.
        """
        graph = Graph(self.name)
        names = [graph.input(tensor.name, tensor.shape) for tensor in self.inputs]
        values = self.build(graph, *names)
        for tensor, value in zip(self.outputs, values, strict=True):
            graph.output(tensor.name, value, tensor.shape)
        return graph.model()


def make_models(networks: Networks) -> tuple[Model, ...]:
    """The painter, its two halves, and the style encoder.

    Args:
        networks: those of a method that paints with AdaIN.

    Raises:
        NstjaxError: if they have another transform.
    """
    if networks.transform != "adain":
        raise NstjaxError(
            "only the methods that paint with AdaIN can be exported: adain, adain-lap "
            "and adain-depth; Style-Swap compares every patch with every other, which "
            "a graph for any picture size cannot do"
        )
    params, spec = networks.params, networks.spec
    levels = tuple(spec.strides)

    def picture(name: str, holds: str, batch: str = "batch") -> Tensor:
        return Tensor(name, (batch, "height", "width", 3), holds)

    def grid(scale: int) -> tuple[str, str]:
        return f"{scale}*rows", f"{scale}*columns"

    def features() -> tuple[Tensor, ...]:
        return tuple(
            Tensor(
                level,
                ("batch", *grid(spec.multiple // stride), spec.widths[level]),
                f"features at 1/{stride} of the sides, 0 and above",
            )
            for level, stride in spec.strides.items()
        )

    def statistics(batch: str) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(f"{level}_{what}", (batch, spec.widths[level]), holds)
            for level in levels
            for what, holds in (
                ("mean", "means of channels, 0 and above"),
                ("std", "deviations of channels, above 0"),
            )
        )

    alpha = Tensor("alpha", (1,), "strength, from 0 to 1")
    sides = f"RGB in [0, 1], sides of {LEAST_SIDE} pixels or more"
    content = picture("content", f"pictures, {sides}")
    style = picture(
        "style", f"style pictures, {sides}; best at up to 512 pixels", "styles"
    )
    painted = "painted pictures, RGB in [0, 1]"

    def encode(image: Array) -> tuple[Array, ...]:
        found = feedforward.encode(params, continued(image, spec.multiple), spec=spec)
        return tuple(found[level] for level in levels)

    def encode_style(image: Array) -> tuple[Array, ...]:
        found = feedforward.content_statistics(by_level(encode(image)), spec=spec)
        return tuple(value[:, 0, 0] for level in levels for value in found[0][level])

    def decode(*arrays: Array) -> tuple[Array, ...]:
        found = by_level(arrays)
        alpha, *numbers = arrays[len(levels) :]
        restyled = feedforward.restyle(
            found,
            [to_statistics(numbers)],
            own=feedforward.content_statistics(found, spec=spec),
            weights=[1.0],
            alpha=alpha,
            spec=spec,
        )
        stride, (_, height, width, _) = spec.strides[levels[0]], arrays[0].shape
        size = height * stride, width * stride
        return (feedforward.decode(params, restyled, size=size, spec=spec),)

    def paint(image: Array, alpha: Array, *numbers: Array) -> tuple[Array, ...]:
        (pixels,) = decode(*encode(image), alpha, *numbers)
        return (pixels[:, : image.shape[1], : image.shape[2]],)

    def by_level(arrays: Sequence[Array]) -> Features:
        return dict(zip(levels, arrays, strict=False))

    def to_statistics(numbers: Sequence[Array]) -> LevelStatistics:
        wide = [value[:, None, None] for value in numbers]
        pairs = zip(wide[::2], wide[1::2], strict=True)
        return {
            level: Statistics(*pair) for level, pair in zip(levels, pairs, strict=True)
        }

    def build_encoder(g: Graph, image: str) -> tuple[str, ...]:
        found = onnx_networks.encode(g, image, params, spec)
        return tuple(g.add("Transpose", x, perm=[0, 2, 3, 1]) for x in found.values())

    def build_style_encoder(g: Graph, image: str) -> tuple[str, ...]:
        found = onnx_networks.encode(g, image, params, spec)
        moments = onnx_networks.measure(g, found, spec)
        return tuple(value for level in levels for value in moments[level])

    def build_decoder(g: Graph, *names: str) -> tuple[str, ...]:
        found = {
            level: g.add("Transpose", name, perm=[0, 3, 1, 2])
            for level, name in zip(levels, names, strict=False)
        }
        alpha, *numbers = names[len(levels) :]
        style = to_moments(numbers)
        return (onnx_networks.paint(g, found, style, alpha, params, spec),)

    def build_painter(g: Graph, image: str, alpha: str, *numbers: str):
        found = onnx_networks.encode(g, image, params, spec)
        style = to_moments(numbers)
        pixels = onnx_networks.paint(g, found, style, alpha, params, spec)
        return (onnx_networks.cut(g, pixels, image),)

    def to_moments(numbers: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return dict(zip(levels, pairs, strict=True))

    told = (alpha, *statistics("styles"))
    return (
        Model(
            "painter",
            "Paints pictures, given the means and deviations of a style for each; in "
            "ONNX files, one style can serve a whole batch.",
            (content, *told),
            (picture("painted", painted),),
            paint,
            build_painter,
        ),
        Model(
            "style_encoder",
            "Computes from a style picture all that the painter needs. To blend "
            "styles, pass weighted means of their numbers.",
            (style,),
            statistics("styles"),
            encode_style,
            build_style_encoder,
        ),
        Model(
            "encoder",
            "The painter's first half, for pictures that are painted more than once. "
            f"Sides are padded by reflection to multiples of {spec.multiple}.",
            (content,),
            features(),
            encode,
            build_encoder,
        ),
        Model(
            "decoder",
            "The painter's second half: paints from the encoder's output. Crop the "
            "result to the content's height and width.",
            (*features(), *told),
            (
                Tensor(
                    "painted", ("batch", "padded_height", "padded_width", 3), painted
                ),
            ),
            decode,
            build_decoder,
        ),
    )


def continued(image: Array, multiple: int) -> Array:
    """Pads the sides of pictures by reflection to multiples of a number.

    Unlike `jnp.pad`, this also works for symbolic sides.
    """
    for axis in (1, 2):
        side = image.shape[axis]
        place = jnp.arange(-(-side // multiple) * multiple)
        place = jnp.where(place < side, place, 2 * (side - 1) - place)
        image = jnp.take(image, place, axis=axis, mode="clip")
    return image
