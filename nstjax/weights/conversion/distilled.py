"""Converts Collaborative-Distillation's slim VGG-19s, their decoders and linear maps.

References:
    Wang et al., 2020, https://arxiv.org/abs/2003.08436.
"""

import dataclasses

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import FULL_WIDTHS, VGGSpec
from nstjax.weights.conversion.layouts import recognise
from nstjax.weights.conversion.mapping import (
    Converted,
    convert_convolutions,
    convolution_widths,
    origin,
    torch_shapes,
)
from nstjax.weights.conversion.publishers import COLLABORATIVE_DISTILLATION
from nstjax.weights.conversion.sources import Source

_COMMAND = "distilled_vgg"
_NAME = "vgg19-distilled16x"


def convert_distilled_vgg(source: Source, *, variant: str | None = None) -> Converted:
    """Converts a distilled encoder or its decoder, depending on the file.

    Args:
        source: one of the publisher's .pth files, or an .npz file with the same tensors
            under nstjax's names, ``conv4_1/kernel`` (HWIO) and ``/bias``.
        variant: None; there is only one.

    Raises:
        NstjaxError: if the file is another network or does not fit.
    """
    layout = recognise(source, converter=_COMMAND)
    widths = convolution_widths(source, layout)
    # Encoders take RGB, which conv0 mixes, and decoders emit RGB.
    widths = (3, 3, *widths[2:]) if layout.naming == "encoder" else (*widths[:-1], 3)
    shapes = torch_shapes(layout.modules, widths)
    params = convert_convolutions(source, layout, shapes)
    spec: VGGSpec | DecoderSpec
    if layout.naming == "encoder":
        spec = VGGSpec(
            widths[2:], padding="reflect", rounding="floor", input_map="learned"
        )
        kind, name = "vgg19", f"{_NAME}-{layout.layer}"
    else:
        # The reference has a ReLU after every layer, including the last.
        spec = dataclasses.replace(
            DecoderSpec.mirror(layout.layer, FULL_WIDTHS, last_linear=False),
            input_width=widths[0],
            widths=widths[1:],
        )
        kind, name = "decoder", f"{_NAME}-decoder-{layout.layer}"
    metadata = WeightsMetadata(
        kind=kind,
        name=name,
        spec=spec.to_dict(),
        notes={"variant": "distilled16x"},
        **origin(source, COLLABORATIVE_DISTILLATION, command=_COMMAND),
    )
    return Converted(params, metadata, layout.what.removeprefix("a "))


def convert_linear_maps(source: Source) -> Converted:
    """Converts the 1x1 maps of a distilled encoder.

    They map its features to those of the same layer of the normalised VGG-19, and were
    used only in its training, followed by a ReLU.

    Args:
        source: an encoder's file.

    Returns:
        Params ``{"relu4_1": {"kernel": [1, 1, C, D], "bias": [D]}, ...}`` of the
        kind "linear_maps", whose spec is ``{"relu4_1": [C, D], ...}``.

    Raises:
        NstjaxError: if the file is not a distilled encoder, has no maps, or their
            shapes do not fit.
    """
    layout = recognise(source, converter=_COMMAND)
    if layout.naming != "encoder":
        raise NstjaxError(
            f"{source.path} is {layout.what}, which has no linear maps; leave --aux out"
        )
    maps = dataclasses.replace(
        layout,
        what=f"the linear maps of {layout.what}",
        modules={
            name.replace("conv", "relu"): f"{theirs}_aux"
            for name, theirs in layout.modules.items()
            if f"{theirs}_aux{layout.suffixes[0]}" in source.tensors
        },
        ignored=r"(?!conv\d_?\d_aux)",
    )
    if not maps.modules:
        raise NstjaxError(f"{source.path} has no linear maps; leave --aux out")
    encoder_widths = dict(
        zip(layout.modules, convolution_widths(source, layout)[1:], strict=True)
    )
    map_widths = convolution_widths(source, maps)[1:]
    shapes = {
        name: (after, encoder_widths[name.replace("relu", "conv")], 1, 1)
        for name, after in zip(maps.modules, map_widths, strict=True)
    }
    params = convert_convolutions(source, maps, shapes)
    metadata = WeightsMetadata(
        kind="linear_maps",
        name=f"{_NAME}-{layout.layer}-maps",
        spec={name: [before, after] for name, (after, before, _, _) in shapes.items()},
        notes={
            "from": f"{_NAME}-{layout.layer}",
            "to": "the normalised VGG-19, same layers, before a ReLU",
        },
        **origin(source, COLLABORATIVE_DISTILLATION, command=_COMMAND),
    )
    return Converted(params, metadata, f"linear maps of {', '.join(shapes)}")
