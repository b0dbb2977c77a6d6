"""The entries hold together."""

import re

import pytest

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.command import COMMANDS
from nstjax.weights.pretrained import bundled_names
from nstjax.weights.store.entries import ALIASES, ENTRIES, find_entry, known


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_complete(name):
    entry = ENTRIES[name]
    assert entry.name == name
    if entry.package:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", entry.package) and not entry.url
        # pip wants the whole hash.
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", entry.digest)
    else:
        assert entry.url.startswith("https://")
        assert entry.url.endswith(entry.file[-4:])
    assert entry.converter in COMMANDS
    assert entry.use and entry.publisher.licence
    assert re.fullmatch(r"(sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}|)", entry.digest)


def test_hashes_of_torch_s_convention_are_those_in_the_names():
    stated = {
        name: digits
        for name, entry in ENTRIES.items()
        for digits in re.findall(r"-([0-9a-f]{8})\.pth$", entry.file)
    }
    assert stated.keys() == {"vgg19-torchvision", "vgg16-torchvision", "vgg19-caffe"}
    for name, digits in stated.items():
        assert ENTRIES[name].digest == f"sha256:{digits}"


def test_files_in_repositories_are_addressed_by_their_commit():
    raw = [e.url for e in ENTRIES.values() if "raw.githubusercontent.com" in e.url]
    assert raw
    assert all(re.search(r"/[0-9a-f]{40}/", url) for url in raw)


def test_monodepth2_is_for_those_who_accept_its_licence():
    names = [name for name in ENTRIES if name.startswith("monodepth2")]
    assert len(names) == 9
    for name in names:
        entry = ENTRIES[name]
        assert entry.terms.startswith("https://github.com/nianticlabs/monodepth2")
        assert "non-commercial" in entry.publisher.licence
    assert not any(e.terms for n, e in ENTRIES.items() if n not in names)


def test_short_names():
    assert find_entry("monodepth2").file == "mono_640x192.zip"
    assert (
        find_entry("monodepth2-mono+stereo_640x192").file == "mono+stereo_640x192.zip"
    )
    assert all(known(name) for name in [*ENTRIES, *ALIASES])
    assert not known("vgg19-slim")
    with pytest.raises(NstjaxError):
        find_entry("")


def test_no_name_is_a_bundled_network_s():
    assert not {*ENTRIES, *ALIASES} & set(bundled_names())
