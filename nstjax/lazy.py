"""Packages that are imported at their first use.

chex takes a tenth of a second to import and checks shapes where functions are
traced. With kept programs (`nstjax.weights.store.programs`) nothing is traced.
"""

import importlib.util
import sys
from types import ModuleType


def _lazily(name: str) -> ModuleType:
    """The module of this name, which runs when an attribute of it is asked for.

    Raises:
        ModuleNotFoundError: at once, if there is none.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


chex = _lazily("chex")
