"""The built package has all it needs, away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", str(folder), "--quiet"]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = folder.glob("nstjax-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _run(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "nstjax", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_it_brings_configs_weights_and_examples_in_one_package(site):
    names = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert {
        "nstjax/configs/common.py",
        "nstjax/configs/gatys.py",
        "nstjax/weights/bundled/vgg19-slim.safetensors",
        "nstjax/weights/bundled/vgg19-slim.md",
        "nstjax/py.typed",
    } <= names
    assert any(name.startswith("nstjax/assets/styles/") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nstjax"}


def test_it_declares_its_command(site):
    (entry_points,) = site.glob("nstjax-*.dist-info/entry_points.txt")
    assert "nstjax = nstjax.cli.main:entry" in entry_points.read_text()


def test_it_paints_outside_the_checkout(site, tmp_path):
    where = "import nstjax; print(nstjax.__file__)"
    result = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert str(site) in result.stdout
    options = ["--content=coffee", "--style=night", "--size=64"]
    result = _run(site, tmp_path, "stylize", *options, "--output=out.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out.png").is_file()


def test_every_command_answers_for_help(site, tmp_path):
    overview = _run(site, tmp_path, "--help")
    assert overview.returncode == 0
    commands = [
        line.split()[0]
        for line in overview.stdout.splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ]
    assert {"stylize", "train"} <= set(commands)
    program = (
        "import sys\nfrom nstjax.cli.main import main\n"
        "for command in sys.argv[1:]:\n"
        "    try:\n        assert main([command, '--help']) == 0\n"
        "    except SystemExit as end:\n        assert not end.code\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, *commands],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "XLA_FLAGS": ""},
        check=True,
    )


def test_configs_of_the_users_own_may_build_on_those_that_it_brings(site, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from nstjax.configs import gatys\n\n\n"
        "def get_config(preset='best'):\n"
        "    config = gatys.get_config(preset)\n"
        "    with config.unlocked():\n        config.iterations = 3\n"
        "    return config\n"
    )
    program = (
        "import sys\nfrom nstjax.methods.options import method_options\n"
        "assert method_options('gatys', config='mine.py')['iterations'] == 3\n"
        "assert 'configs' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "XLA_FLAGS": ""},
        check=True,
    )


def test_an_unknown_command_is_one_sentence(site, tmp_path):
    result = _run(site, tmp_path, "paint")
    assert result.returncode == 2
    assert result.stderr.startswith("nstjax: error:") and "stylize" in result.stderr
    assert len(result.stderr.splitlines()) == 1
