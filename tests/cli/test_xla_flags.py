"""Flags only where they are known to be understood: XLA aborts at others."""

import importlib.metadata
import importlib.util
import os

import pytest

from nstjax.cli.xla_flags import set_training_flags

FLAG = "--xla_cpu_experimental_ynn_fusion_type=dot"


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine; returns the XLA_FLAGS that come of it."""

    def pretend(*, jaxlib="0.10.2", packages=(), platforms=None, flags=None):
        monkeypatch.setattr(importlib.metadata, "version", lambda name: jaxlib)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: name in packages or None
        )
        for name, value in (("JAX_PLATFORMS", platforms), ("XLA_FLAGS", flags)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        set_training_flags()
        return os.environ.get("XLA_FLAGS")

    yield pretend
    monkeypatch.undo()


def test_on_a_cpu_with_a_tried_release(machine):
    assert machine() == FLAG
    assert machine(platforms="cpu", packages=("jax_plugins",)) == FLAG


@pytest.mark.parametrize("jaxlib", ["0.10.1", "0.10.3", "0.11.0", "1.0"])
def test_not_with_other_releases(machine, jaxlib):
    assert machine(jaxlib=jaxlib) is None


@pytest.mark.parametrize("package", ["jax_plugins", "libtpu"])
def test_not_on_accelerators(machine, package):
    assert machine(packages=(package,)) is None


@pytest.mark.parametrize("platforms", ["cuda", "tpu", "cuda,cpu"])
def test_not_on_other_platforms(machine, platforms):
    assert machine(platforms=platforms) is None


def test_beside_the_users_flags(machine):
    assert machine(flags="--xla_dump_to=x") == f"--xla_dump_to=x {FLAG}"


def test_not_over_the_users_own_choice(machine):
    mine = "--xla_cpu_experimental_ynn_fusion_type=none"
    assert machine(flags=mine) == mine
