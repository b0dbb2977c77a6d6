"""The commands: what they write, print and return."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nstjax.io.weights import check_shapes, load_weights
from nstjax.models.vgg import VGGSpec, param_shapes
from nstjax.weights.conversion.command import COMMANDS, main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def encoder(tmp_path):
    """A distilled encoder that ends at relu1_1, with its map."""
    path = tmp_path / "source.npz"
    np.savez(
        path,
        **{
            "conv0/kernel": np.eye(3, dtype=np.float32)[None, None],
            "conv0/bias": np.zeros(3, np.float32),
            "conv1_1/kernel": np.ones((3, 3, 3, 4), np.float32),
            "conv1_1/bias": np.zeros(4, np.float32),
            "conv1_1_aux/kernel": np.ones((1, 1, 4, 64), np.float32),
            "conv1_1_aux/bias": np.zeros(64, np.float32),
        },
    )
    return path


def test_written_files_load_and_fit_their_network(encoder, tmp_path, capsys):
    dest, aux = tmp_path / "new" / "dest.safetensors", tmp_path / "aux.safetensors"
    assert main("distilled_vgg", [str(encoder), str(dest), "--aux", str(aux)]) == 0
    params, metadata = load_weights(dest)
    assert metadata.kind == "vgg19"
    assert "convert distilled_vgg" in metadata.recipe
    assert "Collaborative-Distillation" in metadata.source
    assert "MIT" in metadata.licence
    check_shapes(params, param_shapes(VGGSpec.from_dict(metadata.spec)), where="dest")
    params, metadata = load_weights(aux)
    assert metadata.kind == "linear_maps"
    assert params["relu1_1"]["kernel"].shape == (1, 1, 4, 64)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith(f"{dest}: ")


def test_nothing_is_overwritten_unless_told(encoder, tmp_path, capsys):
    dest, aux = tmp_path / "dest.safetensors", tmp_path / "aux.safetensors"
    aux.write_text("mine")
    arguments = [str(encoder), str(dest), "--aux", str(aux)]
    assert main("distilled_vgg", arguments) == 2
    assert f"{aux} exists" in capsys.readouterr().err
    assert aux.read_text() == "mine" and not dest.exists()
    assert main("distilled_vgg", [*arguments, "--overwrite"]) == 0
    assert load_weights(aux)[1].kind == "linear_maps"


def test_two_outputs_in_one_file_are_refused(encoder, tmp_path, capsys):
    dest = str(tmp_path / "dest.safetensors")
    arguments = [str(encoder), dest, "--aux", dest, "--overwrite"]
    assert main("distilled_vgg", arguments) == 2
    assert "the same file" in capsys.readouterr().err
    assert not Path(dest).exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_errors_are_one_sentence_and_status_2(name, tmp_path, capsys):
    source = tmp_path / "x.pth"
    source.write_text("<html>")
    dest = tmp_path / "dest.safetensors"
    assert main(name, [str(source), str(dest)]) == 2
    out, err = capsys.readouterr()
    assert not out and not dest.exists()
    what = "neither a folder nor an archive" if name == "monodepth2" else "a web page"
    assert err.startswith(f"{name}: error: {source} is {what}")
    assert err.count("\n") == 1


class _Evil:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.remove, (self.victim,)


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    """Files as they are published, and what is made of one by attackers."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("files")
    for name, network in (
        ("encoder.pth", networks.normalised_vgg(3)),
        ("decoder.pth", networks.sequential_decoder((128, 64, 64, 3), (0,))),
        ("vgg16.pth", networks.torchvision_vgg(networks.vgg16_blocks)),
    ):
        networks.save(network.state_dict(), folder / name)
    whole = (folder / "encoder.pth").read_bytes()
    (folder / "truncated.pth").write_bytes(whole[: len(whole) // 2])
    victim = folder / "victim"
    victim.write_text("here")
    torch.save({"0.weight": _Evil(str(victim))}, folder / "evil.pth")
    return folder


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("vgg19", "evil.pth", "is refused because it asks for posix.remove"),
        ("vgg19", "truncated.pth", "is not a complete torch.save file"),
        ("vgg19", "vgg16.pth", "is a VGG-16, not a VGG-19 encoder"),
        ("vgg19", "decoder.pth", "use 'nstjax convert adain_decoder'"),
        ("adain_decoder", "encoder.pth", "use 'nstjax convert vgg19'"),
        ("monodepth2", "encoder.pth", "encoder.pth"),
    ],
)
def test_wrong_files_are_refused_in_one_sentence(
    files, tmp_path, capsys, name, file, message
):
    dest = tmp_path / "new" / "dest.safetensors"
    assert main(name, [str(files / file), str(dest)]) == 2
    out, err = capsys.readouterr()
    assert not out and message in err and err.count("\n") == 1
    assert err.startswith(f"{name}: error: {files}")
    assert not dest.parent.exists()
    assert (files / "victim").exists()


def test_non_finite_weights_are_not_written(encoder, tmp_path, capsys):
    with np.load(encoder) as archive:
        tensors = dict(archive)
    tensors["conv1_1/bias"][0] = np.nan
    np.savez(encoder, **tensors)
    dest = tmp_path / "dest.safetensors"
    assert main("distilled_vgg", [str(encoder), str(dest)]) == 2
    assert "conv1_1/bias is not finite" in capsys.readouterr().err
    assert not dest.exists()


def test_warnings_go_to_stderr(networks, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    state = {"0.weight": torch.ones(64, 3, 3, 3), "0.bias": torch.ones(64)}
    path = networks.save(state, tmp_path / "vgg19-dcbb9e9d.pth")
    dest = tmp_path / "dest.safetensors"
    assert main("vgg19", [str(path), str(dest)]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: the SHA-256 of vgg19-dcbb9e9d.pth")
    assert "variant torchvision" in out


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "--variant", "x"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main("vgg19", arguments)
    assert caught.value.code == 2
    assert "usage: nstjax convert vgg19" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_whose_help_needs_no_jax(name):
    program = (
        "import runpy, sys; sys.modules.update(jax=None, flax=None, torch=None); "
        f"sys.argv = ['x', '--help']; runpy.run_module('converters.{name}', "
        "run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"nstjax convert {name}" in done.stdout
    assert "SOURCE" in done.stdout and "--overwrite" in done.stdout


def test_there_are_no_other_commands():
    modules = {path.stem for path in (ROOT / "converters").glob("*.py")}
    assert modules - {"__init__"} == set(COMMANDS)
