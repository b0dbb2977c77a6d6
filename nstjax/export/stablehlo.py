"""Exports functions as StableHLO with `jax.export`, for CPUs, GPUs and TPUs."""

import jax
import jax.numpy as jnp
from jax import export

from nstjax.export.models import Model, Tensor
from nstjax.methods.base import LEAST_SIDE
from nstjax.ops.cpu.forms import plain_forms

# Rows and columns are those of a grid of 8 or more pixels.
_LEAST = {"height": LEAST_SIDE, "width": LEAST_SIDE} | dict.fromkeys(
    ("rows", "columns"), LEAST_SIDE // 8
)
_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def to_stablehlo(model: Model) -> export.Exported:
    """Traces a function with free sizes.

    `jax.export.deserialize` reads the result of its `serialize()`; its
    `mlir_module_serialized` is portable StableHLO, which needs no JAX.
    """
    terms = " ".join(str(size) for tensor in model.inputs for size in tensor.shape)
    scope = export.SymbolicScope(
        [f"{side} >= {least}" for side, least in _LEAST.items() if side in terms]
    )

    def describe(tensor: Tensor) -> jax.ShapeDtypeStruct:
        # Symbolic sizes do not broadcast, so every picture has its own style here.
        sizes = ", ".join(str(size).replace("styles", "batch") for size in tensor.shape)
        return jax.ShapeDtypeStruct(
            export.symbolic_shape(sizes, scope=scope), jnp.float32
        )

    with plain_forms():
        return export.export(jax.jit(model.function), platforms=_PLATFORMS)(
            *map(describe, model.inputs)
        )
