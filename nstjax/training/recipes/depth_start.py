"""Least-squares initialisation of a depth network with separable units.

This works layer by layer, like `warm_start` for a distilled VGG-19: the student's
channels are assigned to those channels of a teacher's block that together explain most
of it, and the convolution is solved for, given the student's layers so far. In the
encoder, the first, 7x7 convolution corresponds to the teacher's first block, and each
unit to one of the following blocks. In the decoder, the second unit of a level
corresponds to a block; the first unit has no counterpart and preserves as much as
possible of the block before. The last convolutions are solved for the teacher's label.

References:
    He, Zhang & Sun, 2017, https://arxiv.org/abs/1707.06168 (channel selection
    and layer-wise least-squares reconstruction, there for pruning).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.models import fast_depth, monodepth
from nstjax.ops.cpu.depthwise import depthwise_conv
from nstjax.ops.preprocess import MONODEPTH_MEAN, MONODEPTH_STD
from nstjax.ops.resample import size_of
from nstjax.training.recipes.depth_teacher import label
from nstjax.training.recipes.warm_start import (
    activation_covariance,
    add_up,
    least_squares,
    patches3x3,
    products,
    select_channels,
)
from nstjax.types import AnyArray, Array, Params

# The units of the four stages, one for each of a FastDepth's blocks after the first.
_LAYERS = (2, 2, 6, 2)
# Labels include 0 and 1, which a sigmoid never reaches.
_LABEL_MARGIN = 0.02


def check_solvable(spec: monodepth.MonodepthSpec) -> None:
    """Raises NstjaxError unless the spec's units match a FastDepth's blocks."""
    if spec.block != "separable" or spec.layers != _LAYERS:
        raise NstjaxError(
            "only a network with a FastDepth's units can be solved for; give "
            f'--config.block=separable "--config.layers={_LAYERS}"'
        )


def solve_network(
    network: Params,
    spec: monodepth.MonodepthSpec,
    teacher: Params,
    pictures: Sequence[np.ndarray],
) -> dict[str, Any]:
    """Solves for every convolution, shallow to deep.

    Args:
        network: random weights without batch normalisation; channels beyond the
            teacher's keep these weights, and so do a decoder's levels 1 and 0.
        spec: the spec of the network, see `check_solvable`.
        teacher: a FastDepth's params.
        pictures: batches [B, H, W, 3] in [0, 1] to fit on, of a size that both accept.

    Returns:
        The network's weights with the solved convolutions.
    """
    check_solvable(spec)
    solved = jax.tree.map(np.array, dict(network))
    lessons = _Lessons(teacher, list(pictures))
    features = _solve_encoder(solved["encoder"], spec, lessons)
    _solve_decoder(solved["decoder"], spec, lessons, features)
    return solved


class _Channels(NamedTuple):
    """Output channels of a teacher's convolution, before the ReLU."""

    half: int  # 0 for a block's 3x3 or 5x5 convolution, 1 for its 1x1 one
    part: str
    block: str
    chosen: np.ndarray


class _Lessons(NamedTuple):
    """A teacher and the pictures that it is applied to."""

    teacher: Params
    pictures: list[np.ndarray]

    def choose(self, part: str, block: str, count: int) -> _Channels:
        """The channels that explain most of a block's output."""
        found = add_up(
            activation_covariance(_given(self.teacher, picture, part, block, 1))
            for picture in self.pictures
        )
        return _Channels(1, part, block, select_channels(np.asarray(found), count))

    def given(self, channels: _Channels, picture: np.ndarray) -> Array:
        """The output of the teacher's convolution in these channels."""
        half, part, block, chosen = channels
        return _given(self.teacher, picture, part, block, half)[..., chosen]


_activations = jax.jit(fast_depth.activations)


def _given(
    teacher: Params, picture: np.ndarray, part: str, block: str, half: int
) -> Array:
    # One program for all blocks, since compiling one for each takes longer than the
    # unneeded computations of this one.
    return getattr(_activations(teacher, picture), part)[block][half]


class _Map(NamedTuple):
    """A feature map of the student, by batch, and the meaning of its channels.

    Attributes:
        batches: arrays [B, H, W, C].
        names: for some runs of channels, the first channel and the teacher's channels.
    """

    batches: list[np.ndarray]
    names: Mapping[int, _Channels]


def _solve_encoder(
    encoder: dict[str, Any], spec: monodepth.MonodepthSpec, lessons: _Lessons
) -> list[_Map]:
    """Solves for the encoder in place; returns its features."""
    first, *blocks = fast_depth.ENCODER_BLOCKS
    chosen = lessons.choose("encoder", first, spec.stem_width)
    wanted = partial(lessons.given, chosen)
    inputs = _solve_dense(
        encoder["conv1"], lessons.pictures, wanted, lessons, _pixel_patches
    )
    features, remaining = [_Map(inputs, {0: chosen})], iter(blocks)
    for stage, (count, width) in enumerate(
        zip(spec.layers, spec.widths, strict=True), start=1
    ):
        x = features[-1]
        for index in range(count):
            block = next(remaining)
            channels = lessons.choose("encoder", block, width)
            unit = encoder[f"layer{stage}_{index}"]
            x = _solve_unit(unit, x, channels, lessons, stride=1 + (index == 0))
        features.append(x)
    return features


def _solve_decoder(
    decoder: dict[str, Any],
    spec: monodepth.MonodepthSpec,
    lessons: _Lessons,
    features: Sequence[_Map],
) -> None:
    """Solves for the decoder in place, given the encoder's features."""
    x = features[-1]
    for level in spec.levels:
        if level < 2:
            break  # the teacher computes this level from upsampled pixels
        coarse, fine = fast_depth.DECODER_BLOCKS[4 - level : 6 - level]
        width = spec.decoder_width(level)
        wanted = lessons.choose("decoder", coarse, width)
        x = _solve_unit(decoder[f"upconv{level}_0"], x, wanted, lessons)
        wanted = lessons.choose("decoder", fine, width)
        x = _beside(_doubled(x), features[level - 1])
        x = _solve_unit(decoder[f"upconv{level}_1"], x, wanted, lessons)
        if level in spec.scales:
            _fit(
                decoder[f"dispconv{level}"],
                x.batches,
                partial(_logits, lessons.teacher, side_share=2**level),
                lessons,
                _patches,
            )


def _doubled(x: _Map) -> _Map:
    return x._replace(batches=[b.repeat(2, 1).repeat(2, 2) for b in x.batches])


def _beside(x: _Map, skip: _Map) -> _Map:
    width = x.batches[0].shape[-1]
    pairs = zip(x.batches, skip.batches, strict=True)
    return _Map(
        [np.concatenate(pair, -1) for pair in pairs],
        dict(x.names) | {width + first: name for first, name in skip.names.items()},
    )


def _solve_unit(
    unit: dict[str, Any],
    x: _Map,
    wanted: _Channels,
    lessons: _Lessons,
    *,
    stride: int = 1,
) -> _Map:
    """Fits a separable unit in place; returns its output.

    Input channels that the teacher's block also has are filtered as in the block;
    others are passed on unchanged.

    Args:
        unit: see `nstjax.models.modules.monodepth.Separable`.
        x: its input.
        wanted: the channels of the block that it corresponds to.
        lessons: the teacher and its pictures.
        stride: the unit's stride.
    """
    filters = unit["conv1"]
    filters["kernel"][:] = 0
    filters["kernel"][tuple(side // 2 for side in filters["kernel"].shape[:2])] = 1
    for first, channels in x.names.items():
        if not _filters(wanted, channels):
            continue
        target = wanted._replace(half=0, chosen=channels.chosen)
        part = slice(first, first + len(channels.chosen))
        inner, cross = add_up(
            _tap_products(
                batch[..., part],
                lessons.given(target, picture),
                side=len(filters["kernel"]),
                stride=stride,
            )
            for picture, batch in zip(lessons.pictures, x.batches, strict=True)
        )
        for index in range(len(channels.chosen)):
            solution = least_squares(inner[..., index], cross[..., index, None])[:, 0]
            kernel = filters["kernel"][..., first + index]
            kernel[:] = solution[1:].reshape(kernel.shape)
            filters["bias"][first + index] = solution[0]
    inputs = [np.asarray(_filtered(filters, b, stride=stride)) for b in x.batches]
    inputs = _balanced(filters, inputs)
    given = partial(lessons.given, wanted)
    return _Map(
        _solve_dense(unit["conv2"], inputs, given, lessons, _as_it_is), {0: wanted}
    )


def _filters(block: _Channels, channels: _Channels) -> bool:
    """Whether a block filters the output channels of another."""
    return (channels.part, channels.block) in fast_depth.inputs(block.part, block.block)


def _solve_dense(
    layer: dict[str, np.ndarray],
    inputs: Sequence[np.ndarray],
    wanted: Callable[[np.ndarray], Array],
    lessons: _Lessons,
    patches: Callable[[np.ndarray], AnyArray],
) -> list[np.ndarray]:
    """Fits a layer in place, see `_fit`; returns its output after a ReLU."""
    _fit(layer, inputs, wanted, lessons, patches)
    kernel = layer["kernel"].reshape(-1, layer["kernel"].shape[-1])
    given = [np.asarray(nn.relu(patches(x) @ kernel + layer["bias"])) for x in inputs]
    return _balanced(layer, given)


def _fit(
    layer: dict[str, np.ndarray],
    inputs: Sequence[np.ndarray],
    wanted: Callable[[np.ndarray], Array],
    lessons: _Lessons,
    patches: Callable[[np.ndarray], AnyArray],
) -> None:
    """Fits a layer in place.

    Args:
        layer: "kernel" [K, K, C, D] and "bias" [D].
        inputs: the layer's inputs, by batch.
        wanted: maps pictures to the target output of the layer's first channels.
        lessons: the teacher and its pictures.
        patches: maps an input to the K x K patches that the kernel is applied to.
    """
    inner, cross = add_up(
        products(patches(given), wanted(picture))
        for picture, given in zip(lessons.pictures, inputs, strict=True)
    )
    solution = least_squares(inner, cross)
    shape, count = layer["kernel"].shape, solution.shape[1]
    layer["kernel"][..., :count] = solution[1:].reshape(*shape[:3], count)
    layer["bias"][:count] = solution[0]


def _balanced(
    layer: dict[str, np.ndarray], given: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Scales a layer's channels in place to a mean square of 1 after the ReLU.

    Otherwise their scale would be the teacher's, and one learning rate would not suit
    all weights.
    """
    squares = sum(np.square(x, dtype=np.float64).sum((0, 1, 2)) for x in given)
    count = sum(x.size // x.shape[-1] for x in given)
    sizes = np.sqrt(squares / count)
    factors = np.where(sizes > 1e-6, 1 / np.maximum(sizes, 1e-6), 1)
    factors = factors.astype(np.float32)
    layer["kernel"] *= factors
    layer["bias"] *= factors
    return [x * factors for x in given]


@partial(jax.jit, static_argnames="side_share")
def _logits(teacher: Params, picture: Array, *, side_share: int) -> Array:
    """The argument for which a sigmoid gives the teacher's label."""
    height, width = (side // side_share for side in size_of(picture))
    wanted = label(fast_depth.activations(teacher, picture).depth, (height, width))
    wanted = jnp.clip(wanted, _LABEL_MARGIN, 1 - _LABEL_MARGIN)
    return jnp.log(wanted) - jnp.log1p(-wanted)


@partial(jax.jit, static_argnames=("side", "stride"))
def _tap_products(
    x: Array, target: Array, *, side: int, stride: int
) -> tuple[Array, Array]:
    """Normal equations of each channel's kernel of K taps: [1 + K, 1 + K, C] and
    [1 + K, C]."""
    channels = x.shape[-1]
    convolve = partial(depthwise_conv, x, stride=stride)
    kernels = jnp.eye(side**2).reshape(-1, side, side, 1)
    # The gradient for a kernel is each tap's sum of products with the cotangent.
    _, vjp = jax.vjp(convolve, jnp.zeros((side, side, channels)))

    def with_taps(cotangent: Array) -> Array:
        (sums,) = vjp(cotangent)
        total = cotangent.sum((0, 1, 2))[None]
        return jnp.concatenate([total, sums.reshape(-1, channels)])

    # Loops are used because the unrolled gradients take minutes to compile.
    taps = jax.lax.map(
        lambda kernel: with_taps(convolve(jnp.tile(kernel, (1, 1, channels)))), kernels
    )
    ones, cross = jax.lax.map(with_taps, jnp.stack([jnp.ones_like(target), target]))
    return jnp.concatenate([ones[None], taps]).swapaxes(0, 1), cross


@partial(jax.jit, static_argnames="stride")
def _filtered(layer: Params, x: Array, *, stride: int) -> Array:
    return nn.relu(depthwise_conv(x, layer["kernel"], stride=stride) + layer["bias"])


@jax.jit
def _pixel_patches(picture: Array) -> Array:
    """Patches [B, H / 2, W / 2, 147] in the order of a [7, 7, 3] kernel."""
    pixels = (picture - MONODEPTH_MEAN) / MONODEPTH_STD
    patches = jax.lax.conv_general_dilated_patches(
        pixels,
        (7, 7),
        (2, 2),
        ((3, 3), (3, 3)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    # The patches are ordered by channel.
    shape = (*patches.shape[:3], pixels.shape[-1], 49)
    return patches.reshape(shape).swapaxes(3, 4).reshape(patches.shape)


def _as_it_is(x: np.ndarray) -> np.ndarray:
    return x


@jax.jit
def _patches(x: Array) -> Array:
    return patches3x3(x, mode="reflect")
