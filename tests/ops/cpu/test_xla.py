"""Flags only where they are known to be understood: XLA aborts at others."""

import importlib.util
import os
import subprocess
import sys

import jax  # noqa: F401
import pytest
from jaxlib import version as jaxlib_version

from nstjax.ops.cpu.xla import (
    has_plain_convolutions,
    options_for_long_runs,
    set_flags,
)

FLAG = "--xla_cpu_experimental_ynn_fusion_type="
LEVEL = "--xla_backend_optimization_level=2"
UNOPTIMISED = "--xla_backend_optimization_level=0"
ALL = f"{FLAG} --xla_cpu_use_fusion_emitters=false {LEVEL}"


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine; returns the XLA_FLAGS that come of it."""

    def pretend(*, jaxlib="0.10.2", packages=(), platforms=None, flags=None):
        monkeypatch.setattr(jaxlib_version, "__version__", jaxlib)
        # As in a process that has not imported it.
        monkeypatch.delitem(sys.modules, "jax", raising=False)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: name in packages or None
        )
        for name, value in (("JAX_PLATFORMS", platforms), ("XLA_FLAGS", flags)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        set_flags()
        return os.environ.get("XLA_FLAGS")

    yield pretend
    monkeypatch.undo()


def test_on_a_cpu_with_a_tried_release(machine):
    assert machine() == ALL
    assert machine(platforms="cpu", packages=("jax_plugins",)) == ALL
    # It aborts at the second one.
    assert machine(jaxlib="0.12.0.1") == FLAG


@pytest.mark.parametrize("jaxlib", ["0.10.1", "0.10.3", "0.11.0", "0.12.1", "1.0"])
def test_not_with_other_releases(machine, jaxlib):
    assert machine(jaxlib=jaxlib) is None


@pytest.mark.parametrize("package", ["jax_plugins", "libtpu"])
def test_not_on_accelerators(machine, package):
    assert machine(packages=(package,)) is None


@pytest.mark.parametrize("platforms", ["cuda", "tpu", "cuda,cpu"])
def test_not_on_other_platforms(machine, platforms):
    assert machine(platforms=platforms) is None


def test_beside_the_users_flags(machine):
    assert machine(flags="--xla_dump_to=x") == f"--xla_dump_to=x {ALL}"


def test_not_over_the_users_own_choice(machine):
    mine = "--xla_cpu_experimental_ynn_fusion_type=dot"
    rest = f"--xla_cpu_use_fusion_emitters=false {LEVEL}"
    assert machine(flags=mine) == f"{mine} {rest}"
    mine += f" --xla_cpu_use_fusion_emitters=true {UNOPTIMISED}"
    assert machine(flags=mine) == mine


def test_long_runs_take_back_what_compiles_faster(machine):
    machine()
    assert options_for_long_runs() == {
        "xla_cpu_use_fusion_emitters": True,
        "xla_backend_optimization_level": 3,
    }
    machine(flags="--xla_cpu_use_fusion_emitters=true")
    assert options_for_long_runs() == {"xla_backend_optimization_level": 3}
    # As tests compile.
    machine(flags=f"--xla_cpu_use_fusion_emitters=true {UNOPTIMISED}")
    assert options_for_long_runs() is None
    machine(jaxlib="0.11.0")
    assert options_for_long_runs() is None


def test_not_once_jax_is_imported(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    set_flags()
    assert os.environ["XLA_FLAGS"] == ""


@pytest.mark.parametrize(
    ("flags", "plain"),
    [
        ("", False),
        (FLAG, True),
        (f"--xla_dump_to=x {FLAG}dot", True),
        (f"{FLAG}individual_dot,individual_convolution", False),
        (f"{FLAG} {FLAG}individual_convolution", False),
    ],
)
def test_what_flags_say_of_convolutions(monkeypatch, flags, plain):
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert has_plain_convolutions() == plain


@pytest.mark.skipif(
    jaxlib_version.__version__ not in ("0.10.2", "0.12.0.1"),
    reason="about releases of jaxlib for which there are flags",
)
@pytest.mark.parametrize(("call", "library"), [("xla.set_flags()", False), ("", True)])
def test_xla_takes_the_flag(call, library):
    """Without it a convolution is YNNPACK's."""
    program = (
        f"from nstjax.ops.cpu import xla; {call}\n"
        "import jax, jax.numpy as jnp\n"
        "x, k = jnp.zeros((1, 64, 64, 32)), jnp.zeros((3, 3, 32, 32))\n"
        "f = lambda x, k: jax.lax.conv_general_dilated(\n"
        "    x, k, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))\n"
        "print('ynn' in jax.jit(f).lower(x, k).compile().as_text())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str(library)
