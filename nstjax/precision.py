"""The dtypes that networks compute in.

Weights, pictures, statistics and losses are float32 everywhere. The
convolutions between them may run in bfloat16, whose eight bits of mantissa
are enough for features and whose sums XLA keeps in float32; on GPUs and TPUs
that is several times faster, on most CPUs slower.
"""

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
