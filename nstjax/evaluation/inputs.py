"""The inputs of an evaluation: pictures, methods, and the networks that judge.

Each picture is scaled (Lanczos) so that its shorter side has the given size, cropped to
the central square and rounded to 8 bits, like results. Embedded colour profiles are
ignored. Contents and styles are treated alike, so that no method gains from it.

A judge favours methods that were trained on it or optimise against it. Networks are
identified by the SHA-256 of their files, and the published teachers of bundled networks
by their weights, since users convert those themselves.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.io.images import read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.io.weights import (
    WeightsMetadata,
    flatten_params,
    load_weights,
    sha256_of,
)
from nstjax.methods.decoder_methods import DecoderMethod
from nstjax.methods.images import read_picture
from nstjax.methods.networks import check_encoder, check_transform
from nstjax.methods.options import method_options
from nstjax.methods.pictures import list_pictures, picture_labels
from nstjax.methods.table import METHODS, method_of
from nstjax.models import vgg
from nstjax.weights.pretrained import DEFAULT_ENCODER, depth_name, weights_path

# Three cells of the coarsest Laplacian, lap16.
LEAST_SIDE = 48


@dataclasses.dataclass(frozen=True)
class Input:
    """A content or a style.

    Attributes:
        label: its name in tables and files.
        source: the file, or the example's name.
        image: float32 [size, size, 3] in [0, 1].
        sha256: the hash of the image's numbers.
    """

    label: str
    source: str
    image: np.ndarray = dataclasses.field(repr=False)
    sha256: str


@dataclasses.dataclass(frozen=True)
class Pair:
    """A content and a style.

    Attributes:
        content, style: the two.
    """

    content: Input
    style: Input

    @property
    def name(self) -> str:
        """The pair's name for display."""
        return f"{self.content.label} in {self.style.label}"


def read_inputs(
    arguments: Sequence[str], *, size: int, on_unreadable: Callable[[str], None]
) -> list[Input]:
    """Reads and prepares contents, or styles.

    Args:
        arguments: files, folders and names of examples.
        size: the side of the squares, in pixels.
        on_unreadable: called with a sentence for each skipped picture.

    Returns:
        The pictures that could be read, in the order given.

    Raises:
        NstjaxError: if an argument names nothing, two pictures have the same name, the
            size is too small, or no picture could be read.
    """
    if size < LEAST_SIDE:
        raise NstjaxError(
            f"--size must be at least {LEAST_SIDE}, three cells of lap16, not {size}"
        )
    sources = [source for argument in arguments for source in list_pictures(argument)]
    labels = picture_labels(sources)
    for label, count in Counter(labels).items():
        if count > 1:
            raise NstjaxError(
                f"two pictures are both called {label}, so their results could not be "
                "told apart; rename one"
            )
    inputs = []
    for label, source in zip(labels, sources, strict=True):
        try:
            image = prepare_picture(source, size)
        except NstjaxError as error:
            on_unreadable(str(error))
        else:
            inputs.append(Input(label, source, image, hash_pixels(image)))
    if not inputs:
        raise NstjaxError(f"none of the pictures in {', '.join(arguments)} can be read")
    return inputs


def prepare_picture(source: str, size: int) -> np.ndarray:
    """Reads a picture as the protocol requires, float32 [size, size, 3].

    Raises:
        NstjaxError: if it cannot be read.
    """
    if examples.is_meant(source):
        image = read_picture(source)
    else:
        image = read_image(source, color_managed=False)
    height, width = fit_size(*image.shape[:2], short_side=size)
    top, left = (height - size) // 2, (width - size) // 2
    scaled = resize_image(image, (height, width))
    square = scaled[top : top + size, left : left + size]
    return np.rint(square * 255).astype(np.float32) / 255


def hash_pixels(image: np.ndarray) -> str:
    """SHA-256 of a picture's float32 numbers, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(image, np.float32).tobytes()).hexdigest()


# Simonyan & Zisserman's VGG-19, as fetched by `nstjax weights get vgg19`.
TRUE_VGG19 = "7b8ab704a8bc5280862ed47d2409f657b352346b4ced33aa6fe3706d10ed9bad"
# Simonyan & Zisserman's VGG-16, also LPIPS' trunk, as fetched by
# `nstjax weights get vgg16`.
TRUE_VGG16 = "61807707bcb56dc5665ae8dd102d8fbe1593f3ed03bc2c9e248cb307e5a3e449"
# FastDepth, pruned by openmv.
PRUNED_FAST_DEPTH = "ccc42ee955cddf586298fda833f1e4975a3d2d2690167b7734ff731e186bfd9b"
# See the networks' cards in ``nstjax/weights/bundled/``.
_TEACHERS = {
    "vgg19-slim": (TRUE_VGG19,),
    "depth-slim": (PRUNED_FAST_DEPTH,),
    # Through depth-slim, which it was trained against.
    "adain-depth-slim": (PRUNED_FAST_DEPTH,),
}
# Networks whose features a bundled painter was trained against.
_LOSSES = {
    "adain-slim": (TRUE_VGG19, TRUE_VGG16),
    "adain-lap-slim": (TRUE_VGG19, TRUE_VGG16),
    "adain-depth-slim": (TRUE_VGG19, TRUE_VGG16),
}

LOSS, TEACHER, UNSEEN = "loss network", "teacher of its network", "none"


@dataclasses.dataclass(frozen=True)
class Network:
    """A weight file that can be read, before it is used.

    Attributes:
        argument: its name in the user's or a method's options.
        sha256: the hash of the file.
        digest: the hash of the weights, however they are stored.
        metadata: the file's metadata.
    """

    argument: str
    sha256: str
    digest: str
    metadata: WeightsMetadata

    @property
    def is_painter(self) -> bool:
        """Whether it encodes pictures itself."""
        return self.metadata.kind == "painter"


# The kinds of files that can be used for each kind of network.
_KINDS = {"encoder": tuple(vgg.KINDS), "decoder": ("decoder", "painter")}


def open_network(argument: str, *, kind: str) -> Network:
    """Finds and reads a weight file, without starting jax.

    Args:
        argument: see `nstjax.weights.pretrained.weights_path`.
        kind: "encoder", "decoder", "depth" or "lpips".

    Raises:
        NstjaxError: if the file does not exist, or holds another network.
    """
    path = weights_path(argument)
    params, metadata = load_weights(path)
    if metadata.kind not in _KINDS.get(kind, (kind,)):
        needed = "an encoder" if kind == "encoder" else f"a {kind}"
        raise NstjaxError(
            f"{argument} holds a {metadata.kind}, but {needed} is needed here"
        )
    # LPIPS' network may be a method's encoder, in another file.
    digest = digest_of(params["trunk"] if kind == "lpips" else params)
    return Network(argument, sha256_of(path), digest, metadata)


def digest_of(params: Mapping[str, Any]) -> str:
    """SHA-256 of weights by name, as float32."""
    digest = hashlib.sha256()
    for name, value in sorted(flatten_params(params).items()):
        array = np.ascontiguousarray(value, "<f4")
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def part_of_judge(judge: Network, networks: Sequence[Network]) -> str:
    """The judge's role for a method.

    Args:
        judge: the judging network.
        networks: the method's networks.

    Returns:
        `LOSS`, if the method optimises against it, encodes with it, or has a
        decoder that was trained with it; `TEACHER`, if a bundled network that
        the method uses was made to imitate it; else `UNSEEN`.
    """
    hashes = {network.sha256 for network in networks}
    for network in networks:
        notes = network.metadata.notes
        hashes |= {notes[name] for name in notes if name.endswith("sha256")}
    if judge.sha256 in hashes or judge.digest in {n.digest for n in networks}:
        return LOSS
    for network in networks:
        if judge.digest in _LOSSES.get(network.metadata.name, ()):
            return LOSS
        if judge.digest in _TEACHERS.get(network.metadata.name, ()):
            return TEACHER
    return UNSEEN


def open_judges(arguments: Iterable[str], *, kind: str) -> dict[str, Network]:
    """The judges, by their names in tables.

    Args:
        arguments: names or files.
        kind: "encoder", "depth" or "lpips".

    Raises:
        NstjaxError: if one cannot be used, or is given twice.
    """
    judges: dict[str, Network] = {}
    for argument in arguments:
        argument = str(depth_name(argument)) if kind == "depth" else argument
        network = open_network(argument, kind=kind)
        if network.sha256 in {judge.sha256 for judge in judges.values()}:
            raise NstjaxError(f"the judge {argument} was given twice; give it once")
        name = network.metadata.name
        if name in judges:
            name = f"{name}-{network.sha256[:6]}"
        judges[name] = network
    return judges


# The method that optimises against a depth network.
_WITH_DEPTH = "gatys-depth"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A method with its settings.

    Attributes:
        name: its name in tables and files.
        options: from `nstjax.methods.options.method_options`.
        networks: by role, "encoder", "decoder" and "depth", as far as it has them.
    """

    name: str
    options: Mapping[str, Any]
    networks: Mapping[str, Network]

    @property
    def method(self) -> str:
        """The method's name."""
        return self.options["method"]


def make_variants(
    methods: Sequence[str],
    *,
    iterations: int | None = None,
    gatys_evaluations: Sequence[int] = (),
    depth_models: Sequence[str] = (),
    encoders: Sequence[str] = (),
    decoders: Sequence[str] = (),
) -> tuple[list[Variant], list[Variant]]:
    """Makes the variants of an evaluation, and checks that they can run.

    Args:
        methods: names from `nstjax.methods.table.METHODS`.
        iterations: replaces the presets' for methods that optimise.
        gatys_evaluations: budgets at which Gatys is compared with AdaIN: that many
            evaluations at full size only, starting from the content.
        depth_models: names or files of depth networks, with each of which gatys-depth
            also paints; the variants are named after both.
        encoders: names or files of encoders, with each of which methods that optimise
            also paint; the variants are named after both.
        decoders: further decoders of feed-forward methods, ``METHOD=FILE``; each uses
            the one of `encoders` that it was trained for, or else the method's own.

    Returns:
        The methods' own variants, and those of Gatys for the budgets.

    Raises:
        NstjaxError: if a method is unknown or its network is missing, or a further
            network has no method or is given twice.
    """
    if len(set(methods)) < len(methods):
        raise NstjaxError("--methods names a method twice; name each once")
    for decoder in decoders:
        method, _, file = decoder.partition("=")
        known = METHODS.get(method) if method in methods and file else None
        if known is None or not known.in_one_pass:
            raise NstjaxError(
                f"--decoder {decoder} is not METHOD=FILE with a feed-forward method "
                "from --methods, such as adain=decoder.safetensors"
            )
    own = []
    for method in methods:
        known = METHODS.get(method)
        optimises = known is not None and not known.in_one_pass
        changed = {"iterations": iterations} if optimises else {}
        own.append(_variant(method, method_options(method, options=changed)))
        if method == _WITH_DEPTH:
            own.extend(_with_networks(method, "depth", depth_models, changed))
        if optimises:
            own.extend(_with_networks(method, "encoder", encoders, changed))
        else:
            own.extend(_with_decoders(method, decoders, encoders))
    if depth_models and _WITH_DEPTH not in methods:
        raise NstjaxError(
            f"--depth-model is for {_WITH_DEPTH}, which --methods leaves out; name it "
            "there, or leave the option out"
        )
    unused = all(method_of(variant.options).in_one_pass for variant in own)
    if encoders and unused and not decoders:
        raise NstjaxError(
            "--encoder is for methods that optimise, which --methods leaves out; name "
            "one there, or leave the option out"
        )
    budgets = [
        _variant(
            budget_name(budget),
            method_options("gatys", options={"iterations": budget, "stages": ()}),
        )
        for budget in gatys_evaluations
    ]
    return own, budgets


def _with_networks(
    method: str, role: str, networks: Sequence[str], changed: Mapping[str, Any]
) -> Iterator[Variant]:
    """Variants with each of some networks instead of the method's own."""
    option = {"depth": "depth_model", "encoder": "encoder"}[role]
    names: set[str] = set()
    for network in networks:
        options = method_options(method, options={**changed, option: network})
        variant = _variant(f"{method} ({network})", options)
        name = f"{method}-{variant.networks[role].metadata.name}"
        if name in names:
            flag = option.replace("_", "-")
            raise NstjaxError(f"two of --{flag} are called {name}; give it once")
        names.add(name)
        yield dataclasses.replace(variant, name=name)


def _with_decoders(
    method: str, decoders: Sequence[str], encoders: Sequence[str]
) -> Iterator[Variant]:
    """Variants of a feed-forward method with those of the decoders that are for it."""
    names = {method}
    for file in (f for m, _, f in (d.partition("=") for d in decoders) if m == method):
        decoder = open_network(file, kind="decoder")
        trained_for = decoder.metadata.notes.get("encoder_sha256")
        suited = [
            encoder
            for encoder in encoders
            if open_network(encoder, kind="encoder").sha256 == trained_for
        ]
        changed = {"decoder": file} | ({"encoder": suited[0]} if suited else {})
        variant = _variant(
            f"{method} ({file})", method_options(method, options=changed)
        )
        name = decoder.metadata.name
        name = name if name.startswith(f"{method}-") else f"{method}-{name}"
        if name in names:
            raise NstjaxError(f"two of --decoder are called {name}; give it once")
        names.add(name)
        yield dataclasses.replace(variant, name=name)


def budget_name(evaluations: int) -> str:
    """The name of Gatys' variant with a number of evaluations."""
    return f"gatys-{evaluations}"


def _variant(name: str, options: Mapping[str, Any]) -> Variant:
    networks = {}
    method = method_of(options)
    try:
        if isinstance(method, DecoderMethod):
            networks["decoder"] = open_network(options["decoder"], kind="decoder")
            check_transform(networks["decoder"].metadata, method.transform)
        if "decoder" not in networks or not networks["decoder"].is_painter:
            encoder = options["encoder"] or DEFAULT_ENCODER
            networks["encoder"] = open_network(encoder, kind="encoder")
        if len(networks) > 1:
            seen = networks["encoder"]
            check_encoder(networks["decoder"].metadata, seen.metadata, seen.sha256)
        if options.get("depth_weight"):
            model = str(depth_name(options["depth_model"]))
            networks["depth"] = open_network(model, kind="depth")
    except NstjaxError as error:
        raise NstjaxError(
            f"the method {name} cannot run, so leave it out of --methods: {error}"
        ) from error
    return Variant(name, options, networks)
