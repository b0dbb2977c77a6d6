"""3x3 convolutions by minimal filtering, in the manner of Winograd.

Blocks of the input and kernels are transformed by sums and differences, so that a
2x2 block of the output takes fewer products of channels than its 36 taps. They are
matrix products, at which XLA's CPU backend is better than at convolutions. Rounding
is about that of the plain form (1e-6 of the largest value).

References:
    Lavin & Gray, 2015, https://arxiv.org/abs/1509.09308.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from nstjax.lazy import chex
from nstjax.types import Array


class _Form(NamedTuple):
    """How an axis is filtered: blocks of two outputs from `len(matrix)` products.

    Attributes:
        matrix: the kernel's transform, [products, 3]; G of the publication.
        step: pixels of the input from a block to the next.
        transform: a block's pixels to what is multiplied; B of the publication.
        sums: the products to the two outputs; A of the publication.
    """

    matrix: np.ndarray
    step: int
    transform: Callable[[Sequence[Array]], tuple[Array, ...]]
    sums: Callable[[Sequence[Array]], tuple[Array, Array]]


# F(2, 3) of the publication.
_PLAIN = _Form(
    np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
    2,
    lambda d: (d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]),
    lambda m: (m[0] + m[1] + m[2], m[1] - m[2] - m[3]),
)
# With neighbours a, b, c in the small picture and taps k0, k1, k2, the two outputs
# on b are k0 a + (k1 + k2) b and (k0 + k1) b + k2 c; that is, with s the sum of the
# taps, k0 (a - b) + s b and s b + k2 (c - b).
_UPSAMPLING = _Form(
    np.array([[1, 0, 0], [1, 1, 1], [0, 0, 1]]),
    1,
    lambda d: (d[0] - d[1], d[1], d[2] - d[1]),
    lambda m: (m[0] + m[1], m[1] + m[2]),
)


def winograd_conv3x3(x: Array, kernel: Array) -> Array:
    """Convolves with a 3x3 kernel without padding; F(2x2, 3x3), 16 products a block.

    Args:
        x: input of shape [B, H + 2, W + 2, C].
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, H, W, D].
    """
    height, width = (side - 2 for side in x.shape[1:3])
    # Blocks are even; an odd side's last row is computed and dropped.
    rows, columns = (-(-side // 2) for side in (height, width))
    spare = [(0, 0), (0, 2 * rows - height), (0, 2 * columns - width), (0, 0)]
    y = _filter(jnp.pad(x, spare), kernel, (rows, columns), _PLAIN)
    return y[:, :height, :width]


def winograd_upsample_conv3x3(x: Array, kernel: Array) -> Array:
    """Doubles by nearest neighbour and convolves with a 3x3 kernel, 9 products a block.

    Args:
        x: input of shape [B, H + 2, W + 2, C]: the small picture and a border.
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, 2H, 2W, D].
    """
    height, width = x.shape[1:3]
    return _filter(x, kernel, (height - 2, width - 2), _UPSAMPLING)


def _filter(x: Array, kernel: Array, blocks: tuple[int, int], form: _Form) -> Array:
    """The output [B, 2 * rows, 2 * columns, D] of (rows, columns) blocks."""
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    batch, _, _, channels = x.shape
    rows, columns = blocks
    count = len(form.matrix)
    matrix = jnp.asarray(form.matrix, kernel.dtype)
    kernels = jnp.einsum(
        "ai,bj,ijcd->abcd", matrix, matrix, kernel, precision="highest"
    )

    def transformed(x: Array, axis: int, length: int) -> tuple[Array, ...]:
        reach = form.step * (length - 1) + 1
        return form.transform(
            [lax.slice_in_dim(x, i, i + reach, form.step, axis) for i in range(count)]
        )

    # All in one array, for fewer and larger loops: they compile in half the time.
    by_row = jnp.stack(transformed(x, 1, rows))
    products = [
        jnp.matmul(
            block.reshape(count, -1, channels), kernels[:, number], precision="highest"
        )
        for number, block in enumerate(transformed(by_row, 3, columns))
    ]
    upper_and_lower = [form.sums(product) for product in products]
    phases = [form.sums(phase) for phase in zip(*upper_and_lower, strict=True)]
    # [2 (row of the block), B * rows * columns, 2 (column), D]
    y = jnp.stack([jnp.stack(phase, axis=1) for phase in phases])
    y = y.reshape(2, batch, rows, 2 * columns, -1)
    return jnp.moveaxis(y, 0, 2).reshape(batch, 2 * rows, 2 * columns, -1)
