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

from nstjax.ops.cpu import xla

UNOPTIMISED = "--xla_backend_optimization_level=0"

# Read by jax when it is imported, here and in subprocesses.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.mkdtemp(prefix="nstjax-tests-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Most of the time of these tests is LLVM's, which optimises programs that run once or
# twice: without it they compile in less than half the time, to the same sums in another
# order. test_wheel.py and test_train_e2e.py start commands without this, as users do.
if UNOPTIMISED.partition("=")[0] not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {UNOPTIMISED}".strip()
# As commands do. Tests of XLA's other library for convolutions say so.
xla.set_flags()

# Started in the background by a shell, this process ignores Ctrl-C, and so would
# those that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARED = Path(__file__).resolve().parents[2] / "shared"


# Tests that need real pictures or weights, or compile the same again in PyTorch.
_SLOW_FIXTURES = {"shared", "torch_reference", "fast_depth_weights", "eval_photo"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow by what it needs; `-m` chooses afterwards."""
    for item in items:
        if _SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pictures and weights that some tests compare with."""
    if not _SHARED.is_dir():
        pytest.skip("needs the pictures and weights of ../shared")
    return _SHARED


@pytest.fixture(scope="session")
def fast_depth_weights(shared) -> Path:
    """The publisher's file of FastDepth's real weights."""
    name = "weights/fast_depth_dequant_float32.npz"
    if not (shared / name).is_file():
        pytest.skip(f"needs ../shared/{name}")
    return shared / name


@pytest.fixture(scope="session")
def fetched() -> Callable[[str], Path]:
    """Finds published weights that 'nstjax weights get' has fetched before."""
    from nstjax.weights.store.cache import cache_folder

    folder = cache_folder()  # now, before a test chooses another

    def find(name: str) -> Path:
        path = folder / f"{name}.safetensors"
        if not path.is_file():
            pytest.skip(f"needs 'nstjax weights get {name}' first")
        return path

    return find


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


@pytest.fixture(scope="session")
def depth_file(tmp_path_factory) -> Path:
    """A depth network of random weights, large enough to tell pictures apart."""
    import jax
    import numpy as np

    from nstjax.io.weights import WeightsMetadata, save_weights
    from nstjax.models.monodepth import MonodepthSpec, param_shapes

    spec = MonodepthSpec(
        layers=(1, 1, 1, 1),
        stem_width=4,
        widths=(4, 4, 8, 8),
        decoder_widths=(8, 8),
        scales=(3,),
        input_size=(64, 96),
    )
    rng = np.random.default_rng(0)

    def draw(shape):
        deviation = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        return rng.normal(0, deviation, shape).astype(np.float32)

    shapes = param_shapes(spec)
    params = jax.tree.map(draw, shapes, is_leaf=lambda node: isinstance(node, tuple))
    path = tmp_path_factory.mktemp("depth") / "random.safetensors"
    metadata = WeightsMetadata(
        "depth", "random-depth", spec.to_dict(), "random", "none"
    )
    save_weights(path, params, metadata)
    return path


@pytest.fixture(scope="session")
def fast_depth_layers() -> list:
    """FastDepth's layers, (kernel, bias) in order, narrow and random."""
    import numpy as np

    rng = np.random.default_rng(1)
    width, layers = 6, []

    def add(*shape):
        deviation = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = rng.normal(0, deviation, shape).astype(np.float32)
        layers.append((kernel, rng.normal(0.2, 0.2, shape[-1]).astype(np.float32)))

    add(3, 3, 3, width)
    for block in range(18):
        side = 3 if block < 13 else 5
        add(side, side, 1, width)
        add(1, 1, width, width)
    add(1, 1, width, 1)
    return layers


@pytest.fixture(scope="session")
def fast_depth_file(tmp_path_factory, fast_depth_layers) -> Path:
    """The same as a publisher's file."""
    import numpy as np

    path = tmp_path_factory.mktemp("fast_depth") / "fast_depth.npz"
    tensors = {}
    for number, (kernel, bias) in enumerate(fast_depth_layers):
        tensors |= {f"{number:02}_w": kernel, f"{number:02}_b": bias}
    np.savez(path, **tensors)
    return path


@pytest.fixture(scope="session")
def fast_depth_converted(tmp_path_factory, fast_depth_file) -> Path:
    """The same, converted."""
    from nstjax.weights.conversion.command import main

    path = tmp_path_factory.mktemp("fast_depth") / "converted.safetensors"
    assert main("fast_depth", [str(fast_depth_file), str(path)]) == 0
    return path
