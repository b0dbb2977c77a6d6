"""The one VGG-19: every lineage of it, cut at any layer, as a pure function.

Lineages (torchvision's, Caffe's, the normalised one of AdaIN, distilled slim
ones) differ in data only: channel widths, padding, pooling and input map.
That data is a `VGGSpec`, which is stored with the weights.

References:
    Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556 (configuration E).
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models.shapes import chain_shapes
from nstjax.ops.preprocess import INPUT_MAPS, to_network
from nstjax.precision import cast_floating
from nstjax.types import Array, Features, Params

# Convolutions in each of the five blocks; a 2x2 pooling stands between blocks.
BLOCKS = (2, 2, 4, 4, 4)
CONVOLUTIONS = tuple(
    f"conv{block}_{index}"
    for block, count in enumerate(BLOCKS, start=1)
    for index in range(1, count + 1)
)
LAYERS = tuple(name.replace("conv", "relu") for name in CONVOLUTIONS)
FULL_WIDTHS = (64,) * 2 + (128,) * 2 + (256,) * 4 + (512,) * 8


@dataclasses.dataclass(frozen=True)
class VGGSpec:
    """What distinguishes one VGG-19 from another.

    Attributes:
        widths: output channels of conv1_1, conv1_2, ... in the order of
            `CONVOLUTIONS`; as many as the weights go deep.
        padding: "zero" or "reflect".
        pooling: "max" or "average".
        rounding: "floor" or "ceil", for odd sizes before a pooling.
        input_map: one of `nstjax.ops.preprocess.INPUT_MAPS`.
    """

    widths: tuple[int, ...] = FULL_WIDTHS
    padding: str = "zero"
    pooling: str = "max"
    rounding: str = "floor"
    input_map: str = "imagenet"

    def __post_init__(self):
        try:
            object.__setattr__(self, "widths", tuple(int(w) for w in self.widths))
        except (TypeError, ValueError) as error:
            raise NstjaxError(f"a VGG spec's widths are malformed: {error}") from error
        if not 1 <= len(self.widths) <= len(CONVOLUTIONS) or min(self.widths) < 1:
            raise NstjaxError(
                f"a VGG-19 has 1 to {len(CONVOLUTIONS)} positive widths, "
                f"not {self.widths}"
            )
        for field, allowed in (
            ("padding", ("zero", "reflect")),
            ("pooling", ("max", "average")),
            ("rounding", ("floor", "ceil")),
            ("input_map", INPUT_MAPS),
        ):
            if getattr(self, field) not in allowed:
                raise NstjaxError(
                    f"the VGG spec's {field} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, field)!r}"
                )

    @property
    def layers(self) -> tuple[str, ...]:
        """The activations these weights can give, shallow to deep."""
        return LAYERS[: len(self.widths)]

    def width(self, layer: str) -> int:
        """Channels of a layer, such as 512 for "relu4_1" at full width."""
        return self.widths[self.layers.index(layer.replace("conv", "relu"))]

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return dataclasses.asdict(self) | {"widths": list(self.widths)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "VGGSpec":
        """Reads what `to_dict` wrote.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) != names:
            raise NstjaxError(
                f"a VGG spec has the fields {sorted(names)}, not {sorted(data)}"
            )
        return cls(**data)


def features(
    params: Params,
    image: Array,
    layers: Iterable[str],
    *,
    spec: VGGSpec,
    compute_dtype: str | None = None,
) -> Features:
    """Computes activations of a VGG-19, no deeper than the deepest one asked for.

    Args:
        params: ``{"conv1_1": {"kernel": [3, 3, 3, 64], "bias": [64]}, ...}``,
            and ``"conv0"`` where `spec.input_map` is "learned".
        image: pictures of shape [B, H, W, 3], RGB in [0, 1]. Values outside
            are allowed: optimisers leave the range on their way.
        layers: names such as "relu4_1" (after the ReLU) or "conv4_1" (before).
        spec: the lineage of `params`.
        compute_dtype: what convolutions compute in, one of
            `nstjax.precision.COMPUTE_DTYPES`; by default the picture's dtype.

    Returns:
        Each named layer's activation [B, H', W', C], in the order of `layers`,
        of the picture's dtype.

    Raises:
        NstjaxError: for an unknown layer, one beyond these weights, or a
            picture too small to reach it.
    """
    pixels = to_network(image, spec.input_map, params)
    return features_from_pixels(
        params, pixels, layers, spec=spec, compute_dtype=compute_dtype
    )


def features_from_pixels(
    params: Params,
    pixels: Array,
    layers: Iterable[str],
    *,
    spec: VGGSpec,
    compute_dtype: str | None = None,
) -> Features:
    """The same as `features`, from pixels in the network's own domain."""
    layers = tuple(layers)
    chex.assert_rank(pixels, 4)
    chex.assert_axis_dimension(pixels, 3, 3)
    check_layers(layers, spec)
    _check_size(pixels.shape[1:3], layers, spec)
    # Layers cast their weights to the dtype of what comes in.
    found = _module(spec, layers).apply(
        {"params": params}, cast_floating(pixels, compute_dtype)
    )
    return cast_floating(found, pixels.dtype)


def init_params(key: Array, spec: VGGSpec) -> dict[str, Any]:
    """Random weights of the spec's shapes (He initialisation, zero biases)."""
    module = _module(spec, (spec.layers[-1],))
    # Jitted, the convolutions that only show shapes are left out.
    variables = jax.jit(module.init)(key, jnp.zeros((1, 64, 64, 3)))
    params = dict(variables["params"])
    if spec.input_map == "learned":
        params["conv0"] = {
            "kernel": jnp.eye(3)[None, None],
            "bias": jnp.zeros(3),
        }
    return params


def param_shapes(spec: VGGSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""
    tree = chain_shapes(CONVOLUTIONS, spec.widths, 3)
    if spec.input_map == "learned":
        tree["conv0"] = {"kernel": (1, 1, 3, 3), "bias": (3,)}
    return tree


def check_layers(layers: Iterable[str], spec: VGGSpec) -> None:
    """Raises NstjaxError unless every layer exists and the weights reach it."""
    layers = tuple(layers)
    if not layers:
        raise NstjaxError("no VGG-19 layer was asked for; name one, such as relu4_1")
    for layer in layers:
        activation = layer.replace("conv", "relu")
        if activation not in LAYERS:
            raise NstjaxError(
                f"VGG-19 has no layer {layer!r}; its layers are "
                f"{LAYERS[0]} to {LAYERS[-1]}"
            )
        if activation not in spec.layers:
            raise NstjaxError(
                f"these VGG-19 weights end at {spec.layers[-1]}, before {layer}; "
                "use deeper weights or a shallower layer"
            )


def _module(spec: VGGSpec, layers: tuple[str, ...]):
    # Imported this late: Flax takes a tenth of a second, which kept programs save.
    from nstjax.models.modules.vgg import VGG19

    return VGG19(spec, layers)


def _check_size(size: tuple[int, int], layers: tuple[str, ...], spec: VGGSpec) -> None:
    deepest = max(int(layer[len("relu")]) for layer in layers)
    # Reflection needs two pixels, anything else one.
    least = 2 if spec.padding == "reflect" else 1
    smallest = min(size)
    for _ in range(deepest - 1):
        smallest = smallest // 2 if spec.rounding == "floor" else -(-smallest // 2)
    if smallest < least:
        # The least side that the halvings leave enough of.
        halvings = 2 ** (deepest - 1)
        needed = (
            least * halvings if spec.rounding == "floor" else (least - 1) * halvings + 1
        )
        raise NstjaxError(
            f"a picture of {size[1]} x {size[0]} pixels is too small for VGG-19's "
            f"block {deepest}; its shorter side must be at least "
            f"{needed}"
        )
