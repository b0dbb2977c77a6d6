"""StableHLO with free sizes, read back and run."""

import json
import sys

import jax
import numpy as np
import pytest
from jax import export

from nstjax.cli.main import main
from nstjax.methods import one_pass
from nstjax.methods.networks import load_networks

pytest.importorskip("flatbuffers", reason="needs the extra [export]")


def export_method(folder, decoder, *more):
    arguments = ["export", "adain", str(folder / "out"), "--format", "stablehlo"]
    assert main([*arguments, "--decoder", decoder, *more]) == 0
    return folder / "out"


def read(folder):
    return {
        path.stem: export.deserialize(bytearray(path.read_bytes()))
        for path in folder.glob("*.jax")
    }


def call(model, *arrays):
    """Runs a function once, compiled quickly for that."""
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(model.call, compiler_options=options)(*arrays)


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    _, decoder = networks["painter"]
    folder = export_method(tmp_path_factory.mktemp("stablehlo"), decoder)
    return folder, load_networks("", decoder)


def test_it_paints_as_in_jax(exported):
    folder, networks = exported
    models = read(folder)
    assert set(models["painter"].platforms) >= {"cpu", "cuda", "tpu"}
    # Of test_onnx.py's sizes, whose programs are at hand: one is no multiple of 8.
    rng = np.random.default_rng(0)
    content = rng.random((41, 54, 3), np.float32)
    style = rng.random((40, 48, 3), np.float32)
    told = np.float32([0.6]), *call(models["style_encoder"], style[None])
    (whole,) = call(models["painter"], content[None], *told)
    expected = one_pass.transfer_picture(content, [style], networks=networks, alpha=0.6)
    assert expected.std() > 0.02
    np.testing.assert_allclose(whole[0], expected, atol=1e-4)
    features = call(models["encoder"], content[None])
    (halves,) = call(models["decoder"], *features, *told)
    np.testing.assert_allclose(halves[0, :41, :54], expected, atol=1e-4)


@pytest.mark.slow
def test_an_encoder_and_its_decoder_are_traced_with_free_sizes(networks, tmp_path):
    encoder, decoder = networks["reflect"]
    folder = export_method(tmp_path, decoder, "--encoder", encoder)
    (painted,) = read(folder)["painter"].out_avals
    assert list(map(str, painted.shape)) == ["batch", "height", "width", "3"]


def test_the_portable_files_are_mlir_bytecode(exported):
    folder, _ = exported
    card = json.loads((folder / "card.json").read_text())
    names = [name for name in card["sha256"] if name.endswith(".mlirbc")]
    assert len(names) == 4
    for name in names:
        # https://mlir.llvm.org/docs/BytecodeFormat/#magic-number
        assert (folder / name).read_bytes().startswith(b"ML\xefR")


def test_a_missing_package_is_one_sentence(networks, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    arguments = ["export", "adain", str(tmp_path / "out"), "--format", "stablehlo"]
    assert main([*arguments, "--decoder", networks["painter"][1]]) == 2
    assert "need the package flatbuffers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
