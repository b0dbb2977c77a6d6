"""Compiled programs kept for the next run."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from nstjax.weights.store import compile_cache, programs
from nstjax.weights.store.compile_cache import VARIABLE, set_compile_cache

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
)


@pytest.fixture
def settings(monkeypatch):
    """Makes the settings from variables; returns those of jax."""
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def make(*, use=True, **variables):
        for name in (*SETTINGS, VARIABLE):
            os.environ.pop(name, None)
        os.environ.update(variables)
        with warnings.catch_warnings():
            set_compile_cache(use=use)
        return {name: os.environ[name] for name in SETTINGS if name in os.environ}

    yield make
    programs.keep_programs_in(None)


def test_the_folder_is_the_projects_and_bounded(settings, tmp_path):
    found = settings(NSTJAX_CACHE=str(tmp_path))
    folder = Path(found["JAX_COMPILATION_CACHE_DIR"])
    assert folder.is_dir() and folder.parent == tmp_path / "compiled"
    assert 0 < int(found["JAX_COMPILATION_CACHE_MAX_SIZE"]) <= 2**30
    assert found["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"


def test_another_folder_can_be_named(settings, tmp_path):
    found = settings(NSTJAX_COMPILE_CACHE=str(tmp_path / "here"))
    assert Path(found["JAX_COMPILATION_CACHE_DIR"]).parent == tmp_path / "here"


def test_unlike_processors_have_folders_of_their_own(settings, tmp_path, monkeypatch):
    folders = set()
    for flags in ("fma avx2", "fma avx2 avx512f"):
        monkeypatch.setattr(compile_cache, "instructions", lambda flags=flags: flags)
        found = settings(NSTJAX_COMPILE_CACHE=str(tmp_path))
        folders.add(found["JAX_COMPILATION_CACHE_DIR"])
    assert len(folders) == 2


@pytest.mark.parametrize("how", [{"use": False}, {VARIABLE: "off"}, {VARIABLE: "OFF"}])
def test_it_can_be_switched_off(how, settings):
    assert settings(**how) == {"JAX_ENABLE_COMPILATION_CACHE": "false"}


def test_switched_off_later_no_programs_are_kept_either(settings, tmp_path):
    settings(NSTJAX_COMPILE_CACHE=str(tmp_path))
    assert programs._folder.parent.parent == tmp_path
    settings(use=False)
    assert programs._folder is None


def test_what_is_set_for_jax_is_left_alone(settings, tmp_path):
    mine = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    assert settings(**mine) == mine


def test_a_folder_that_cannot_be_made_is_not_used(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert settings(NSTJAX_COMPILE_CACHE=str(tmp_path / "file" / "cache")) == {}


def test_a_folder_that_cannot_be_written_is_not_used(settings, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(compile_cache.tempfile, "TemporaryFile", refuse)
    assert settings(NSTJAX_COMPILE_CACHE=str(tmp_path)) == {}


def test_damaged_entries_are_compiled_anew_without_a_word(tmp_path):
    environment = {n: v for n, v in os.environ.items() if n not in SETTINGS}
    environment[VARIABLE] = str(tmp_path)
    program = (
        "from nstjax.weights.store.compile_cache import set_compile_cache\n"
        "set_compile_cache()\n"
        "import jax\n"
        "print(jax.jit(lambda x: 2 * x + 1)(3.0))\n"
    )

    def run():
        result = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        assert (result.stdout, result.stderr) == ("7.0\n", "")

    run()
    entries = list(tmp_path.rglob("*-cache"))
    assert entries
    for entry in entries:
        entry.write_bytes(b"damaged")
    run()


def test_the_second_run_imports_nothing_that_only_tracing_needs(tmp_path):
    """Chex takes a tenth of a second, as Flax does where a network needs it."""
    program = """
import sys
from nstjax.cli.stylize import main
status = main(["--content", "chelsea", "--style", "night", "--size", "64", "--quiet",
               "--output", sys.argv[1]])
loaded = {"flax", "chex._src", "optax"} & set(sys.modules)
print(status, *sorted(loaded))
"""
    environment = {n: v for n, v in os.environ.items() if n not in SETTINGS}
    environment[VARIABLE] = str(tmp_path / "cache")
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / f"{number}.png")],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for number in range(2)
    ]
    assert said == ["0 chex._src", "0"]
