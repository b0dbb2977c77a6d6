"""3x3 convolutions by Winograd's minimal filtering.

Blocks of the input and the kernel are transformed by sums and differences, so that a
block of the output needs fewer products: 16 for 2x2 pixels instead of 36, or 36 for 4x4
instead of 144. They are matrix products, which XLA's CPU backend handles better than
convolutions. Errors are 7e-7 and 3e-6 of the largest value, those of the plain form
4e-7.

References:
    Lavin & Gray, 2015, https://arxiv.org/abs/1509.09308.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from nstjax.lazy import chex
from nstjax.types import Array


class _Form(NamedTuple):
    """The filtering of one axis, by the three matrices of the publication.

    Attributes:
        kernel: G, [products, 3], from the taps to the factors.
        inputs: B transposed, [products, pixels], from a block's pixels to the factors.
        outputs: A transposed, [outputs, products], from the products to the outputs.
        step: pixels of the input from one block to the next.
    """

    kernel: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    step: int


def _four_outputs() -> _Form:
    """F(4, 3): four outputs from six products.

    The publication evaluates polynomials at 0, a, -a, b, -b and infinity, with 1 and 2
    for a and b; with the square roots of 1/2 and 2, errors are a quarter as large.
    """
    a, b = np.sqrt([0.5, 2.0])
    kernel = [
        [1, 0, 0],
        *([-2 / 3, -2 / 3 * p, -1 / 3] for p in (a, -a)),
        *([1 / 6, p / 6, 1 / 3] for p in (b, -b)),
        [0, 0, 1],
    ]
    inputs = [
        [1, 0, -2.5, 0, 1, 0],
        *([0, -2 * p, -2, p, 1, 0] for p in (a, -a)),
        *([0, -p / 2, -0.5, p, 1, 0] for p in (b, -b)),
        [0, 1, 0, -2.5, 0, 1],
    ]
    outputs = [[p**i for p in (0, a, -a, b, -b)] + [i == 3] for i in range(4)]
    return _Form(
        np.array(kernel, float), np.array(inputs, float), np.array(outputs, float), 4
    )


_PLAIN = {
    # The publication's F(2, 3).
    2: _Form(
        kernel=np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
        inputs=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
        outputs=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
        step=2,
    ),
    4: _four_outputs(),
}
# With neighbours a, b, c in the small picture and taps k0, k1, k2, the two outputs
# on b are k0 a + (k1 + k2) b and (k0 + k1) b + k2 c; that is, with s the sum of the
# taps, k0 (a - b) + s b and s b + k2 (c - b).
_UPSAMPLING = _Form(
    kernel=np.array([[1, 0, 0], [1, 1, 1], [0, 0, 1]]),
    inputs=np.array([[1, -1, 0], [0, 1, 0], [0, -1, 1]]),
    outputs=np.array([[1, 1, 0], [0, 1, 1]]),
    step=1,
)


def winograd_conv3x3(x: Array, kernel: Array, *, block: int) -> Array:
    """Convolves with a 3x3 kernel without padding; F(2x2, 3x3) or F(4x4, 3x3).

    Args:
        x: input of shape [B, H + 2, W + 2, C].
        kernel: weights of shape [3, 3, C, D].
        block: the side of the blocks, 2 or 4. Blocks of 4 take 0.56 times the products
            and 0.7 times the memory, but the kernel has 36 products instead of 16.

    Returns:
        Output of shape [B, H, W, D].
    """
    height, width = (side - 2 for side in x.shape[1:3])
    # A last block that extends over the border is computed and cropped.
    rows, columns = (-(-side // block) for side in (height, width))
    spare = [(0, 0), (0, block * rows - height), (0, block * columns - width), (0, 0)]
    y = _filter(jnp.pad(x, spare), kernel, (rows, columns), _PLAIN[block])
    return y[:, :height, :width]


def winograd_upsample_conv3x3(x: Array, kernel: Array) -> Array:
    """Nearest x2 upsampling and a 3x3 convolution, with 9 products per block.

    Args:
        x: input of shape [B, H + 2, W + 2, C]: the small picture with a border.
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, 2H, 2W, D].
    """
    height, width = x.shape[1:3]
    return _filter(x, kernel, (height - 2, width - 2), _UPSAMPLING)


def _filter(x: Array, kernel: Array, blocks: tuple[int, int], form: _Form) -> Array:
    """The outputs of (rows, columns) blocks: [B, rows * o, columns * o, D]."""
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    batch, _, _, channels = x.shape
    rows, columns = blocks
    products, pixels = form.inputs.shape
    kernel_rows = jnp.stack(_combine(form.kernel, list(kernel)))
    kernels = _combine(form.kernel, list(jnp.moveaxis(kernel_rows, 1, 0)))

    def transformed(x: Array, axis: int, length: int) -> list[Array]:
        reach = form.step * (length - 1) + 1
        views = [
            lax.slice_in_dim(x, i, i + reach, form.step, axis) for i in range(pixels)
        ]
        return _combine(form.inputs, views)

    # The products of all rows are in one array, for fewer and larger loops, which
    # compile in half the time. The barrier keeps them from being recomputed for each
    # column's products.
    by_row = lax.optimization_barrier(jnp.stack(transformed(x, 1, rows)))
    multiplied = [
        jnp.matmul(block.reshape(products, -1, channels), weights, precision="highest")
        for block, weights in zip(transformed(by_row, 3, columns), kernels, strict=True)
    ]
    # [row of the block, column's product], and then [row, column] of the block.
    summed = [_combine(form.outputs, product) for product in multiplied]
    outputs = [_combine(form.outputs, row) for row in zip(*summed, strict=True)]
    # Stacked in their final order, so that nothing is moved afterwards.
    y = jnp.stack(
        [
            jnp.stack([y.reshape(batch, rows, columns, -1) for y in row], axis=3)
            for row in outputs
        ],
        axis=2,
    )
    size = len(form.outputs)
    return y.reshape(batch, size * rows, size * columns, -1)


def _combine(matrix: np.ndarray, parts: Iterable[Array]) -> list[Array]:
    """Sums of the parts, weighted by each row of a matrix, none of which is zero."""
    combined = []
    for row in matrix.tolist():
        terms = [
            part if weight == 1 else -part if weight == -1 else weight * part
            for weight, part in zip(row, parts, strict=True)
            if weight
        ]
        combined.append(sum(terms[1:], start=terms[0]))
    return combined
