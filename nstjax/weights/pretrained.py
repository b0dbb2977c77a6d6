"""Loads networks by name: bundled ones, published ones or converted files."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nstjax.errors import NstjaxError
from nstjax.io.weights import (
    WeightsMetadata,
    check_shapes,
    load_weights,
    sha256_of,
)
from nstjax.models import decoders, depth, lpips, painter, vgg
from nstjax.weights.store.entries import known
from nstjax.weights.store.fetch import fetch

_BUNDLED = Path(__file__).parent / "bundled"
# The default encoder.
DEFAULT_ENCODER = "vgg19-slim"
# Functions that make a spec from its JSON data and compute the shapes of its weights,
# by the kind of weight file.
SPECS: dict[str, tuple[Callable[..., Any], Callable[..., dict[str, Any]]]] = {
    **dict.fromkeys(vgg.KINDS, (vgg.VGGSpec.from_dict, vgg.param_shapes)),
    "decoder": (decoders.DecoderSpec.from_dict, decoders.param_shapes),
    "painter": (painter.PainterSpec.from_dict, painter.param_shapes),
    "depth": (depth.spec_from_dict, depth.param_shapes),
    "lpips": (lpips.LpipsSpec.from_dict, lpips.param_shapes),
}


class Encoder(NamedTuple):
    """A VGG, ready for use.

    Attributes:
        params: its weights.
        spec: its widths, padding, pooling and input map.
        metadata: its origin.
        sha256: the hash of the weight file.
    """

    params: dict[str, Any]
    spec: vgg.VGGSpec
    metadata: WeightsMetadata
    sha256: str


class Decoder(NamedTuple):
    """A decoder, ready for use.

    Attributes:
        params: its weights.
        spec: its shape.
        metadata: its origin, and the encoder that it belongs to.
        sha256: the hash of the weight file.
    """

    params: dict[str, Any]
    spec: decoders.DecoderSpec | painter.PainterSpec
    metadata: WeightsMetadata
    sha256: str


class Depth(NamedTuple):
    """A depth network, ready for use.

    Attributes:
        params: its weights.
        spec: its shape.
        metadata: its origin.
        sha256: the hash of the weight file.
    """

    params: dict[str, Any]
    spec: depth.DepthSpec
    metadata: WeightsMetadata
    sha256: str


class Lpips(NamedTuple):
    """LPIPS, ready for use.

    Attributes:
        params: the weights of its network and of the channels.
        spec: its spec.
        metadata: its origin.
        sha256: the hash of the weight file.
    """

    params: dict[str, Any]
    spec: lpips.LpipsSpec
    metadata: WeightsMetadata
    sha256: str


def bundled_names() -> list[str]:
    """The networks that come with the package."""
    return sorted(path.stem for path in _BUNDLED.glob("*.safetensors"))


def weights_path(name_or_path: str | Path) -> Path:
    """Finds a weight file.

    Args:
        name_or_path: a bundled network's name, a file, or the name of published
            weights, which are downloaded if necessary.

    Raises:
        NstjaxError: if it is none of these, or the weights cannot be downloaded.
    """
    bundled = _BUNDLED / f"{name_or_path}.safetensors"
    if Path(name_or_path).name == str(name_or_path) and os.path.isfile(bundled):
        return bundled
    if os.path.isfile(name_or_path):
        return Path(name_or_path)
    if known(str(name_or_path)):
        # Only in a terminal; in pipes, jobs and other programs it would only be noise.
        return fetch(str(name_or_path), progress=sys.stderr.isatty())
    raise NstjaxError(
        f"there is no network {str(name_or_path)!r}: give a converted weight file, "
        f"one of the bundled names ({', '.join(bundled_names())}), or one that "
        "'nstjax weights list' shows"
    )


def load_encoder(
    name_or_path: str | Path, *, pooling: str = "", rounding: str = ""
) -> Encoder:
    """Loads a VGG-19 or a VGG-16.

    Args:
        name_or_path: a bundled network's name, a converted file, or the name of
            published weights, which are downloaded if necessary.
        pooling: "max" or "average", to replace the weights' own; "" keeps it.
        rounding: "floor" or "ceil", likewise, for odd sides.

    Returns:
        The network: `params` and `spec` for `nstjax.features`, `metadata` and `sha256`.

    Raises:
        NstjaxError: if the network does not exist, or is not a VGG.
    """
    changes = {"pooling": pooling, "rounding": rounding}
    loaded = _load(
        name_or_path,
        kinds=tuple(vgg.KINDS),
        needed="a VGG encoder",
        remedy="convert one with 'nstjax convert vgg19'",
        changes={name: value for name, value in changes.items() if value},
    )
    return Encoder(*loaded)


def load_decoder(name_or_path: str | Path) -> Decoder:
    """Loads a decoder, or a painter, which has its own encoder.

    Args:
        name_or_path: a bundled network's name, a converted file, or the name of
            published weights, which are downloaded if necessary.

    Returns:
        The network: `params` and `spec` (for `nstjax.decode`, if it is a decoder),
        `metadata` and `sha256`.

    Raises:
        NstjaxError: if the network does not exist, or is not a decoder.
    """
    loaded = _load(
        name_or_path,
        kinds=("decoder", "painter"),
        needed="a decoder",
        remedy="convert one with 'nstjax convert adain_decoder', or train one",
    )
    return Decoder(*loaded)


def load_lpips(name_or_path: str | Path) -> Lpips:
    """Loads LPIPS.

    Args:
        name_or_path: see `weights_path`.

    Raises:
        NstjaxError: if the network does not exist, or is not LPIPS.
    """
    loaded = _load(
        name_or_path,
        kinds=("lpips",),
        needed="LPIPS",
        remedy="run 'nstjax weights get lpips'",
    )
    return Lpips(*loaded)


def load_depth(name_or_path: str | Path) -> Depth:
    """Loads a depth network.

    Args:
        name_or_path: "slim" for the bundled one, a converted file, or the name of
            published weights, which are downloaded if necessary.

    Returns:
        The network: `params` and `spec` for `nstjax.disparity`, `metadata` and
        `sha256`.

    Raises:
        NstjaxError: if the network does not exist, or is not a depth network.
    """
    loaded = _load(
        depth_name(name_or_path),
        kinds=("depth",),
        needed="a depth network",
        remedy="convert one with 'nstjax convert monodepth2' or "
        "'nstjax convert fast_depth'",
    )
    return Depth(*loaded)


def depth_name(name_or_path: str | Path) -> str | Path:
    """A depth network's full name: "slim" is short for the bundled one."""
    return "depth-slim" if str(name_or_path) == "slim" else name_or_path


def check_fit(
    path: Path,
    params: Mapping[str, Any],
    metadata: WeightsMetadata,
    changes: Mapping[str, Any] | None = None,
) -> Any:
    """Checks that a file's weights fit the spec that it states.

    Args:
        path: the file.
        params: its weights.
        metadata: its metadata, of a kind in `SPECS`.
        changes: values that replace the spec's own.

    Returns:
        The spec.

    Raises:
        NstjaxError: if they do not fit, or the file is damaged.
    """
    from_dict, param_shapes = SPECS[metadata.kind]
    try:
        spec = from_dict({**metadata.spec, **(changes or {})})
        shapes = param_shapes(spec)
    except NstjaxError:
        raise
    except (TypeError, ValueError) as error:
        raise NstjaxError(
            f"{path} has damaged metadata; convert or export it again"
        ) from error
    check_shapes(params, shapes, where=str(path))
    return spec


def _load(
    name_or_path: str | Path,
    *,
    kinds: tuple[str, ...],
    needed: str,
    remedy: str,
    changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], Any, WeightsMetadata, str]:
    """The weights, spec, metadata and SHA-256 of a file of certain kinds.

    `needed` and `remedy` are for the message about a wrong kind; see `check_fit` for
    the changes.
    """
    path = weights_path(name_or_path)
    params, metadata = load_weights(path)
    if metadata.kind not in kinds:
        raise NstjaxError(
            f"{path} holds a {metadata.kind}, but {needed} is needed here; {remedy}"
        )
    spec = check_fit(path, params, metadata, changes)
    return params, spec, metadata, sha256_of(path)
