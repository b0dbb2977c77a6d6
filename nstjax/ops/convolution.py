"""Convolutions in forms that XLA compiles well on a CPU.

Arrays are NHWC, kernels HWIO. Each function equals its plain textbook form (tests check
this), and uses that form if `nstjax.ops.cpu.forms` says so. The other forms exist only
for speed, and each says which slow path it avoids.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.blocks import space_to_depth
from nstjax.ops.cpu import forms
from nstjax.ops.cpu.padding import is_inside, pad_border
from nstjax.ops.cpu.processor import instructions
from nstjax.ops.cpu.rgb_conv import RGB_CHANNELS, conv3x3_from_rgb, conv3x3_to_rgb
from nstjax.ops.cpu.winograd import winograd_conv3x3, winograd_upsample_conv3x3
from nstjax.ops.cpu.xla import has_plain_convolutions
from nstjax.types import Array

Padding = tuple[tuple[int, int], tuple[int, int]]
Convolve = Callable[[Array, Array, Padding], Array]

_SAME: Padding = ((1, 1), (1, 1))
_VALID: Padding = ((0, 0), (0, 0))
# The fewest channels for which Winograd's form is faster; with fewer, its transforms
# cost more than its products save. It also takes a second longer to compile, so a
# convolution of fewer operations than these does not use it. With AVX-512, only larger
# convolutions gain, and for fewer pixels than these the kernel's transform costs too
# much. Larger blocks need more pixels, since their transform has twice the size.
WINOGRAD_CHANNELS = 128
_WINOGRAD_OPERATIONS, _WINOGRAD_PIXELS = (
    (4e9, 4096) if "avx512f" in instructions().split() else (2e9, 0)
)
_LARGE_BLOCK_PIXELS = 32768
# For each tap of an even and of an odd output pixel, which of three source pixels it
# falls on.
_TAPS = np.array(
    [[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], np.float32
)
# Upsampling in the same way compiles as fast as without it.
UPSAMPLING_CHANNELS = 64


def _plain(x: Array, kernel: Array, padding: Padding) -> Array:
    if padding != _VALID or has_plain_convolutions():
        return _textbook(x, kernel, padding)
    # YNNPACK runs a 3x3 convolution whose padding is all zero several times slower than
    # one that pads any side, so one extra row and column are padded and cropped again.
    return _textbook(x, kernel, ((0, 1), (0, 1)))[:, :-1, :-1]


def _textbook(x: Array, kernel: Array, padding: Padding, stride: int = 1) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _fastest(x: Array, kernel: Array, padding: Padding) -> Array:
    form = _form_without_padding(x, kernel)
    if form is None:
        return _plain(x, kernel, padding)

    def product(x: Array, kernel: Array) -> Array:
        return form(jnp.pad(x, ((0, 0), *padding, (0, 0))), kernel)

    # On accelerators, the libraries choose among such forms themselves.
    return lax.platform_dependent(
        x, kernel, cpu=product, default=partial(_plain, padding=padding)
    )


def _form_without_padding(
    x: Array, kernel: Array
) -> Callable[[Array, Array], Array] | None:
    """A form based on matrix products that is faster on a CPU, or None."""
    if kernel.shape[:2] != (3, 3) or not _is_full(x):
        return None
    before, width = kernel.shape[2:]
    if before <= RGB_CHANNELS:
        return conv3x3_from_rgb
    if width <= RGB_CHANNELS:
        return conv3x3_to_rgb
    pixels = x.size // x.shape[-1]
    if not _suits_winograd(kernel, pixels):
        return None
    return partial(winograd_conv3x3, block=4 if pixels >= _LARGE_BLOCK_PIXELS else 2)


def _suits_winograd(kernel: Array, pixels: int) -> bool:
    return (
        min(kernel.shape[2:]) >= WINOGRAD_CHANNELS
        and 2.0 * kernel.size * pixels >= _WINOGRAD_OPERATIONS
        and pixels >= _WINOGRAD_PIXELS
    )


def _is_full(x: Array) -> bool:
    """Whether the dtype is precise enough for sums and differences of its values."""
    return x.dtype in (jnp.float32, jnp.float64)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, padding: Padding) -> Array:
    return _fastest(x, kernel, padding)


def _convolve_forward(x, kernel, padding):
    return _fastest(x, kernel, padding), (x, kernel)


def _convolve_backward(padding, residual, cotangent):
    x, kernel = residual
    # The gradient for the input is an ordinary convolution with the flipped kernel.
    # Autodiff writes it the same way, but inside a scan or a while loop the flip is
    # folded into the convolution, which then misses the fast path (3.6 to 4.4 times
    # slower); the barrier prevents that.
    turned = lax.optimization_barrier(jnp.swapaxes(kernel[::-1, ::-1], 2, 3))
    height, width = kernel.shape[:2]
    (top, bottom), (left, right) = padding
    turned_padding = (
        (height - 1 - top, height - 1 - bottom),
        (width - 1 - left, width - 1 - right),
    )
    x_gradient = _fastest(cotangent, turned, turned_padding)
    kernel_gradient = jax.vjp(lambda k: _plain(x, k, padding), kernel)[1](cotangent)[0]
    return x_gradient, kernel_gradient


_convolve.defvjp(_convolve_forward, _convolve_backward)


def _convolution(x: Array, kernel: Array, padding: Padding) -> Array:
    form = _textbook if forms.are_plain() else _convolve
    return form(x, kernel, padding)


def conv3x3(
    x: Array, kernel: Array, *, padding: str, size: Array | None = None
) -> Array:
    """Convolves with a 3x3 kernel and keeps the picture's size.

    Args:
        x: input of shape [B, H, W, C]. With padding "reflect", H and W must
            be 2 or more.
        kernel: weights of shape [3, 3, C, D].
        padding: "zero" or "reflect" (the border pixel is not repeated, as in
            torch's ``ReflectionPad2d``).
        size: [B, 2] int32, the (height, width) of pictures that fill only the upper
            left part of `x`, and of the output; by default they fill it.

    Returns:
        Output of shape [B, H, W, D].

    Raises:
        ValueError: if `padding` is neither.
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    if padding == "zero":
        if size is not None:
            x = jnp.where(is_inside(x.shape[1:3], size), x, 0)
        return _convolution(x, kernel, _SAME)
    if padding == "reflect":
        return conv3x3_valid(pad_border(x, mode="reflect", size=size), kernel)
    raise ValueError(f"padding must be 'zero' or 'reflect', not {padding!r}")


def conv3x3_valid(x: Array, kernel: Array) -> Array:
    """Convolves with a 3x3 kernel without padding.

    Args:
        x: input of shape [B, H + 2, W + 2, C].
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, H, W, D].
    """
    chex.assert_rank([x, kernel], 4)
    return _convolution(x, kernel, _VALID)


def upsample_reflect_conv3x3(
    x: Array, kernel: Array, *, size: Array | None = None
) -> Array:
    """Nearest x2 upsampling, reflect padding and a 3x3 convolution in one step.

    Reflecting the upsampled border is the same as repeating the small picture's edge.

    Args:
        x: input of shape [B, H, W, C].
        kernel: weights of shape [3, 3, C, D].
        size: [B, 2] int32, the (height, width) of pictures that fill only the upper
            left part of `x`, and twice that of the output; by default they fill it.

    Returns:
        Output of shape [B, 2H, 2W, D].
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    if forms.are_plain():
        larger = x.repeat(2, axis=1).repeat(2, axis=2)
        double = None if size is None else 2 * size
        padded = pad_border(larger, mode="reflect", size=double)
        return _textbook(padded, kernel, _VALID)
    return _upsample(pad_border(x, mode="edge", size=size), kernel)


@jax.custom_vjp
def _upsample(padded: Array, kernel: Array) -> Array:
    return _upsample_fastest(padded, kernel)


def _upsample_fastest(padded: Array, kernel: Array) -> Array:
    by_rows = partial(_upsample_by_rows, convolve=_fastest)
    suits = min(kernel.shape[2:]) >= UPSAMPLING_CHANNELS and _is_full(padded)
    if not suits:
        return by_rows(padded, kernel)
    return lax.platform_dependent(
        padded, kernel, cpu=winograd_upsample_conv3x3, default=by_rows
    )


def _upsample_forward(padded, kernel):
    return _upsample_fastest(padded, kernel), (padded, kernel)


def _upsample_backward(residual, cotangent):
    return jax.vjp(_upsample_by_rows, *residual)[1](cotangent)


_upsample.defvjp(_upsample_forward, _upsample_backward)


def _upsample_by_rows(
    padded: Array, kernel: Array, convolve: Convolve = _convolve
) -> Array:
    """The same, with plain convolutions.

    After nearest upsampling, the nine taps of the kernel fall on only four distinct
    source pixels. Even and odd rows of the output are each a 2 x 3 convolution of the
    small picture with sums of taps, which gives the channels of two columns: 2/3 of the
    multiplications. A 2 x 2 kernel for each of the four phases needs only 4/9, but
    takes longer to compile and, with few channels, to run.
    """
    batch, height, width, _ = padded.shape
    height, width = height - 2, width - 2
    outputs = []
    for row in range(2):
        taps = jnp.einsum(
            "at,qbu,tucd->abcqd", _TAPS[row, row : row + 2], _TAPS, kernel
        ).reshape(2, 3, kernel.shape[2], -1)
        shifted = padded[:, row : row + height + 1]
        outputs.append(convolve(shifted, taps.astype(kernel.dtype), _VALID))
    stacked = jnp.stack(outputs, axis=2)  # [B, H, 2, W, 2 * D]
    return stacked.reshape(batch, 2 * height, 2 * width, kernel.shape[-1])


@jax.custom_vjp
def _convolve_stride2(x: Array, kernel: Array) -> Array:
    return _stride2(x, kernel)


def _stride2(x: Array, kernel: Array) -> Array:
    return _textbook(x, kernel, _SAME, stride=2)


def _convolve_stride2_forward(x, kernel):
    return _stride2(x, kernel), (x, kernel)


def _convolve_stride2_backward(residual, cotangent):
    x, kernel = residual
    turned = lax.optimization_barrier(jnp.swapaxes(kernel[::-1, ::-1], 2, 3))
    # The last row of an even side belongs to one window only, that of an odd side also
    # to one that extends over the border.
    padding = [(1, 2 - side % 2) for side in x.shape[1:3]]
    x_gradient = lax.conv_general_dilated(
        cotangent,
        turned,
        window_strides=(1, 1),
        padding=padding,
        lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    kernel_gradient = jax.vjp(lambda k: _stride2(x, k), kernel)[1](cotangent)[0]
    return x_gradient, kernel_gradient


_convolve_stride2.defvjp(_convolve_stride2_forward, _convolve_stride2_backward)


def conv3x3_stride2(x: Array, kernel: Array) -> Array:
    """Convolves with stride 2, with zero padding on all four sides.

    This is torch's padding of 1. For even sides, ``SAME`` would pad only at the right
    and the bottom, which shifts the result by half a position.

    Args:
        x: input of shape [B, H, W, C].
        kernel: weights of shape [3, 3, C, D].

    Returns:
        Output of shape [B, H / 2, W / 2, D], halves rounded up.
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (3, 3, x.shape[-1], None))
    return _stride2(x, kernel) if forms.are_plain() else _convolve_stride2(x, kernel)


def conv7x7_stride2(x: Array, kernel: Array) -> Array:
    """A ResNet's first convolution: 7x7, stride 2, three zeros on every side.

    Every 2x2 block of pixels becomes one position with four times the channels, where
    the kernel is 4x4 with stride 1. With few channels that is 2 times faster for a
    batch's output and 2 to 7 times for the input's gradient.

    Args:
        x: input of shape [B, H, W, C], H and W even.
        kernel: weights of shape [7, 7, C, D].

    Returns:
        Output of shape [B, H / 2, W / 2, D].
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(kernel, (7, 7, x.shape[-1], None))
    _, height, width, channels = x.shape
    if height % 2 or width % 2:
        raise ValueError(f"the sides must be even, not {height} and {width}")
    if forms.are_plain():
        return _textbook(x, kernel, ((3, 3), (3, 3)), stride=2)
    # Tap i lies on row 2 * o + i - 3; with an eighth tap in front, the kernel starts at
    # a block.
    blocks = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
    blocks = blocks.reshape(4, 2, 4, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5)
    blocks = blocks.reshape(4, 4, 4 * channels, -1)
    return _convolve(space_to_depth(x), blocks, ((2, 1), (2, 1)))
