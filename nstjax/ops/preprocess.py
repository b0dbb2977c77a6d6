"""Input maps: from RGB in [0, 1] to the pixels that a network was trained on.

Only this module deals with means, deviations, a scale of 255 or the order BGR. Every
map is affine, ``image @ matrix + bias`` on the channels, so optimisers can work in a
network's own pixels and convert back exactly.
"""

import jax.numpy as jnp
import numpy as np

from nstjax.types import AnyArray, Array, Params

# torchvision's models: RGB, ImageNet's mean and standard deviation.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Caffe's VGG (Gatys et al., PytorchNeuralStyleTransfer): BGR, 255 times the difference
# from this mean, here in the order BGR.
CAFFE_MEAN_BGR = (0.40760392, 0.45795686, 0.48501961)
# monodepth2's ResNet encoder: (x - 0.45) / 0.225 on every channel.
MONODEPTH_MEAN, MONODEPTH_STD = 0.45, 0.225

# "unit" is the identity; "learned" is the 1x1 convolution "conv0" that is stored with
# the weights.
INPUT_MAPS = ("imagenet", "caffe", "unit", "learned")


def input_map(name: str, params: Params | None = None) -> tuple[AnyArray, AnyArray]:
    """Returns a map's matrix [3, 3] and bias [3], for ``image @ matrix + bias``.

    Args:
        name: one of `INPUT_MAPS`.
        params: the network's weights; needed for "learned" only, where the kernel of
            ``conv0`` has the shape [1, 1, 3, 3].

    Raises:
        ValueError: for an unknown name, or "learned" without params.
    """
    if name == "imagenet":
        std = np.asarray(IMAGENET_STD)
        matrix, bias = np.diag(1 / std), -np.asarray(IMAGENET_MEAN) / std
    elif name == "caffe":
        matrix = 255.0 * np.eye(3)[::-1]
        bias = -255.0 * np.asarray(CAFFE_MEAN_BGR)
    elif name == "unit":
        matrix, bias = np.eye(3), np.zeros(3)
    elif name == "learned":
        if params is None:
            raise ValueError("the input map 'learned' needs the network's weights")
        learned = params["conv0"]
        return jnp.asarray(learned["kernel"])[0, 0], jnp.asarray(learned["bias"])
    else:
        raise ValueError(f"the input map must be one of {INPUT_MAPS}, not {name!r}")
    # NumPy, so that `from_network` can invert it while tracing.
    return matrix.astype(np.float32), bias.astype(np.float32)


def to_network(image: Array, name: str, params: Params | None = None) -> Array:
    """Maps [0, 1] RGB pictures [..., 3] to the network's own pixels."""
    matrix, bias = input_map(name, params)
    return _apply(image, matrix) + bias.astype(image.dtype)


def from_network(pixels: Array, name: str, params: Params | None = None) -> Array:
    """The inverse of `to_network`: back to [0, 1] RGB, unclipped."""
    matrix, bias = input_map(name, params)
    inverse = (
        jnp.linalg.inv(matrix)
        if name == "learned"
        else jnp.asarray(np.linalg.inv(np.asarray(matrix, np.float64)), jnp.float32)
    )
    return _apply(pixels - bias.astype(pixels.dtype), inverse)


def _apply(image: Array, matrix: AnyArray) -> Array:
    # Highest precision: on accelerators the default would round a value of
    # 255 to eight bits of mantissa.
    return jnp.matmul(image, matrix.astype(image.dtype), precision="highest")
