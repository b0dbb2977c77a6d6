"""That the comparison runs, and counts what it should; never how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from nstjax.models import decoders, monodepth, vgg
from nstjax.weights.pretrained import load_encoder

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def side_by_side(monkeypatch):
    """The benchmarks' package, on the path for as long as a test lasts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name.startswith("side_by_side")]:
        del sys.modules[name]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "compare.py"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_without_torch_the_column_of_nstjax_is_there_alone(tmp_path):
    figures = tmp_path / "figures.json"
    done = run("--tiny", "--no-torch", "encode-256", "--json", str(figures))
    assert done.returncode == 0, done.stderr
    assert "torch is left out" in done.stderr
    assert "encode-256" in done.stdout and "torch" not in done.stdout
    (row,) = json.loads(figures.read_text())["cases"]
    assert set(row["seconds"]) == {"nstjax"} and row["seconds"]["nstjax"] > 0


def test_both_libraries_give_the_same(tmp_path):
    pytest.importorskip("torch")
    figures = tmp_path / "figures.json"
    cases = ("adain-256", "paint-2x256", "gatys-adam-256")
    loops = ("--evaluations", "3")
    done = run("--tiny", "--markdown", *cases, *loops, "--json", str(figures))
    assert done.returncode == 0, done.stderr
    rows = json.loads(figures.read_text())["cases"]
    for name, row in zip(cases, rows, strict=True):
        assert f"| {name} |" in done.stdout
        assert set(row["seconds"]) == {"nstjax", "torch"} and len(row["pairs"]) == 1
        assert row["difference"] < 1e-3
    # Adam's steps are a sign's at first, which rounding turns.
    assert all(row["difference"] < 1e-4 for row in rows[:2])
    assert [row["case"]["evaluations"] for row in rows] == [3, 3, 3]
    operations = [row["operations"] for row in rows]
    # Of AdaIN the style's encoder is missing, of each of two pictures.
    assert operations[0] < operations[1] < 2 * operations[0]


def test_whole_processes_paint_the_same(tmp_path):
    pytest.importorskip("torch")
    figures = tmp_path / "figures.json"
    done = run("--tiny", "cold-start-128", "--json", str(figures))
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(figures.read_text())["cases"]
    # A level of 8 bits, where both round.
    assert row["difference"] < 1.01 / 255


def test_an_unknown_case_is_one_sentence():
    done = run("nothing-512")
    assert done.returncode == 2
    assert "there is no case 'nothing-512'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_weights_fit_the_networks(side_by_side):
    from side_by_side import inputs

    def shapes(tree):
        return jax.tree.map(lambda leaf: leaf.shape, tree)

    spec = vgg.VGGSpec(widths=inputs.ENCODER_WIDTHS["full"])
    assert shapes(inputs.encoder("full")) == vgg.param_shapes(spec)
    spec = decoders.DecoderSpec()
    assert shapes(inputs.decoder("full")) == decoders.param_shapes(spec)
    spec = monodepth.MonodepthSpec()
    assert shapes(inputs.depth("full")) == monodepth.param_shapes(spec)


def test_slim_widths_are_the_bundled_ones(side_by_side):
    from side_by_side import inputs

    assert inputs.ENCODER_WIDTHS["slim"] == load_encoder("vgg19-slim").spec.widths


def test_operations_of_an_encoder_are_xlas(side_by_side):
    from side_by_side import flops, inputs
    from side_by_side.cases import parse

    # So small that no convolution goes through Winograd's form, which XLA counts as
    # the fewer products that it takes.
    case = parse("encode-96", widths="full", precision="float32")
    spec = vgg.VGGSpec(widths=inputs.ENCODER_WIDTHS["full"])
    encode = jax.jit(
        lambda params, image: vgg.features(params, image, ["relu4_1"], spec=spec)
    )
    params = jax.eval_shape(lambda: vgg.init_params(jax.random.key(0), spec))
    picture = jax.ShapeDtypeStruct((1, 96, 96, 3), np.float32)
    counted = encode.lower(params, picture).compile().cost_analysis()["flops"]
    # XLA leaves out products with padding and adds biases, ReLUs and maxima.
    assert flops.operations(case) == pytest.approx(counted, rel=0.05)


def test_operations_that_are_known(side_by_side):
    from side_by_side import flops
    from side_by_side.cases import parse

    def count(name):
        return flops.operations(parse(name, widths="full", precision="float32"))

    # relu3_1 of 64 pixels has 16 x 16 cells, so 14 x 14 patches of 9 x 256.
    assert count("swap-64") == 2 * (14 * 14) ** 2 * 9 * 256
    assert count("encode-8x256") == 8 * count("encode-256")
    assert count("gatys-adam-256") == 10 * count("gatys-256")
    # A doubled picture has four times the operations of a convolution.
    assert count("encode-512") == 4 * count("encode-256")
