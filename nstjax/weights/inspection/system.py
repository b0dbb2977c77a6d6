"""Describes what a run on this machine would use: versions, devices, networks."""

import importlib.metadata
import os
import platform
import sys

import nstjax
from nstjax import __version__
from nstjax.weights.pretrained import bundled_names
from nstjax.weights.store.cache import cache_folder, cached_names, weights_file

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "safetensors")
_VARIABLES = (
    "JAX_PLATFORMS",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
    "NSTJAX_CACHE",
    "NSTJAX_COMPILE_CACHE",
)


def describe_system() -> list[tuple[str, str]]:
    """Facts about the installation, as names and values; never fails."""
    facts = [
        ("nstjax", f"{__version__} in {os.path.dirname(nstjax.__file__)}"),
        ("python", f"{platform.python_version()} at {sys.executable}"),
        ("platform", f"{platform.platform()}, {os.cpu_count()} CPUs"),
    ]
    facts += [(package, _version(package)) for package in _PACKAGES]
    facts += _devices()
    facts += [(name, os.environ[name]) for name in _VARIABLES if name in os.environ]
    facts.append(("networks", ", ".join(bundled_names())))
    return facts + _cache()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> list[tuple[str, str]]:
    try:
        import jax

        devices = jax.devices()
    except Exception as error:  # plugins fail in many ways
        return [("devices", f"none usable: {' '.join(str(error).split())}")]
    return [("device", _describe(device)) for device in devices]


def _describe(device) -> str:
    # CPUs report no figures.
    limit = (device.memory_stats() or {}).get("bytes_limit")
    memory = f", {limit / 2**30:.1f} GiB for jax" if limit else ""
    return f"{device.platform} {device.id}: {device.device_kind}{memory}"


def _cache() -> list[tuple[str, str]]:
    names = cached_names()
    size = sum(weights_file(name).stat().st_size for name in names)
    held = f"{', '.join(names)} ({size / 1e6:.1f} MB)" if names else "nothing yet"
    return [("cache", f"{cache_folder()}"), ("fetched", held)]
