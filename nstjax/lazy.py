"""Packages that are imported at first use.

chex checks shapes during tracing. A run with cached programs
(`nstjax.weights.store.programs`) traces nothing and saves the 0.2 s of its import.
"""

import importlib
from typing import Any


class _Lazy:
    """Stands for a module, and imports it when one of its names is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


chex: Any = _Lazy("chex")
