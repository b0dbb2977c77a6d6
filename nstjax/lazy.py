"""Packages that are imported at their first use.

chex checks shapes where functions are traced. A run by kept programs
(`nstjax.weights.store.programs`) traces nothing, and saves the 0.2 s of its import.
"""

import importlib
from typing import Any


class _Lazy:
    """Stands for a module, and imports it when one of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


chex: Any = _Lazy("chex")
