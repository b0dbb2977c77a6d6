"""Least-squares initialisation of a distilled VGG-19.

Layer by layer, the student's channels are assigned to those teacher channels that
together explain most of the teacher's features, and its convolution is solved for: a
regression of the chosen pre-activations on 3x3 patches of the student's previous layer.
This starts a deep student close to its teacher; then all layers are trained jointly.

References:
    He, Zhang & Sun, 2017, https://arxiv.org/abs/1707.06168 (channel selection
    and layer-wise least-squares reconstruction, there for pruning).
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.models import vgg
from nstjax.ops.pooling import pool2x2
from nstjax.ops.preprocess import to_network
from nstjax.types import AnyArray, Array

# The fraction of the mean squared feature that is added to the diagonal of the normal
# equations.
_RIDGE = 1e-4

# teach(image, convolution): the teacher's pre-activations [B, H, W, C], such as those
# of "conv4_2".
Teach = Callable[[AnyArray, str], Array]


def solve_student(
    student: Any, spec: vgg.VGGSpec, teach: Teach, images: Iterable[np.ndarray]
) -> dict[str, Any]:
    """Solves for every convolution, shallow to deep.

    Args:
        student: random weights; channels beyond the teachers' keep them.
        spec: the spec of `student`.
        teach: computes the teacher's pre-activations; jitted.
        images: batches [B, H, W, 3] in [0, 1] to fit on.

    Returns:
        The student's weights with the solved convolutions.
    """
    images = list(images)
    params = dict(student)
    for name, layer in zip(spec.convolutions, spec.layers, strict=True):
        covariance = add_up(
            activation_covariance(teach(image, name)) for image in images
        )
        chosen = select_channels(np.asarray(covariance), spec.width(layer))
        inner, cross = add_up(
            products(
                _patches_before(params, image, layer=layer, spec=spec),
                teach(image, name)[..., chosen],
            )
            for image in images
        )
        solution = least_squares(inner, cross)
        kernel, bias = (np.array(params[name][key]) for key in ("kernel", "bias"))
        count = solution.shape[1]
        kernel[..., :count] = solution[1:].reshape(*kernel.shape[:3], count)
        bias[:count] = solution[0]
        params[name] = {"kernel": kernel, "bias": bias}
    return params


def solve_maps(
    features: Callable[[Array], dict[str, Array]],
    targets: Callable[[Array], dict[str, Array]],
    images: Iterable[np.ndarray],
) -> dict[str, Any]:
    """Solves for the linear maps from features to targets of the same names.

    Returns:
        ``{name: {"kernel": [C, D], "bias": [D]}}``.
    """

    def both(image):
        mine = features(image)
        return {n: products(mine[n], wanted) for n, wanted in targets(image).items()}

    maps = {}
    for name, (inner, cross) in add_up(map(both, images)).items():
        solution = least_squares(inner, cross).astype(np.float32)
        maps[name] = {"kernel": solution[1:], "bias": solution[0]}
    return maps


def select_channels(covariance: np.ndarray, count: int) -> np.ndarray:
    """Chooses channels that best explain all channels linearly, greedily.

    Args:
        covariance: the channels' covariance, [C, C].
        count: how many to choose; if there are fewer channels, all are chosen.

    Returns:
        Indices, the most explanatory first.
    """
    residual = np.array(covariance, np.float64)
    count = min(count, len(residual))
    floor = 1e-9 * np.trace(residual) / len(residual)
    chosen: list[int] = []
    for _ in range(count):
        variance = np.diag(residual)
        gain = (residual**2).sum(0) / np.maximum(variance, floor)
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        column = residual[:, best]
        # Remove what the chosen channel explains.
        residual = residual - np.outer(column, column) / max(variance[best], floor)
    return np.array(chosen)


def least_squares(inner: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Solves the normal equations of a design whose first column is ones.

    Args:
        inner: design^T design, [1 + K, 1 + K].
        cross: design^T target, [1 + K, C].

    Returns:
        Coefficients [1 + K, C], offsets first.
    """
    size = len(inner)
    # Positive, even if a channel is always zero.
    scale = max(_RIDGE * np.trace(inner[1:, 1:]) / max(size - 1, 1), 1e-12)
    ridge = scale * np.eye(size)
    ridge[0, 0] = 0  # the offset is not regularised
    return np.linalg.solve(inner + ridge, cross)


@partial(jax.jit, static_argnames=("layer", "spec"))
def _patches_before(params: Any, image: Array, *, layer: str, spec: vgg.VGGSpec):
    """3x3 patches [B, H, W, 9C] of the input of a layer's convolution."""
    index = spec.layers.index(layer)
    if index == 0:
        x = to_network(image, spec.input_map, params)
    else:
        previous = spec.layers[index - 1]
        x = vgg.features(params, image, (previous,), spec=spec)[previous]
        if layer[len("relu")] != previous[len("relu")]:
            x = pool2x2(x, kind=spec.pooling, rounding=spec.rounding)
    mode = "reflect" if spec.padding == "reflect" else "constant"
    return patches3x3(x, mode=mode)


def patches3x3(x: Array, *, mode: str) -> Array:
    """3x3 patches [B, H, W, 9C] in the order of a [3, 3, C] kernel.

    Args:
        x: of shape [B, H, W, C].
        mode: the padding mode of `jnp.pad`.
    """
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
    shifts = [
        padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)
    ]
    return jnp.concatenate(shifts, axis=-1)


@jax.jit
def activation_covariance(target: Array) -> Array:
    """The covariance of channels' activations, given pre-activations [B, H, W, C]."""
    value = jax.nn.relu(target)
    value = value - value.mean((0, 1, 2), keepdims=True)
    # Rescaled so that float32 can hold the sums.
    value = value / jnp.sqrt(jnp.sum(value.var((0, 1, 2))) + 1e-12)
    flat = value.reshape(-1, value.shape[-1])
    return jnp.matmul(flat.T, flat, precision="highest") / len(flat)


@jax.jit
def products(design: Array, target: Array) -> tuple[Array, Array]:
    design = jnp.concatenate([jnp.ones((*design.shape[:3], 1)), design], -1)
    design = design.reshape(-1, design.shape[-1])
    target = target.reshape(-1, target.shape[-1])
    product = partial(jnp.matmul, precision="highest")
    return product(design.T, design), product(design.T, target)


def add_up(parts: Iterable[Any]) -> Any:
    """Adds up trees of arrays in float64."""
    total = None
    for part in parts:
        part = jax.tree.map(lambda x: np.asarray(x, np.float64), part)
        total = part if total is None else jax.tree.map(np.add, total, part)
    return total
