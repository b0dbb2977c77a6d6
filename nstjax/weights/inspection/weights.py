"""Describes a weight file, and whether it works for a method."""

import dataclasses
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.io.weights import (
    WeightsMetadata,
    flatten_params,
    load_weights,
    sha256_of,
)
from nstjax.methods.decoder_methods import DecoderMethod
from nstjax.methods.networks import check_transform
from nstjax.methods.options import method_options
from nstjax.methods.table import METHODS
from nstjax.models import decoders, painter, vgg
from nstjax.transforms.adain import feature_statistics
from nstjax.weights.conversion.command import convert
from nstjax.weights.conversion.layouts import converter_of
from nstjax.weights.conversion.scale import measure_scale
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.pretrained import SPECS, bundled_names, check_fit, weights_path
from nstjax.weights.store.cache import weights_file
from nstjax.weights.store.entries import find_entry, known

_PICTURE, _SIDE = "chelsea", 224
# Where the decoders of feed-forward methods start, unless stated here.
_DECODED_LAYER = "relu4_1"
_DECODED_LAYERS = {"style-swap-net": "relu3_1"}
# A decoder reconstructs through its own encoder at 20 dB or more.
_LEAST_PSNR = 15.0
_KINDS = {
    "vgg19": "a VGG-19 encoder",
    "vgg16": "a VGG-16 encoder",
    "lpips": "an LPIPS network, which judges pictures",
    "decoder": "a decoder",
    "painter": "a painter, an encoder and a decoder in one",
    "depth": "a depth network",
    "linear_maps": "a set of linear maps, used in training only",
}


@dataclasses.dataclass(frozen=True)
class Activation:
    """Statistics of one layer's activation on the test picture.

    Attributes:
        layer: such as "relu4_1".
        mean, rms, largest: statistics over all values.
        silent: the fraction of channels that are zero everywhere.
    """

    layer: str
    mean: float
    rms: float
    largest: float
    silent: float


@dataclasses.dataclass(frozen=True)
class Network:
    """A network from a file of any form.

    Attributes:
        path: the file.
        params: its weights.
        metadata: its metadata.
        summary: a line for display.
        warnings: sentences about what may be wrong.
    """

    path: Path
    params: Mapping[str, Any]
    metadata: WeightsMetadata
    summary: str
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Report:
    """The findings about a weight file.

    Attributes:
        facts: names and values, for display.
        activations: for a VGG, at the first layer of each block and at the last layer;
            for a painter, at each level of its encoder.
        warnings: sentences about what may be wrong.
        problem: a sentence saying why it cannot be used as requested; "" if it can.
    """

    facts: tuple[tuple[str, str], ...]
    activations: tuple[Activation, ...]
    warnings: tuple[str, ...]
    problem: str


def open_network(name_or_path: str | os.PathLike) -> Network:
    """Opens a weight file, published or converted, or a network by name.

    Args:
        name_or_path: a .pth, .npz or .safetensors file, monodepth2's folder or
            archive, or the name of a bundled or fetched network; nothing is
            downloaded.

    Raises:
        NstjaxError: if it is broken or not a known network.
    """
    path = _find(name_or_path)
    if _is_monodepth2(path):
        return _converted(path, "monodepth2")
    source = open_source(path)
    if not source.ours:
        return _converted(path, converter_of(source))
    params, metadata = load_weights(path)
    if metadata.kind in SPECS:
        check_fit(path, params, metadata)
    what = _KINDS.get(metadata.kind, f"a {metadata.kind}").removeprefix("a ")
    return Network(path, params, metadata, f"{metadata.name}: {what}, converted")


def inspect_weights(
    name_or_path: str | os.PathLike,
    *,
    method: str | None = None,
    encoder: str | os.PathLike | None = None,
) -> Report:
    """Inspects a weight file.

    Args:
        name_or_path: see `open_network`.
        method: the method to check it for, one of `nstjax.methods.table.METHODS`.
        encoder: for a decoder, the encoder to try it with.

    Raises:
        NstjaxError: if the file is broken or not a known network, or the method does
            not exist.
    """
    if method is not None and method not in METHODS:
        raise NstjaxError(
            f"there is no method {method!r}; choose one of {', '.join(METHODS)}"
        )
    network = open_network(name_or_path)
    metadata = network.metadata
    facts = [
        ("file", f"{network.path}{_size_of(network.path)}"),
        ("network", network.summary),
        ("from", metadata.source),
        ("licence", metadata.licence),
    ]
    if network.path.is_file():
        facts.insert(1, ("SHA-256", sha256_of(network.path)))
    problem = _not_finite(network)
    activations: tuple[Activation, ...] = ()
    warnings = list(network.warnings)
    if metadata.kind in vgg.KINDS and not problem:
        spec = vgg.VGGSpec.from_dict(metadata.spec)
        facts += _describe_encoder(spec)
        activations = measure_activations(network.params, spec)
        scale, doubt = _describe_scale(network.params, spec)
        facts.append(("scale", scale))
        warnings.append(doubt)
        problem = _dead(activations)
    elif metadata.kind == "decoder" and not problem:
        decoder = decoders.DecoderSpec.from_dict(metadata.spec)
        facts += _describe_decoder(decoder, metadata)
        if encoder is not None:
            found, problem = _try_decoder(network, decoder, open_network(encoder))
            facts += [("tried", found)] if found else []
    elif metadata.kind == "painter" and not problem:
        own = painter.PainterSpec.from_dict(metadata.spec)
        found, problem = _try_painter(network.params, own)
        facts.append(("tried", found))
        activations = measure_activations(network.params, own)
        warnings += [
            f"its level {activation.layer!r} is zero everywhere: its information was "
            "lost in training"
            for activation in activations
            if activation.silent == 1
        ]
    if method is not None:
        problem = problem or _misfit(metadata, method)
    return Report(
        tuple(facts),
        activations,
        tuple(filter(None, warnings)),
        f"{network.path} {problem}" if problem else "",
    )


def measure_activations(
    params: Mapping[str, Any], spec: vgg.VGGSpec | painter.PainterSpec
) -> tuple[Activation, ...]:
    """Statistics of an encoder's activations on an example picture."""

    @jax.jit
    def compute(params, x):
        if isinstance(spec, painter.PainterSpec):
            return painter.encode(params, x, spec=spec)
        firsts = [name for name in spec.layers if name.endswith("_1")]
        layers = tuple(dict.fromkeys([*firsts, spec.layers[-1]]))
        return vgg.features(params, x, layers, spec=spec)

    found = {
        layer: np.asarray(values)
        for layer, values in compute(params, _picture()).items()
    }
    return tuple(
        Activation(
            layer,
            float(values.mean()),
            float(np.sqrt(np.square(values, dtype=np.float64).mean())),
            float(values.max()),
            float((values.max(axis=(0, 1, 2)) == 0).mean()),
        )
        for layer, values in sorted(found.items(), key=lambda item: -item[1].shape[1])
    )


def _picture() -> np.ndarray:
    """The centre of an example, [1, 224, 224, 3]."""
    image = examples.content_image(_PICTURE)
    top, left = ((side - _SIDE) // 2 for side in image.shape[:2])
    return image[None, top : top + _SIDE, left : left + _SIDE]


def _find(name_or_path: str | os.PathLike) -> Path:
    path, name = Path(name_or_path), str(name_or_path)
    if path.exists():
        return path
    if name in bundled_names():
        return weights_path(name)
    if known(name):
        path = weights_file(find_entry(name).name)
        if not path.is_file():
            raise NstjaxError(
                f"{name} has not been fetched; run 'nstjax weights get {name}'"
            )
    return path


def _is_monodepth2(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(Path(n).name == "encoder.pth" for n in archive.namelist())
    except Exception:  # damaged archives raise almost anything; others report it
        return False


def _converted(path: Path, converter: str) -> Network:
    result = convert(converter, path)
    return Network(
        path, result.params, result.metadata, result.summary, result.warnings
    )


def _size_of(path: Path) -> str:
    return f" ({path.stat().st_size / 1e6:.1f} MB)" if path.is_file() else ""


def _not_finite(network: Network) -> str:
    for name, value in flatten_params(network.params).items():
        if not np.isfinite(value).all():
            return f"holds numbers that are not finite, in {name}; download it again"
    return ""


def _describe_encoder(spec: vgg.VGGSpec) -> list[tuple[str, str]]:
    return [
        ("layers", f"{spec.layers[0]} to {spec.layers[-1]}"),
        ("channels", " ".join(map(str, spec.widths))),
        ("padding", spec.padding),
        ("pooling", f"{spec.pooling}, sizes rounded by {spec.rounding}"),
        ("pixels", spec.input_map),
    ]


def _describe_scale(params: Mapping[str, Any], spec: vgg.VGGSpec) -> tuple[str, str]:
    """The scale in words, and a possible problem with it."""
    measured = measure_scale({n: value for n, value in params.items() if n != "conv0"})
    meant = (
        "pixels of 0 to 255" if measured.expects_bytes else "pixels of unit variance"
    )
    words = f"for {meant} (the first layer answers with {measured.first_response:.2g})"
    if measured.expects_bytes and spec.input_map in ("imagenet", "unit"):
        return words, (
            "its first layer is that of Caffe's weights, but it is fed pixels of unit "
            "variance; convert it with --variant caffe"
        )
    if not measured.expects_bytes and spec.input_map == "caffe":
        return words, (
            "its first layer is not as faint as that of Caffe's weights, but it is fed "
            "pixels of 0 to 255; if these are torchvision's, convert it with --variant "
            "torchvision"
        )
    return words, ""


def _dead(activations: tuple[Activation, ...]) -> str:
    for activation in activations:
        if not np.isfinite(activation.rms):
            return f"overflows at {activation.layer}; its scale is wrong"
        if activation.silent == 1:
            return (
                f"answers a photograph with nothing but zeros at {activation.layer}; "
                "it is damaged, or was never trained"
            )
    return ""


def _describe_decoder(
    spec: decoders.DecoderSpec, metadata: WeightsMetadata
) -> list[tuple[str, str]]:
    facts = [
        ("decodes", f"{spec.layer} of {spec.input_width} channels"),
        ("channels", " ".join(map(str, spec.widths))),
        ("pixels", spec.output_map),
    ]
    if partner := metadata.notes.get("encoder"):
        facts.append(("encoder", f"{partner}"))
    return facts


def _try_decoder(
    network: Network, spec: decoders.DecoderSpec, encoder: Network
) -> tuple[str, str]:
    """How well a decoder inverts an encoder, and a possible problem."""
    if encoder.metadata.kind not in vgg.KINDS:
        kind = _KINDS.get(encoder.metadata.kind, encoder.metadata.kind)
        return "", f"cannot be tried with {encoder.path}, which is {kind}"
    encoder_spec = vgg.VGGSpec.from_dict(encoder.metadata.spec)
    if spec.layer not in encoder_spec.layers:
        return "", (
            f"decodes {spec.layer}, but {encoder.path} ends at "
            f"{encoder_spec.layers[-1]}; use a deeper encoder"
        )
    if encoder_spec.width(spec.layer) != spec.input_width:
        return "", (
            f"takes {spec.input_width} channels of {spec.layer}, but {encoder.path} "
            f"has {encoder_spec.width(spec.layer)}; use the encoder it was trained with"
        )

    @jax.jit
    def reconstruct(encoder_params, params, image):
        found = vgg.features(encoder_params, image, (spec.layer,), spec=encoder_spec)
        return decoders.decode(params, found[spec.layer], spec=spec)

    psnr = _psnr(reconstruct(encoder.params, network.params, _picture()))
    words = f"gives a picture back through {encoder.path} at {psnr:.1f} dB"
    if psnr >= _LEAST_PSNR:
        return words, ""
    return words, (
        f"does not undo {encoder.path} ({psnr:.1f} dB); use the encoder it was trained "
        "with"
    )


def _try_painter(
    params: Mapping[str, Any], spec: painter.PainterSpec
) -> tuple[str, str]:
    """How well a painter reconstructs a picture in its own style, and any problem."""

    @jax.jit
    def reconstruct(params, image):
        features = painter.encode(params, image, spec=spec)
        own = {
            level: feature_statistics(value, eps=painter.EPS)
            for level, value in features.items()
        }
        return painter.decode(params, features, [own], spec=spec)

    psnr = _psnr(reconstruct(params, _picture()))
    words = f"gives a picture back in its own style at {psnr:.1f} dB"
    return words, "" if psnr >= _LEAST_PSNR else f"is not a working painter: it {words}"


def _psnr(image: jax.Array) -> float:
    """The PSNR of a picture compared with the test picture, in dB."""
    found = np.clip(image, 0, 1)
    return float(-10 * np.log10(np.mean(np.square(found - _picture()))))


def _misfit(metadata: WeightsMetadata, method: str) -> str:
    """Why a network does not work for a method; "" if it does."""
    needs = ["an encoder"]
    kinds = set(vgg.KINDS)
    if METHODS[method].in_one_pass:
        needs.append("a decoder")
        kinds |= {"decoder", "painter"}
    elif method_options(method).get("depth_weight"):
        needs.append("a depth network")
        kinds.add("depth")
    if metadata.kind == "style":
        return "is a saved style, not a network; use it with --style"
    if metadata.kind not in kinds:
        kind = _KINDS.get(metadata.kind, f"a {metadata.kind}")
        return f"is {kind}, but {method} needs {' and '.join(needs)}; give another file"
    if metadata.kind in ("decoder", "painter"):
        serves = METHODS[method]
        try:
            if isinstance(serves, DecoderMethod):
                check_transform(metadata, serves.transform)
        except NstjaxError as error:
            return f"does not fit: {error}"
    if metadata.kind not in vgg.KINDS:
        return ""
    spec = vgg.VGGSpec.from_dict(metadata.spec)
    beyond = [layer for layer in needed_layers(method) if layer not in spec.layers]
    if not beyond:
        return ""
    return (
        f"ends at {spec.layers[-1]}, before {', '.join(beyond)}, which {method} needs; "
        "use deeper weights"
    )


def needed_layers(method: str) -> tuple[str, ...]:
    """The activations of a VGG-19 that a method uses by default."""
    if METHODS[method].in_one_pass:
        return (_DECODED_LAYERS.get(method, _DECODED_LAYER),)
    leaves = method_options(method)
    used = set()
    for term in ("content", "style"):
        if leaves[f"{term}_weight"]:
            layers = leaves[f"{term}_layers"].items()
            used |= {layer for layer, weight in layers if weight}
    if leaves["swap_weight"]:
        used.add(leaves["swap_layer"])
    return tuple(
        layer
        for layer, convolution in zip(vgg.LAYERS, vgg.CONVOLUTIONS, strict=True)
        if {layer, convolution} & used
    )
