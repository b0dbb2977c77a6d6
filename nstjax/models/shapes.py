"""The shapes of weights, computed without building the layers, and random weights."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.types import Array

Shapes = dict[str, dict[str, tuple[int, ...]]]


def chain_shapes(names: Sequence[str], widths: Sequence[int], before: int) -> Shapes:
    """The shapes of the weights of `Conv3x3` layers in a row.

    Computed without building the layers, whose tracing takes a third of a second.

    Args:
        names: the layers' names; those beyond the widths are left out.
        widths: output channels of each layer.
        before: input channels of the first layer.
    """
    inputs = (before, *widths[:-1])
    return {
        name: {"kernel": (3, 3, channels, width), "bias": (width,)}
        for name, channels, width in zip(names, inputs, widths, strict=False)
    }


def he_normal(key: Array, shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Random weights: He initialisation of kernels, zero biases.

    They are slices of one long draw, since XLA compiles a generator for each draw,
    which takes far longer than drawing.

    Args:
        key: a jax.random key.
        shapes: a tree of shapes [..., inputs, outputs]; those of one dimension are
            biases'.

    Returns:
        A tree of float32 arrays. Kernels are normal, truncated at two deviations;
        the deviation is sqrt(2 / (product of all dimensions but the last)).

    References:
        He et al., 2015, https://arxiv.org/abs/1502.01852, equation 10.
    """
    flat, tree = jax.tree.flatten(shapes, is_leaf=lambda node: isinstance(node, tuple))
    return jax.tree.unflatten(tree, _draw(key, tuple(flat)))


# The deviation of a standard normal that is truncated at -2 and 2.
_TRUNCATED = 0.87962566


@partial(jax.jit, static_argnums=1)
def _draw(key: Array, shapes: tuple[tuple[int, ...], ...]) -> list[Array]:
    sizes = [math.prod(shape) if len(shape) > 1 else 0 for shape in shapes]
    drawn = jax.random.truncated_normal(key, -2, 2, (sum(sizes),)) / _TRUNCATED
    leaves, begin = [], 0
    for shape, size in zip(shapes, sizes, strict=True):
        if size:
            deviation = math.sqrt(2 / math.prod(shape[:-1]))
            part = jax.lax.slice(drawn, (begin,), (begin + size,))
            leaves.append(deviation * part.reshape(shape))
            begin += size
        else:
            leaves.append(jnp.zeros(shape))
    return leaves
