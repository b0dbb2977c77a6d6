"""LPIPS: how different two pictures look, measured by a network's features.

The features of VGG-16 or AlexNet at five layers are normalised to unit length over
channels; their squared differences are weighted per channel by weights that were fitted
to human judgements.

References:
    Zhang et al., 2018, https://arxiv.org/abs/1801.03924, equation 1;
    lpips/lpips.py and lpips/pretrained_networks.py of
    richzhang/PerceptualSimilarity (version 0.1).
"""

import dataclasses
import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models import vgg
from nstjax.ops.preprocess import to_network
from nstjax.types import Array, Features, Params

# The reference's map of [-1, 1], (x - shift) / scale, is ImageNet's of [0, 1].
_INPUT_MAP = "imagenet"
_VGG16 = vgg.VGGSpec(vgg.full_widths(vgg.VGG16_BLOCKS), blocks=vgg.VGG16_BLOCKS)
# Channels, kernel's side, stride and zero padding of AlexNet's convolutions (in
# torchvision's form); pooling stands before the second and the third.
_ALEXNET = {
    "conv1": (64, 11, 4, 2),
    "conv2": (192, 5, 1, 2),
    "conv3": (384, 3, 1, 1),
    "conv4": (256, 3, 1, 1),
    "conv5": (256, 3, 1, 1),
}
_POOLED_BEFORE = ("conv2", "conv3")
# The reference adds it to the features' length.
_EPS = 1e-10


@dataclasses.dataclass(frozen=True)
class Trunk:
    """A network whose features LPIPS compares.

    Attributes:
        name: for display.
        convolutions: its convolutions, in order.
        layers: the activations that are compared, and the channels of each.
    """

    name: str
    convolutions: tuple[str, ...]
    layers: Mapping[str, int]


TRUNKS = {
    "vgg16": Trunk(
        "VGG-16",
        _VGG16.convolutions,
        {
            layer: _VGG16.width(layer)
            for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
        },
    ),
    "alexnet": Trunk(
        "AlexNet",
        tuple(_ALEXNET),
        {
            name.replace("conv", "relu"): channels
            for name, (channels, *_) in _ALEXNET.items()
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class LpipsSpec:
    """What distinguishes one LPIPS from another.

    Attributes:
        trunk: a key of `TRUNKS`.
    """

    trunk: str = "vgg16"

    def __post_init__(self):
        if self.trunk not in TRUNKS:
            raise NstjaxError(
                f"LPIPS' trunk must be one of {', '.join(TRUNKS)}, not {self.trunk!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LpipsSpec":
        """Reads what `to_dict` wrote.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        if set(data) != {"trunk"}:
            raise NstjaxError(f"an LPIPS spec has the field trunk, not {sorted(data)}")
        return cls(**data)


def trunk_features(params: Params, image: Array, *, spec: LpipsSpec) -> Features:
    """The five activations that LPIPS compares.

    Args:
        params: ``{"trunk": {"conv1_1": {"kernel", "bias"}, ...}, "linear": ...}``.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1]; the sides must be at
            least 16 pixels for VGG-16 and 31 for AlexNet.
        spec: the spec of `params`.

    Returns:
        Activations [B, H', W', C] by layer, shallow to deep.

    Raises:
        NstjaxError: if the picture is too small.
    """
    layers = tuple(TRUNKS[spec.trunk].layers)
    if spec.trunk == "vgg16":
        return vgg.features(params["trunk"], image, layers, spec=_VGG16)
    return _alexnet(params["trunk"], image)


def lpips_from_features(params: Params, first: Features, second: Features) -> Array:
    """LPIPS of pictures whose `trunk_features` are known, of shape [B]."""
    distances = []
    for layer, weights in params["linear"].items():
        difference = jnp.square(_unit(first[layer]) - _unit(second[layer]))
        weighted = jnp.einsum(
            "bhwc,c->bhw", difference, weights["weight"], precision="highest"
        )
        distances.append(weighted.mean((1, 2)))
    return reduce(operator.add, distances)


def lpips(params: Params, first: Array, second: Array, *, spec: LpipsSpec) -> Array:
    """LPIPS of pairs of pictures: 0 for equal ones, larger the more they differ.

    Args:
        params: see `trunk_features`; ``{"linear": {"relu1_2": {"weight": [64]},
            ...}}`` are the weights of the channels.
        first, second: pictures of shape [B, H, W, 3], RGB in [0, 1].
        spec: the spec of `params`.

    Returns:
        The distances, of shape [B].

    Raises:
        NstjaxError: if the pictures are too small.
    """
    chex.assert_equal_shape([first, second])
    features = (trunk_features(params, image, spec=spec) for image in (first, second))
    return lpips_from_features(params, *features)


def param_shapes(spec: LpipsSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""
    if spec.trunk == "vgg16":
        trunk = vgg.param_shapes(_VGG16)
    else:
        trunk, before = {}, 3
        for name, (channels, side, _, _) in _ALEXNET.items():
            trunk[name] = {
                "kernel": (side, side, before, channels),
                "bias": (channels,),
            }
            before = channels
    linear = {
        layer: {"weight": (channels,)}
        for layer, channels in TRUNKS[spec.trunk].layers.items()
    }
    return {"trunk": trunk, "linear": linear}


def _alexnet(params: Params, image: Array) -> Features:
    if min(image.shape[1:3]) < 31:
        raise NstjaxError(
            f"a picture of {image.shape[2]} x {image.shape[1]} pixels is too small for "
            "AlexNet; its shorter side must be at least 31"
        )
    x, found = to_network(image, _INPUT_MAP), {}
    for name, (_, _, stride, padding) in _ALEXNET.items():
        if name in _POOLED_BEFORE:
            x = lax.reduce_window(
                x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID"
            )
        x = lax.conv_general_dilated(
            x,
            jnp.asarray(params[name]["kernel"]),
            (stride, stride),
            [(padding, padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )
        x = jax.nn.relu(x + params[name]["bias"])
        found[name.replace("conv", "relu")] = x
    return found


def _unit(features: Array) -> Array:
    length = jnp.sqrt(jnp.square(features).sum(axis=-1, keepdims=True))
    return features / (length + _EPS)
