"""Packages that are imported at their first use.

chex takes a tenth of a second to import and checks shapes where functions are
traced. With kept programs (`nstjax.weights.store.programs`) nothing is traced.
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
