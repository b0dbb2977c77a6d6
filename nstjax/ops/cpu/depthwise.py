"""Depthwise convolutions in forms that XLA compiles well on a CPU.

XLA's own grouped convolution is tens of times slower there.
"""

import operator
from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from nstjax.lazy import chex
from nstjax.ops.cpu import forms
from nstjax.ops.cpu.sums import sum_over_positions
from nstjax.types import Array

# The most rows whose products the kernel's gradient sums in one pass. With two it takes
# six times longer; more do not make it faster.
_ROWS_AT_ONCE = 16


def depthwise_conv(x: Array, kernel: Array, *, stride: int = 1) -> Array:
    """Convolves every channel with its own kernel, with zero padding.

    Computed as a sum of shifted, scaled copies, which fuse into one pass.

    Args:
        x: input of shape [B, H, W, C].
        kernel: weights of shape [K, K, C], K odd.
        stride: 1, or 2 for every second row and column, beginning with the first.

    Returns:
        Output of shape [B, H / stride, W / stride, C], halves rounded up.
    """
    chex.assert_rank([x, kernel], [4, 3])
    chex.assert_shape(kernel, (kernel.shape[0], kernel.shape[0], x.shape[-1]))
    if forms.are_plain():
        return _grouped(x, kernel, stride)
    return _convolve(x, kernel, stride)


def _grouped(x: Array, kernel: Array, stride: int) -> Array:
    margin = (kernel.shape[0] // 2,) * 2
    return lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        window_strides=(stride, stride),
        padding=(margin, margin),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, stride: int) -> Array:
    return _plain(x, kernel, stride)


def _plain(x: Array, kernel: Array, stride: int) -> Array:
    height, width = x.shape[1:3]
    taps, margin = range(kernel.shape[0]), (kernel.shape[0] // 2,) * 2
    padded = jnp.pad(x, ((0, 0), margin, margin, (0, 0)))
    parts = (
        padded[:, i : i + height : stride, j : j + width : stride] * kernel[i, j]
        for i in taps
        for j in taps
    )
    return reduce(operator.add, parts)


def _alone(x: Array, kernel: Array) -> Array:
    """The same with stride 1, for a separate program or the body of a loop.

    Copies are scaled before they are shifted, so they are not read through the
    padding's conditions, which takes a third to half of the time; but next to other
    layers, XLA would store each of the copies.
    """
    taps, middle = range(kernel.shape[0]), kernel.shape[0] // 2
    parts = (
        _shifted(x * kernel[i, j], i - middle, j - middle) for i in taps for j in taps
    )
    return reduce(operator.add, parts)


def _shifted(x: Array, rows: int, columns: int) -> Array:
    """Shifts a map up and to the left, filling with zeros."""
    edges = [(0, 0, 0), (-rows, rows, 0), (-columns, columns, 0), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), edges)


def _one_by_one(form: Callable[..., Array], *batches: Array) -> Array:
    """Maps over pictures in a loop, whose body is compiled separately.

    The results of a loop are stored. Outside a loop, XLA would recompute the sum of
    copies for each of its users, of which there are several in training.
    """
    return lax.map(lambda ones: form(*(one[None] for one in ones))[0], batches)


def _convolve_forward(x, kernel, stride):
    # For a kernel that is not trained, thousands of operations are not even traced.
    trained = () if kernel.perturbed else None
    x, kernel = x.value, kernel.value
    # XLA does not keep a loop over a single picture.
    if len(x) == 1:
        y = _plain(x, kernel, stride)
    elif stride == 1:
        y = _one_by_one(partial(_alone, kernel=kernel), x)
    else:
        y = _one_by_one(lambda one: _plain(one, kernel, stride), x)
    return y, (x, kernel, trained)


def _convolve_backward(stride, residual, cotangent):
    x, kernel, trained = residual
    if isinstance(cotangent, SymbolicZero):
        return jnp.zeros_like(x), jnp.zeros_like(kernel)

    def vjp(x: Array, cotangent: Array) -> Array:
        return jax.vjp(lambda x: _plain(x, kernel, stride), x)[1](cotangent)[0]

    turned = kernel[::-1, ::-1]
    if len(x) == 1 and stride == 1:
        x_gradient = _plain(cotangent, turned, 1)
    elif len(x) == 1:
        x_gradient = vjp(x, cotangent)
    elif stride == 1:
        x_gradient = _one_by_one(partial(_alone, kernel=turned), cotangent)
    else:
        x_gradient = _one_by_one(vjp, x, cotangent)

    if trained is None:
        return x_gradient, jnp.zeros_like(kernel)

    def of_kernel(x: Array, cotangent: Array) -> Array:
        return _kernel_gradient(x, cotangent, kernel.shape[0], stride)[None]

    kernel_gradient = _one_by_one(of_kernel, x, cotangent).sum(0)
    return x_gradient, kernel_gradient.astype(kernel.dtype)


_convolve.defvjp(_convolve_forward, _convolve_backward, symbolic_zeros=True)


def _kernel_gradient(x: Array, cotangent: Array, size: int, stride: int) -> Array:
    """For each tap, the sum over positions of its input times the cotangent.

    Autodiff would sum each tap's products over all positions. Adding the products of a
    few rows first, and summing only the results, takes a tenth of the time.
    """
    batch, height, width, channels = cotangent.shape
    reach = (size - 1) // stride
    edges = [
        (size // 2, (out + reach) * stride - side - size // 2)
        for side, out in zip(x.shape[1:3], (height, width), strict=True)
    ]
    padded = jnp.pad(x, ((0, 0), *edges, (0, 0)))
    # Tap i of output o is on row stride * o + i of the padded picture.
    blocked = padded.reshape(
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
            window = blocked[:, up : up + height, row, left : left + width, column]
            products = window.reshape(groups) * outputs
            partial_sums.append(sum(products[:, :, k] for k in range(rows)))
    stacked = lax.optimization_barrier(jnp.stack(partial_sums))
    sums = sum_over_positions(stacked.reshape(-1, height // rows, width, channels))
    return sums.reshape(size, size, batch, channels).sum(2)
