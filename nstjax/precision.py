"""The dtypes that networks compute in.

Weights, pictures, statistics and losses are float32 everywhere. The convolutions may
run in bfloat16, whose eight bits of mantissa are enough for features and whose sums XLA
keeps in float32; on GPUs and TPUs that is several times faster, on most CPUs slower.
How accelerators multiply float32 numbers, also in Gram matrices, is controlled by JAX's
`jax.default_matmul_precision`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError

COMPUTE_DTYPES = ("float32", "bfloat16")


def check_compute_dtype(dtype: str) -> None:
    """Raises NstjaxError unless a dtype is one of `COMPUTE_DTYPES`."""
    if dtype not in COMPUTE_DTYPES:
        raise NstjaxError(
            f"compute_dtype must be one of {', '.join(COMPUTE_DTYPES)}, not {dtype!r}"
        )


def check_floating(**arrays: Any) -> None:
    """Raises NstjaxError unless all named arrays hold floating-point numbers.

    Sums and differences of integers would wrap round silently, and pictures from 0 to
    255 would be taken for pictures in [0, 1].
    """
    for name, array in arrays.items():
        dtype = getattr(array, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            kind = type(array).__name__ if dtype is None else f"one of {dtype}"
            raise NstjaxError(
                f"{name} must be an array of floating-point numbers, not {kind}; "
                "divide a uint8 picture by 255"
            )


def cast_floating(tree: Any, dtype: Any) -> Any:
    """Casts the floating-point arrays of a pytree; `dtype` None casts nothing."""
    if dtype is None:
        return tree
    return jax.tree.map(
        lambda leaf: (
            leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
        ),
        tree,
    )


def computed_in(
    dtype: str | None, forward: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    """Runs a network in another dtype, with float32 weights, pictures and outputs.

    For networks that have no `compute_dtype` of their own.

    Args:
        dtype: one of `COMPUTE_DTYPES`.
        forward: maps weights and pictures to outputs.
    """

    def computed(params: Any, image: Any) -> Any:
        outputs = forward(cast_floating(params, dtype), cast_floating(image, dtype))
        return cast_floating(outputs, jnp.float32)

    return computed
