"""Penalties on artefacts of decoders: noise, halos and a checkerboard.

None of them is in any publication.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.losses.base import Loss, Picture
from nstjax.ops.pooling import mean_over_blocks
from nstjax.precision import check_floating
from nstjax.types import Array


def flat_noise_loss(image: Array, content: Array, style: Array | None) -> Array:
    """Fine noise where the content is flat, beyond the amount that the style has.

    AdaIN's decoders are known to paint a restless pattern into clear skies. This
    penalty, which is not in any publication, is the local energy of the picture's high
    frequencies (the difference from a 3x3 mean), beyond the style's mean energy, where
    the content's own local energy is low.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1], with sides of 6 pixels
            or more.
        content: of the same shape.
        style: of any size, [B, H', W', 3]; None penalises all noise.

    Returns:
        The mean excess over the flat areas, a float32 scalar.

    Raises:
        NstjaxError: for pictures of integers.
    """
    check_floating(image=image, content=content)
    if style is not None:
        check_floating(style=style)
    chex.assert_equal_shape([image, content])
    excess = local_energy(image)
    if style is not None:
        allowed = local_energy(style).mean(axis=(1, 2), keepdims=True)
        excess = jnp.maximum(excess - lax.stop_gradient(allowed), 0)
    flat = lax.stop_gradient(flatness(content))
    area = flat.sum(axis=(1, 2, 3)) + 1.0
    return ((flat * excess).sum(axis=(1, 2, 3)) / area).mean()


# Local energy at which the content counts as half flat: a deviation of 1/100 between
# neighbours, about the noise of a clear sky.
_FLAT = 1e-4


def flatness(content: Array) -> Array:
    """How flat blocks of pictures [B, H, W, 3] are, from 0 to 1; see `local_energy`."""
    return _FLAT / (_FLAT + local_energy(content))


def local_energy(image: Array) -> Array:
    """Energy of high frequencies (the difference from a 3x3 mean) in 4x4 blocks.

    Args:
        image: pictures of shape [B, H, W, 3].

    Returns:
        Mean squares, [B, (H - 2) // 4, (W - 2) // 4, 1].
    """
    squares = jnp.square(_detail(image)).mean(axis=3, keepdims=True)
    return _means(squares, 4)


# Halos are measured in means over squares of this many pixels.
_HALO_SQUARE = 8
# The squares across which an edge counts as near.
_HALO_WINDOWS = (3, 5, 9)
# The mean squared step between neighbours 4 pixels apart at which a place counts as a
# quarter plain, and what keeps the equations solvable where a picture is all plain.
_HALO_STEP, _HALO_FLOOR = 1e-3, 1e-4


def halo_loss(image: Array, content: Array) -> Array:
    """How far colours of the content's plain areas depend on how near an edge is.

    A decoder that sees an edge from one place and none from another tends to paint a
    rim of another lightness along strong edges: a glow around a head. Plain areas are
    compared in means over squares of 8 pixels. Their colours in the result are fitted,
    by weighted least squares, with the content's colours (a quadratic polynomial) and
    with the content's mean edge strength within 3, 5 and 9 squares. The penalty is what
    the latter explain beyond the former, of the result's variance. Patches of colour
    that do not follow the edges cost nothing.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1], with sides of 8 pixels or
            more. Rows and columns beyond the last whole square are left out.
        content: of the same shape.

    Returns:
        The explained variance, averaged over channels and pictures: a float32 scalar.

    Raises:
        NstjaxError: for pictures of integers.
    """
    check_floating(image=image, content=content)
    chex.assert_equal_shape([image, content])
    return _explained_by_edges(image, *lax.stop_gradient(_halo_regressors(content)))


def _explained_by_edges(image: Array, weight: Array, edges: Array) -> Array:
    colors = _means(image, _HALO_SQUARE)
    colors = weight * colors.reshape(len(colors), -1, 3)
    products = jnp.einsum("bne,bnc->bec", edges, colors)
    gram = jnp.einsum("bne,bnf->bef", edges, edges) + _HALO_FLOOR * jnp.eye(3)
    explained = jnp.sum(products * jnp.linalg.solve(gram, products), axis=(1, 2))
    return (explained / (3 * jnp.square(weight).sum(axis=(1, 2)))).mean()


@jax.vmap
def _halo_regressors(content: Array) -> tuple[Array, Array]:
    """Of contents [B, H, W, 3]: squares' weights [B, N, 1], and how near edges are.

    The latter, [B, N, 3], are weighted, and orthogonal to the weighted colours.
    """
    fine = _means(content[None], _HALO_SQUARE // 2)
    down, right = (
        jnp.square(jnp.diff(fine, axis=axis)).mean(axis=3, keepdims=True)
        for axis in (1, 2)
    )
    steps = jnp.pad(down, ((0, 0), (0, 1), (0, 0), (0, 0)))
    steps += jnp.pad(right, ((0, 0), (0, 0), (0, 1), (0, 0)))
    steps = _means(steps, 2)[0]
    weight = (_HALO_STEP / (_HALO_STEP + steps)).reshape(-1, 1)
    strength = jnp.sqrt(steps[..., 0])
    near = [_box_mean(strength, window).reshape(-1) for window in _HALO_WINDOWS]
    edges = weight * jnp.stack(near, axis=1)
    first = _means(content[None], _HALO_SQUARE)[0].reshape(-1, 3)
    products = first[:, :, None] * first[:, None]
    rows, columns = jnp.triu_indices(3)
    colors = weight * jnp.concatenate(
        [jnp.ones_like(weight), first, products[:, rows, columns]], axis=1
    )
    gram = colors.T @ colors + _HALO_FLOOR * jnp.eye(10)
    return weight, edges - colors @ jnp.linalg.solve(gram, colors.T @ edges)


def _means(image: Array, side: int) -> Array:
    """Means over squares, [B, H // side, W // side, C], float32."""
    rows, columns = (n // side * side for n in image.shape[1:3])
    return mean_over_blocks(image[:, :rows, :columns].astype(jnp.float32), side)


def _box_mean(x: Array, side: int) -> Array:
    """Means over windows of an odd side, [H, W]; the border's values are repeated."""
    x = jnp.pad(x, side // 2, mode="edge")
    for axis in (0, 1):
        count = x.shape[axis] - side + 1
        shifted = [lax.slice_in_dim(x, k, k + count, axis=axis) for k in range(side)]
        x = jnp.stack(shifted).mean(axis=0)
    return x


# Pixels between two positions of relu4_1, the coarsest grid of a decoder, and the side
# of the squares in which its repetitions are measured.
CHECKERBOARD_PERIOD = 8
CHECKERBOARD_BLOCK = 32


def checkerboard_loss(image: Array) -> Array:
    """The part of a picture's fine detail that repeats from block to block.

    A decoder computes the pixels of every feature position by the same steps, and tends
    to paint the same small pattern in each block: a grid of dots over flat areas. In
    squares of `CHECKERBOARD_BLOCK` pixels, this compares the detail (the difference
    from a 3x3 mean) of every two different blocks of `CHECKERBOARD_PERIOD` pixels:
    products of pixels at the same place in their blocks, divided by the mean square of
    all detail. This measures what repeats every 8, 4 or 2 pixels; for detail that is
    independent of the grid it is 0 on average.

    Args:
        image: pictures of shape [B, H, W, 3]; rows and columns beyond the last whole
            square are left out.

    Returns:
        The mean over pictures, a float32 scalar from 0 to 1. The gradient treats the
        mean square as constant, so that other noise does not lower the loss.

    Raises:
        NstjaxError: for a picture of integers.
        ValueError: for a picture with a side below `CHECKERBOARD_BLOCK`.
    """
    check_floating(image=image)
    border = ((0, 0), (1, 1), (1, 1), (0, 0))
    detail = _detail(jnp.pad(image, border, mode="reflect"))
    batch, height, width, channels = detail.shape
    block, period = CHECKERBOARD_BLOCK, CHECKERBOARD_PERIOD
    rows, columns = height // block, width // block
    if not rows * columns:
        raise ValueError(f"a picture's sides must be {CHECKERBOARD_BLOCK} or more")
    side = block // period
    squares = detail[:, : rows * block, : columns * block].reshape(
        batch, rows, side, period, columns, side, period, channels
    )
    count = side**2
    total = squares.sum(axis=(2, 5))
    energy = jnp.square(squares).sum(axis=(2, 5))
    # The square of a sum, without the products of a pixel with itself.
    repeated = (jnp.square(total) - energy) / (count * (count - 1))
    repeated, energy = (
        x.mean(axis=tuple(range(1, x.ndim))) for x in (repeated, energy / count)
    )
    fraction = repeated / (lax.stop_gradient(energy) + _LEAST_ENERGY)
    return jnp.maximum(fraction, 0).mean()


# Detail below an eighth of an 8-bit step is invisible.
_LEAST_ENERGY = (1 / 8 / 255) ** 2


def _detail(image: Array) -> Array:
    """The difference from a 3x3 mean, [B, H - 2, W - 2, C], float32."""
    image = image.astype(jnp.float32)
    return image[:, 1:-1, 1:-1] - _mean3(image)


def _mean3(image: Array) -> Array:
    rows = image[:, :-2] + image[:, 1:-1] + image[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


@dataclasses.dataclass(frozen=True)
class FlatNoise(Loss):
    """`flat_noise_loss`."""

    def target(self, content: Picture, style: Picture) -> tuple[Array, Array]:
        return content.image, style.image

    def loss(self, result: Picture, target: Any) -> Array:
        return flat_noise_loss(result.image, *target)


@dataclasses.dataclass(frozen=True)
class PlainNoise(Loss):
    """`flat_noise_loss` that allows no noise, which keeps plain areas plain."""

    uses_style: ClassVar[bool] = False

    def target(self, content: Picture, style: Picture) -> Array:
        return content.image

    def loss(self, result: Picture, target: Any) -> Array:
        return flat_noise_loss(result.image, target, None)


@dataclasses.dataclass(frozen=True)
class Halo(Loss):
    """`halo_loss`."""

    uses_style: ClassVar[bool] = False

    def target(self, content: Picture, style: Picture) -> tuple[Array, Array]:
        return _halo_regressors(content.image)

    def loss(self, result: Picture, target: Any) -> Array:
        return _explained_by_edges(result.image, *target)


@dataclasses.dataclass(frozen=True)
class Checkerboard(Loss):
    """`checkerboard_loss`."""

    uses_style: ClassVar[bool] = False

    def loss(self, result: Picture, target: Any) -> Array:
        return checkerboard_loss(result.image)
