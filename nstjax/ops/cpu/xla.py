"""XLA's flags on a CPU.

From release 0.10 on, jaxlib uses YNNPACK for convolutions and products. Without it,
with Eigen, the networks here take 0.75 to 0.95 times as long (with 0.12, 0.65 to 1
times), and their training 0.7 times. Fusions are compiled through MLIR; without that,
for which 0.12 no longer has a flag, compiling takes 0.7 times as long, and feed-forward
programs run as fast. LLVM's second optimisation level instead of the third takes 0.75
to 0.9 times what is left, and programs run as fast, except those compiled through MLIR.
Long-running programs get both back (docs/performance.md).

XLA reads its flags once, when jax starts, and aborts the process at an unknown one. So
`set_flags` must run before ``import jax``, and sets flags only for releases of jaxlib
on which they were tested.
"""

import importlib.util
import os
import sys

# The list of operations that YNNPACK handles, left empty.
_LIBRARY = "--xla_cpu_experimental_ynn_fusion_type="
_EMITTERS = "xla_cpu_use_fusion_emitters"
_LEVEL = "xla_backend_optimization_level"
_FLAGS = {
    "0.10.2": {_LIBRARY: "", f"--{_EMITTERS}=": "false", f"--{_LEVEL}=": "2"},
    "0.12.0.1": {_LIBRARY: ""},
}
# Modules that the accelerators' packages install: in the first for CUDA, ROCm and
# Metal, the second for TPU.
_ACCELERATORS = ("jax_plugins", "libtpu")


def set_flags() -> None:
    """Sets the flags if they are known to work and no others were set.

    The commands call it; in a program, call it before jax is imported. Afterwards it
    has no effect.
    """
    if "jax" in sys.modules or not _is_on_cpu():
        return
    from jaxlib.version import __version__

    given = os.environ.get("XLA_FLAGS", "")
    flags = _FLAGS.get(__version__, {})
    mine = [name + value for name, value in flags.items() if name not in given]
    if mine:
        os.environ["XLA_FLAGS"] = " ".join([given, *mine]).strip()


def options_for_long_runs() -> dict[str, bool | int] | None:
    """Options of `jax.jit` for programs that run long enough to repay compiling.

    Large gradients with fusions by way of MLIR, which want LLVM's third level, take .91
    to .95 of the time.
    """
    given = os.environ.get("XLA_FLAGS", "").split()
    options = {_EMITTERS: ("false", True), _LEVEL: ("2", 3)}
    chosen = {
        name: long
        for name, (short, long) in options.items()
        if f"--{name}={short}" in given
    }
    return chosen or None


def has_plain_convolutions() -> bool:
    """Whether the current flags keep convolutions away from YNNPACK."""
    chosen = [
        flag.partition("=")[2]
        for flag in os.environ.get("XLA_FLAGS", "").split()
        if flag.startswith(_LIBRARY)
    ]
    return bool(chosen) and "convolution" not in chosen[-1]


def _is_on_cpu() -> bool:
    """Whether jax will run on the CPU, without importing it."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms:
        return platforms == "cpu"
    return not any(map(importlib.util.find_spec, _ACCELERATORS))
