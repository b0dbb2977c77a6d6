"""Converts decoders of full-width VGG-19 features: AdaIN's, Style-Swap's, invertors."""

import dataclasses
from typing import Any

from nstjax.io.weights import WeightsMetadata
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import FULL_WIDTHS
from nstjax.weights.conversion.layouts import Layout, recognise
from nstjax.weights.conversion.mapping import (
    Converted,
    convert_convolutions,
    convolution_widths,
    origin,
    torch_shapes,
)
from nstjax.weights.conversion.publishers import (
    DEEP_TRANSFER,
    IRASIN_ADAIN,
    IRASIN_STYLE_SWAP,
    NAOTO0804,
    Publisher,
    by_hash,
)
from nstjax.weights.conversion.sources import Source

# The pixels that a variant's decoders emit, and the encoder that they belong to: irasin
# trains with torchvision's VGG-19 and pixels normalised for it, the others with the
# normalised VGG-19 and [0, 1].
_VARIANTS = {
    "irasin": ("imagenet", "torchvision"),
    "naoto0804": ("unit", "normalised"),
    "deep-transfer": ("unit", "normalised"),
}


# How their AdaIN computes statistics: with torch's unbiased variance; naoto0804 adds
# eps to the variance, irasin 1e-6 to the deviation, which equals this for a variance of
# 0 and differs by at most 1e-6 otherwise.
_STATISTICS = {
    "irasin": {"ddof": 1, "eps": 1e-12},
    "naoto0804": {"ddof": 1, "eps": 1e-5},
}


def convert_adain_decoder(source: Source, *, variant: str | None = None) -> Converted:
    """Converts irasin's or naoto0804's AdaIN decoder or an invertor of deep-transfer.

    Args:
        source: ``decoder.pth``, irasin's whole model (without its encoder),
            or ``feature_invertor_conv{1..5}_1.pth``.
        variant: "irasin", "naoto0804" or "deep-transfer", to override recognition; None
            recognises it by the tensors' names.

    Raises:
        NstjaxError: if the file holds another network or does not fit.
    """
    layout = recognise(source, converter="adain_decoder")
    return _convert(source, layout, command="adain_decoder", variant=variant)


def convert_style_swap_decoder(
    source: Source, *, variant: str | None = None
) -> Converted:
    """Converts irasin's Style-Swap decoder; otherwise like `convert_adain_decoder`."""
    layout = recognise(source, converter="style_swap_decoder")
    return _convert(source, layout, command="style_swap_decoder", variant=variant)


def _convert(
    source: Source, layout: Layout, *, command: str, variant: str | None
) -> Converted:
    widths = (*convolution_widths(source, layout)[:-1], 3)
    shapes = torch_shapes(layout.modules, widths)
    params = convert_convolutions(source, layout, shapes)
    publisher: Publisher | None
    if layout.naming == "irasin":
        publisher = IRASIN_ADAIN if command == "adain_decoder" else IRASIN_STYLE_SWAP
    else:
        publisher = by_hash(source) or (
            NAOTO0804 if layout.layer == "relu4_1" else DEEP_TRANSFER
        )
    reason = "by its tensors' names"
    if variant is None:
        variant = publisher.name
    elif variant != publisher.name:
        publisher, reason = None, "as told"
    output_map, encoder = _VARIANTS[variant]
    spec = dataclasses.replace(
        DecoderSpec.mirror(layout.layer, FULL_WIDTHS, output_map=output_map),
        input_width=widths[0],
        widths=widths[1:],
    )
    notes: dict[str, Any] = {
        "variant": variant,
        "recognised": reason,
        "encoder": encoder,
    }
    if command == "adain_decoder":
        notes |= _STATISTICS.get(variant, {})
    metadata = WeightsMetadata(
        kind="decoder",
        name=f"{command.replace('_', '-')}-{variant}-{layout.layer}",
        spec=spec.to_dict(),
        notes=notes,
        **origin(source, publisher, command=command),
    )
    summary = f"decoder from {layout.layer}, variant {variant} ({reason})"
    return Converted(params, metadata, summary)
