"""The training tasks, by the names that configs use."""

import importlib

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.training.settings import check_settings
from nstjax.training.task import Task

# Imported when needed, since a task imports its networks.
_MODULES = {
    "adain": "nstjax.training.recipes.adain",
    "depth": "nstjax.training.recipes.depth",
    "distill": "nstjax.training.recipes.distill",
    "style_swap": "nstjax.training.recipes.style_swap",
    "painter": "nstjax.training.recipes.painter",
}


def make_task(config: ConfigDict) -> Task:
    """Builds the task that ``config.task`` names.

    Raises:
        NstjaxError: if the name is unknown, a setting is impossible, or the task cannot
            be built.
    """
    check_settings(config)
    if config.task not in _MODULES:
        raise NstjaxError(
            f"unknown task {config.task!r}; a config's task is one of "
            f"{', '.join(sorted(_MODULES))}"
        )
    return importlib.import_module(_MODULES[config.task]).make_task(config)
