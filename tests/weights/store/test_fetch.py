"""Published weights, from a server to a converted file in the cache."""

import hashlib
import io
import threading
import zipfile

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights
from nstjax.weights.pretrained import load_encoder, weights_path
from nstjax.weights.store import cache as store_cache
from nstjax.weights.store.entries import MONODEPTH2
from nstjax.weights.store.fetch import fetch


@pytest.fixture(scope="module")
def state():
    """The first layers of torchvision's file, and a classifier."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=generator)

    return {
        "features.0.weight": random(64, 3, 3, 3),
        "features.0.bias": random(64),
        "features.2.weight": random(64, 64, 3, 3),
        "features.2.bias": random(64),
        "classifier.0.weight": random(300, 500),
        "classifier.0.bias": random(300),
    }


def written(state, *, zipped=True):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def entry(site, state, add_entry):
    """An entry whose file the server has."""
    site.content = written(state)
    return add_entry(
        url=site.url("vgg19-small.pth"), digest=f"sha256:{sha256(site.content)[:8]}"
    )


def files(folder):
    """All files in a folder, locks aside."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(p.name for p in found if p.suffix != ".lock")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("cuts", [[], [200_000, 100_000]], ids=["whole", "cut"])
def test_convolutions_arrive_and_are_kept(
    site, state, cache, entry, add_entry, zipped, cuts
):
    site.content, site.cuts = written(state, zipped=zipped), list(cuts)
    digest = sha256(site.content)
    add_entry(url=entry.url, digest=f"sha256:{digest[:8]}")
    path = fetch("small", progress=False)
    assert path == cache / "small.safetensors"
    params, metadata = load_weights(path)
    assert params.keys() == {"conv1_1", "conv1_2"}
    for name, number in (("conv1_1", 0), ("conv1_2", 2)):
        kernel = state[f"features.{number}.weight"].numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(params[name]["kernel"], kernel)
        bias = state[f"features.{number}.bias"].numpy()
        np.testing.assert_array_equal(params[name]["bias"], bias)
    assert metadata.origin_sha256 == digest
    assert "vgg19-small.pth" in metadata.source
    # Nothing of the classifier, nor of the download.
    assert path.stat().st_size < 4 * (64 * 27 + 64 + 64 * 576 + 64) + 4000
    assert files(cache) == ["small.safetensors", "small.sha256"]
    noted = (cache / "small.sha256").read_text()
    assert noted == f"{sha256(path.read_bytes())}  small.safetensors\n"
    assert len(site.requests) == 1 + len(cuts)


def test_what_was_fetched_needs_no_server(site, cache, entry):
    first = fetch("small", progress=False)
    del site.requests[:]
    assert fetch("small") == first
    assert load_encoder("small").spec.widths == (64, 64)
    assert not site.requests
    fetch("small", overwrite=True, progress=False)
    assert len(site.requests) == 1


def test_the_registry_fetches(site, cache, entry):
    encoder = load_encoder("small")
    assert encoder.spec.input_map == "imagenet"
    assert weights_path("small") == cache / "small.safetensors"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_another_file_than_the_published_one_is_refused(
    site, state, cache, entry, add_entry, algorithm
):
    digits = hashlib.new(algorithm, site.content).hexdigest()
    other = state | {"features.0.bias": state["features.0.bias"] + 1}
    add_entry(url=entry.url, digest=f"{algorithm}:{digits}")
    good, site.content = site.content, written(other)
    found = hashlib.new(algorithm, site.content).hexdigest()
    with pytest.raises(NstjaxError, match=f"begins with {found} instead of {digits}"):
        fetch("small", progress=False)
    assert files(cache) == []
    site.content = good
    assert fetch("small", progress=False).is_file()


def test_a_dead_link_says_what_to_do(site, cache, entry):
    site.statuses = [404]
    with pytest.raises(NstjaxError) as caught:
        fetch("small", progress=False)
    message = str(caught.value)
    assert entry.url in message and "404" in message and "\n" not in message
    assert "vgg19-small.pth" in message and "nstjax convert vgg19" in message
    assert entry.publisher.url in message


def test_no_network_says_what_to_do(nowhere, cache, add_entry):
    add_entry(url=f"{nowhere}/vgg19-small.pth")
    with pytest.raises(
        NstjaxError, match="no connection.*nstjax convert vgg19"
    ) as caught:
        weights_path("small")
    assert "\n" not in str(caught.value)
    assert files(cache) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>Log in to the network</html>", "is a web page"),
        (b"\x80\x02}q\x00.", "holds no named tensors"),
        (b"\x00" * 64, "not a complete torch.save file"),
    ],
)
def test_a_wrong_file_without_a_stated_hash_is_noticed(
    site, cache, entry, add_entry, content, message
):
    add_entry(url=entry.url, digest="")
    site.content = content
    with pytest.raises(NstjaxError, match=message):
        fetch("small", progress=False)
    assert files(cache) == []


def test_a_licence_must_be_accepted_before_anything_is_fetched(
    site, cache, entry, add_entry
):
    terms = "https://example.org/LICENSE"
    add_entry(url=entry.url, publisher=MONODEPTH2, terms=terms)
    with pytest.raises(NstjaxError) as caught:
        weights_path("small")
    message = str(caught.value)
    assert "non-commercial" in message and terms in message
    assert "nstjax weights get small --accept-license" in message
    assert not site.requests
    fetch("small", accept_license=True, progress=False)
    # Accepted once, it is used without asking.
    assert weights_path("small").is_file()


def test_two_at_once_download_once(site, cache, entry):
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch("small", progress=False)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [cache / "small.safetensors"] * 4
    assert len(site.requests) == 1


def test_an_archive_that_is_none_of_monodepth2_s(site, cache, add_entry):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "moved")
    site.content = file.getvalue()
    add_entry(url=site.url("mono.zip"), converter="monodepth2")
    with pytest.raises(NstjaxError, match=r"encoder\.pth"):
        fetch("small", progress=False)
    assert files(cache) == []


def test_a_cache_that_cannot_be(tmp_path, monkeypatch, entry):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NSTJAX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NstjaxError, match="cannot be created.*NSTJAX_CACHE"):
        fetch("small", progress=False)


def test_unknown_names(cache):
    with pytest.raises(NstjaxError, match="did you mean vgg19-caffe"):
        fetch("vgg19_caffe")
    with pytest.raises(NstjaxError, match="'nstjax weights list'"):
        fetch("xyz")
    with pytest.raises(NstjaxError, match="no network 'xyz'.*vgg19-slim.*weights list"):
        weights_path("xyz")


def test_changed_files_are_noticed(site, cache, entry):
    path = fetch("small", progress=False)
    assert store_cache.cached_names() == ["small"]
    assert store_cache.check_hash("small") == ""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "has changed" in store_cache.check_hash("small")
    path.with_suffix(".sha256").unlink()
    assert "not recorded" in store_cache.check_hash("small")


def test_the_folder_is_the_platform_s_unless_told(tmp_path, monkeypatch):
    monkeypatch.delenv("NSTJAX_CACHE", raising=False)
    assert store_cache.cache_folder().name == "nstjax"
    monkeypatch.setenv("NSTJAX_CACHE", "~/here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_cache.cache_folder() == tmp_path / "here"
