"""The networks that judge, and whether one had a hand in a method.

A method flatters itself before a judge that it was trained or optimises against.
Networks are told by the SHA-256 of their files, and the published teachers of
bundled networks by their weights, for they are converted by the user.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.evaluation.metrics import Metric, make_custom_metric
from nstjax.evaluation.perceptual import (
    make_depth_metric,
    make_feature_metric,
    make_perceptual_metric,
)
from nstjax.evaluation.pixels import (
    make_color_metric,
    make_detail_metric,
    make_noise_metric,
    make_wasserstein_metric,
)
from nstjax.io.weights import (
    WeightsMetadata,
    flatten_params,
    load_weights,
    sha256_of,
)
from nstjax.models import vgg
from nstjax.weights.pretrained import (
    depth_name,
    load_depth,
    load_encoder,
    load_lpips,
    weights_path,
)
from nstjax.weights.store.cache import weights_file

# VGG-19 distilled to a sixteenth, relu5_1 (MingSun-Tse/Collaborative-Distillation),
# and the normalised VGG-19 up to relu3_1 (pietrocarbo/deep-transfer).
DISTILLED_16X = "047209a358161bd67c7e0951358649380c3a3364b41cac49e30813f933b7759a"
NORMALISED_RELU3_1 = "7e62c9cb5cbd6251ab1049a9821f7fa5ff58443df1067f6fc0b37b4a7752eb05"
# Simonyan & Zisserman's VGG-19, as `nstjax weights get vgg19` brings it.
TRUE_VGG19 = "7b8ab704a8bc5280862ed47d2409f657b352346b4ced33aa6fe3706d10ed9bad"
# FastDepth as openmv pruned it.
PRUNED_FAST_DEPTH = "ccc42ee955cddf586298fda833f1e4975a3d2d2690167b7734ff731e186bfd9b"
# See the networks' cards in ``nstjax/weights/bundled/``.
_TEACHERS = {
    "vgg19-slim": (DISTILLED_16X, NORMALISED_RELU3_1),
    "depth-slim": (PRUNED_FAST_DEPTH,),
    # By way of depth-slim, which it was trained against.
    "adain-depth-slim": (PRUNED_FAST_DEPTH,),
}
# Networks whose features a bundled painter was trained against.
_LOSSES = {
    "adain-slim": (TRUE_VGG19,),
    "adain-lap-slim": (TRUE_VGG19,),
    "adain-depth-slim": (TRUE_VGG19,),
}

LOSS, TEACHER, UNSEEN = "loss network", "teacher of its network", "none"


@dataclasses.dataclass(frozen=True)
class Network:
    """A weight file that can be read, before anything is done with it.

    Attributes:
        argument: what the user, or a method's options, call it.
        sha256: of the file.
        digest: of the weights themselves, however they are stored.
        metadata: what the file says about itself.
    """

    argument: str
    sha256: str
    digest: str
    metadata: WeightsMetadata

    @property
    def is_painter(self) -> bool:
        """Whether it encodes pictures itself."""
        return self.metadata.kind == "painter"


# Kinds of files that serve as what a method asks for.
_KINDS = {"encoder": tuple(vgg.KINDS), "decoder": ("decoder", "painter")}


def open_network(argument: str, *, kind: str) -> Network:
    """Finds and reads a weight file, without starting jax.

    Args:
        argument: see `nstjax.weights.pretrained.weights_path`.
        kind: "encoder", "decoder", "depth" or "lpips".

    Raises:
        NstjaxError: if there is no such file, or it holds another network.
    """
    path = weights_path(argument)
    params, metadata = load_weights(path)
    if metadata.kind not in _KINDS.get(kind, (kind,)):
        needed = "an encoder" if kind == "encoder" else f"a {kind}"
        raise NstjaxError(
            f"{argument} holds a {metadata.kind}, but {needed} is needed here"
        )
    # LPIPS' network may be a method's encoder, in a file of its own.
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
    """What a judge was to a method.

    Args:
        judge: the judging network.
        networks: the method's own.

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
    """The judges by the name that tables call them by.

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


def fetched_lpips() -> list[str]:
    """The names of LPIPS' networks that 'nstjax weights get' has fetched."""
    return [name for name in ("lpips", "lpips-alexnet") if weights_file(name).is_file()]


def check_names(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    metrics: Sequence[Metric],
) -> None:
    """Raises NstjaxError unless every column has a name of its own."""
    keys = [column.key for metric in metrics for column in metric.columns]
    for key in keys:
        if keys.count(key) > 1:
            raise NstjaxError(f"two metrics are called {key}; rename the --metric")
    if both := set(judges) & set(depth_judges):
        raise NstjaxError(f"two judges are called {both.pop()}; convert one anew")


def make_judges(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    perceptual: Mapping[str, Network],
) -> list[Metric]:
    """The metrics of networks, which are loaded here: this starts jax."""
    return [
        *(
            make_feature_metric(load_encoder(network.argument), name=name)
            for name, network in judges.items()
        ),
        *(
            make_depth_metric(load_depth(network.argument), name=name)
            for name, network in depth_judges.items()
        ),
        *(
            make_perceptual_metric(load_lpips(network.argument), name=name)
            for name, network in perceptual.items()
        ),
    ]


def make_plain_metrics(metrics: Sequence[str]) -> list[Metric]:
    """The metrics that need no network, and the user's own metrics by place."""
    return [
        make_detail_metric(),
        make_wasserstein_metric(),
        make_noise_metric(),
        make_color_metric(),
        *(make_custom_metric(place) for place in metrics),
    ]
