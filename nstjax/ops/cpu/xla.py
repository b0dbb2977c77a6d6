"""XLA's flags on a CPU.

From release 0.10 on jaxlib hands convolutions and products to YNNPACK. Without it, by
Eigen, the networks here take .75 to .95 of the time (with 0.12, .65 to 1), and their
training .7. And what it fuses, it compiles by way of MLIR; without that, for which 0.12
has no flag any more, compiling takes .7 of the time, and programs of one pass run as
fast. LLVM's second level of optimising in place of its third takes .75 to .9 of what is
left, and programs run as fast, too; those made by way of MLIR do not. Programs that run
for long get both back (docs/performance.md).

XLA reads its flags once, when jax starts, and aborts the process at one that it does
not know; so `set_flags` must run before ``import jax``, and sets them only for releases
of jaxlib on which they were tried.
"""

import importlib.util
import os
import sys

# The list of what YNNPACK is for, left empty.
_LIBRARY = "--xla_cpu_experimental_ynn_fusion_type="
_EMITTERS = "xla_cpu_use_fusion_emitters"
_LEVEL = "xla_backend_optimization_level"
_FLAGS = {
    "0.10.2": {_LIBRARY: "", f"--{_EMITTERS}=": "false", f"--{_LEVEL}=": "2"},
    "0.12.0.1": {_LIBRARY: ""},
}
# What accelerators' packages install: a module in the first for CUDA, ROCm and
# Metal, the second for TPU.
_ACCELERATORS = ("jax_plugins", "libtpu")


def set_flags() -> None:
    """Sets the flags where they are known to work and nobody set others.

    The commands do so; in a program, call it before jax is imported. Once it is, this
    does nothing.
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
    """What `jax.jit` compiles a program with whose speed makes up for its compiling.

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
    """Whether the flags that are set keep convolutions away from YNNPACK."""
    chosen = [
        flag.partition("=")[2]
        for flag in os.environ.get("XLA_FLAGS", "").split()
        if flag.startswith(_LIBRARY)
    ]
    return bool(chosen) and "convolution" not in chosen[-1]


def _is_on_cpu() -> bool:
    """Whether jax will run on the CPU, told without importing it."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms:
        return platforms == "cpu"
    return not any(map(importlib.util.find_spec, _ACCELERATORS))
