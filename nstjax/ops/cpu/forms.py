"""A switch for all fast forms; without them, every operation has its textbook form.

The fast forms equal the plain ones up to rounding. They are made for XLA's CPU backend.
Exporters and accelerators do better with the plain forms and use them: by default, the
fast forms are on only if jax's default backend is a CPU. Set ``NSTJAX_PLAIN_FORMS=1``
in the environment (or 0) for a whole process, or use `plain_forms` for part of it.
"""

import contextlib
import os
from collections.abc import Iterator

import jax

_VARIABLE = "NSTJAX_PLAIN_FORMS"
_chosen: list[bool] = []


def are_plain() -> bool:
    """Whether operations are traced in their plain forms."""
    if _chosen:
        return _chosen[-1]
    given = os.environ.get(_VARIABLE, "")
    return given != "0" if given else jax.default_backend() != "cpu"


@contextlib.contextmanager
def plain_forms(*, on: bool = True) -> Iterator[None]:
    """Traces every operation in its plain form within a ``with`` block.

    Exporters need this, and so do forward-mode derivatives (`jax.jvp`): the fast forms
    support reverse mode, and forward mode over that (`jax.hessian`). It applies to all
    threads. Traced programs are discarded at both ends (`jax.clear_caches`), so that no
    program mixes the two.

    Args:
        on: False for the fast forms, whatever the backend.
    """
    changes = are_plain() != on
    _chosen.append(on)
    if changes:
        jax.clear_caches()
    try:
        yield
    finally:
        _chosen.pop()
        if changes:
            jax.clear_caches()
