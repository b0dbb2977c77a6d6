"""Shared fixtures, and a compilation cache for the whole run.

Most of the time of small runs is XLA's; tests and the processes they start
share what has been compiled.
"""

import atexit
import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

# Read by jax when it is imported, here and in subprocesses.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.mkdtemp(prefix="nstjax-tests-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Started in the background by a shell, this process ignores Ctrl-C, and so would
# those that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pictures and weights that some tests compare with."""
    if not _SHARED.is_dir():
        pytest.skip("needs the pictures and weights of ../shared")
    return _SHARED


@pytest.fixture(scope="session")
def torch_reference() -> Callable[[str], ModuleType]:
    """Loads a module of ``tests/reference``, which are written in PyTorch."""
    pytest.importorskip("torch")

    def load(name: str) -> ModuleType:
        path = Path(__file__).parent / "reference" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
