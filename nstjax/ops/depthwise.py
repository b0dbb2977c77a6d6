"""Convolutions of each channel by itself, in forms that XLA compiles well on a CPU.

XLA's own grouped convolution is tens of times slower there.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.sums import sum_over_positions
from nstjax.types import Array

# Rows whose products are summed in one pass by the kernel's gradient, at most. With
# two it takes six times longer, with more than these no less.
_ROWS_AT_ONCE = 16


def depthwise_conv(x: Array, kernel: Array, *, stride: int = 1) -> Array:
    """Convolves every channel with a kernel of its own, with zeros around.

    A sum of shifted, scaled copies, which fuse into one pass.

    Args:
        x: input of shape [B, H, W, C].
        kernel: weights of shape [K, K, C], K odd.
        stride: 1, or 2 for every second row and column, beginning with the first.

    Returns:
        Output of shape [B, H / stride, W / stride, C], halves rounded up.
    """
    chex.assert_rank([x, kernel], [4, 3])
    chex.assert_shape(kernel, (kernel.shape[0], kernel.shape[0], x.shape[-1]))
    return _convolve(x, kernel, stride)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, stride: int) -> Array:
    return _whole(x, kernel) if stride == 1 else _strided(x, kernel, stride)


def _whole(x: Array, kernel: Array) -> Array:
    # Scaled before they are shifted: read through the padding's conditions, copies
    # take two to three times as long.
    taps, middle = range(kernel.shape[0]), kernel.shape[0] // 2
    return sum(
        _shifted(x * kernel[i, j], i - middle, j - middle) for i in taps for j in taps
    )


def _shifted(x: Array, rows: int, columns: int) -> Array:
    """Moves a map up and to the left; zeros come in."""
    edges = [(0, 0, 0), (-rows, rows, 0), (-columns, columns, 0), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), edges)


def _strided(x: Array, kernel: Array, stride: int) -> Array:
    height, width = x.shape[1:3]
    taps, margin = range(kernel.shape[0]), (kernel.shape[0] // 2,) * 2
    padded = jnp.pad(x, ((0, 0), margin, margin, (0, 0)))
    return sum(
        padded[:, i : i + height : stride, j : j + width : stride] * kernel[i, j]
        for i in taps
        for j in taps
    )


def _convolve_forward(x, kernel, stride):
    # What a loop gives is kept. Outside of one XLA would add up the copies anew for
    # each that reads them, of whom there are several in training.
    y = lax.map(lambda one: _convolve(one[None], kernel, stride)[0], x)
    return y, (x, kernel)


def _convolve_backward(stride, residual, cotangent):
    x, kernel = residual

    def one(pair):
        x, cotangent = pair[0][None], pair[1][None]
        if stride == 1:
            x_gradient = _whole(cotangent, kernel[::-1, ::-1])
        else:
            _, pull = jax.vjp(lambda x: _strided(x, kernel, stride), x)
            (x_gradient,) = pull(cotangent)
        kernel_gradient = _kernel_gradient(x, cotangent, kernel.shape[0], stride)
        return x_gradient[0], kernel_gradient

    x_gradient, kernel_gradient = lax.map(one, (x, cotangent))
    return x_gradient, kernel_gradient.sum(0).astype(kernel.dtype)


_convolve.defvjp(_convolve_forward, _convolve_backward)


def _kernel_gradient(x: Array, cotangent: Array, size: int, stride: int) -> Array:
    """For each tap, the sum over positions of what it saw times what came of it.

    Autodiff would write a sum over positions of each tap's products. As additions of
    a few rows' products, with the sum only over what these leave, it takes a tenth of
    the time.
    """
    batch, height, width, channels = cotangent.shape
    reach = (size - 1) // stride
    edges = [
        (size // 2, (out + reach) * stride - side - size // 2)
        for side, out in zip(x.shape[1:3], (height, width), strict=True)
    ]
    padded = jnp.pad(x, ((0, 0), *edges, (0, 0)))
    # Tap i of output o is on row stride * o + i of the padded picture.
    cells = padded.reshape(
        batch, height + reach, stride, width + reach, stride, channels
    )
    rows = max(n for n in range(1, _ROWS_AT_ONCE + 1) if height % n == 0)
    groups = (batch, height // rows, rows, width, channels)
    outputs = cotangent.reshape(groups)
    partial_sums = []
    for i in range(size):
        (up, row) = divmod(i, stride)
        for j in range(size):
            (left, column) = divmod(j, stride)
            seen = cells[:, up : up + height, row, left : left + width, column]
            products = seen.reshape(groups) * outputs
            partial_sums.append(sum(products[:, :, k] for k in range(rows)))
    stacked = lax.optimization_barrier(jnp.stack(partial_sums))
    sums = sum_over_positions(stacked.reshape(-1, height // rows, width, channels))
    return sums.reshape(size, size, batch, channels).sum(2)
