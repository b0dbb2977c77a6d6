"""Networks by name: those that come with the package, or a converted file."""

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
# The encoder where none is named.
DEFAULT_ENCODER = "vgg19-slim"
# What makes a spec of its JSON data, and what tells the shapes of the weights that it
# describes, by the kind of weight file.
SPECS: dict[str, tuple[Callable[..., Any], Callable[..., dict[str, Any]]]] = {
    **dict.fromkeys(vgg.KINDS, (vgg.VGGSpec.from_dict, vgg.param_shapes)),
    "decoder": (decoders.DecoderSpec.from_dict, decoders.param_shapes),
    "painter": (painter.PainterSpec.from_dict, painter.param_shapes),
    "depth": (depth.spec_from_dict, depth.param_shapes),
    "lpips": (lpips.LpipsSpec.from_dict, lpips.param_shapes),
}


class Encoder(NamedTuple):
    """A VGG ready for use.

    Attributes:
        params: its weights.
        spec: its widths, and how it pads, pools and takes pixels.
        metadata: where it comes from.
        sha256: of the weight file.
    """

    params: dict[str, Any]
    spec: vgg.VGGSpec
    metadata: WeightsMetadata
    sha256: str


class Decoder(NamedTuple):
    """A decoder ready for use.

    Attributes:
        params: its weights.
        spec: its shape.
        metadata: where it comes from, and which encoder it belongs to.
        sha256: of the weight file.
    """

    params: dict[str, Any]
    spec: decoders.DecoderSpec | painter.PainterSpec
    metadata: WeightsMetadata
    sha256: str


class Depth(NamedTuple):
    """A depth network ready for use.

    Attributes:
        params: its weights.
        spec: its shape.
        metadata: where it comes from.
        sha256: of the weight file.
    """

    params: dict[str, Any]
    spec: depth.DepthSpec
    metadata: WeightsMetadata
    sha256: str


class Lpips(NamedTuple):
    """LPIPS ready for use.

    Attributes:
        params: its network's weights and those of the channels.
        spec: which network.
        metadata: where it comes from.
        sha256: of the weight file.
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
            weights, which are downloaded if they have not been yet.

    Raises:
        NstjaxError: if it is none of these, or the weights cannot be had.
    """
    bundled = _BUNDLED / f"{name_or_path}.safetensors"
    if Path(name_or_path).name == str(name_or_path) and os.path.isfile(bundled):
        return bundled
    if os.path.isfile(name_or_path):
        return Path(name_or_path)
    if known(str(name_or_path)):
        # Where nobody looks, it is only noise: in pipes, jobs and other programs.
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
            published weights, which are downloaded if they have not been yet.
        pooling: "max" or "average" in place of the weights' own; "" keeps it.
        rounding: "floor" or "ceil", likewise, for odd sides.

    Returns:
        The network: `params` and `spec`, as `nstjax.features` takes them, `metadata`
        and `sha256`.

    Raises:
        NstjaxError: if there is no such network, or it is no VGG.
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
    """Loads a decoder, or a painter, which has an encoder of its own.

    Args:
        name_or_path: a bundled network's name, a converted file, or the name of
            published weights, which are downloaded if they have not been yet.

    Returns:
        The network: `params` and `spec`, as `nstjax.decode` takes a decoder's,
        `metadata` and `sha256`.

    Raises:
        NstjaxError: if there is no such network, or it is no decoder.
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
        NstjaxError: if there is no such network, or it is not LPIPS.
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
            published weights, which are downloaded if they have not been yet.

    Returns:
        The network: `params` and `spec`, as `nstjax.disparity` takes them, `metadata`
        and `sha256`.

    Raises:
        NstjaxError: if there is no such network, or it gives no depth.
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
        metadata: of a kind in `SPECS`.
        changes: values in place of the spec's own.

    Returns:
        The spec.

    Raises:
        NstjaxError: if they do not, or it is damaged.
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

    The words are for a wrong one; for the changes see `check_fit`.
    """
    path = weights_path(name_or_path)
    params, metadata = load_weights(path)
    if metadata.kind not in kinds:
        raise NstjaxError(
            f"{path} holds a {metadata.kind}, but {needed} is needed here; {remedy}"
        )
    spec = check_fit(path, params, metadata, changes)
    return params, spec, metadata, sha256_of(path)
