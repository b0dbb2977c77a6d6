"""``nstjax weights``: what it prints and returns."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nstjax.cli.main import main as nstjax
from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.weights.store.cache import record_hash
from nstjax.weights.store.entries import ENTRIES

ROOT = Path(__file__).resolve().parents[2]


def weights(*arguments):
    return nstjax(["weights", *arguments])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NSTJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def fetched(cache):
    """A file that stands where a fetched one would."""
    path = cache / "vgg19.safetensors"
    metadata = WeightsMetadata("vgg19", "x", {}, "a test", "none")
    save_weights(path, {"conv1_1": {"bias": np.ones(2)}}, metadata)
    record_hash("vgg19")
    return path


def test_list_has_everything_that_is_known(capsys, fetched):
    assert weights("list") == 0
    out = capsys.readouterr().out
    for entry in ENTRIES.values():
        assert entry.place in out and entry.publisher.licence in out
        assert entry.digest.partition(":")[2] in out
    assert "vgg19 (fetched)" in out and out.count("(fetched)") == 1
    assert "574.7 MB" in out and "size not stated" in out
    assert out.count("needs --accept-license") == 9
    assert "monodepth2-mono_640x192 or monodepth2\n" in out


def test_path(capsys, cache, fetched):
    assert weights("path") == 0
    assert capsys.readouterr().out == f"{cache}\n"
    assert weights("path", "vgg19") == 0
    assert capsys.readouterr().out == f"{fetched}\n"
    assert weights("path", "vgg19-caffe") == 2
    assert "run 'nstjax weights get vgg19-caffe'" in capsys.readouterr().err


def test_get_of_what_is_there(capsys, fetched):
    assert weights("get", "vgg19") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{fetched}: MIT") and not err
    assert out.endswith(", already fetched\n")


def test_get_without_the_licence_accepted(capsys, cache):
    assert weights("get", "monodepth2") == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert "non-commercial" in err and "--accept-license" in err
    assert not cache.exists()


def test_get_checks_all_names_before_it_begins(capsys, cache):
    assert weights("get", "vgg19-caffe", "vgg91") == 2
    assert "did you mean vgg19" in capsys.readouterr().err
    assert not cache.exists()


def test_verify(capsys, fetched):
    assert weights("verify") == 0
    assert capsys.readouterr().out == "vgg19: as it was fetched\n"
    fetched.write_bytes(fetched.read_bytes()[:-1])
    assert weights("verify") == 2
    out, err = capsys.readouterr()
    assert out == "vgg19: it has changed since it was fetched\n"
    assert "nstjax weights get --overwrite vgg19" in err and err.count("\n") == 1


def test_verify_of_nothing(capsys):
    assert weights("verify") == 0
    assert capsys.readouterr().out == "nothing has been fetched\n"


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["get"], ["list", "x"]])
def test_wrong_usage(arguments, capsys):
    assert weights(*arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_stylize_without_a_network_is_one_sentence(tmp_path):
    """The proxy stands for a network that is not there."""
    proxy = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    done = subprocess.run(
        [sys.executable, "stylize.py", "--encoder=vgg19-torchvision", "--method=gatys"]
        + ["--content=coffee", "--style=night", f"--output={tmp_path / 'out.png'}"],
        cwd=ROOT,
        env=os.environ | proxy,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("nstjax: error: https://download.pytorch.org/")
    assert done.stderr.count("\n") == 1
    assert "nstjax convert vgg19" in done.stderr
    assert not (tmp_path / "out.png").exists()
