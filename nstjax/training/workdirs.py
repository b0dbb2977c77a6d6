"""A run's folder: whose it is."""

import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.files import write_atomically

CHECKPOINTS = "checkpoints"
_NOTE = "config.json"
# Leaves that may differ between a run and its resumption: they change how
# long and how it is watched, not what is computed at a step.
_MAY_CHANGE = ("log_every", "checkpoint_every", "keep", "threads", "workers")


def check(workdir: Path, config: ConfigDict) -> None:
    """Checks that a folder is free, or holds a run with the same settings.

    Raises:
        NstjaxError: naming the settings in which the folder's run differs.
    """
    note = workdir / _NOTE
    if not note.is_file():
        if (workdir / CHECKPOINTS).exists():
            raise NstjaxError(
                f"{workdir} has checkpoints but no {_NOTE}; choose another --workdir"
            )
        return
    try:
        theirs = json.loads(note.read_text())
        before = dict(theirs)
    except (OSError, ValueError, TypeError) as error:
        raise NstjaxError(f"{note} cannot be read; choose another --workdir") from error
    mine = json_config(config)
    # A run may be prolonged unless its learning rate was to end at `steps`.
    bound = config.schedule == "cosine" and not config.schedule_steps
    may_change = _MAY_CHANGE if bound else (*_MAY_CHANGE, "steps")
    names = sorted(
        name
        for name in mine.keys() | before.keys()
        if name not in may_change and mine.get(name) != before.get(name)
    )
    if names:
        raise NstjaxError(
            f"{workdir} holds a run with another {', '.join(names)}; resume it "
            "with the same settings or choose another --workdir"
        )


def claim(workdir: Path, config: ConfigDict) -> None:
    """Notes in a folder which settings its run has."""
    text = json.dumps(json_config(config), indent=2) + "\n"
    write_atomically(workdir / _NOTE, text, overwrite=True)


def json_config(config: ConfigDict) -> dict[str, Any]:
    """A config as plain data."""
    return json.loads(config.to_json_best_effort())
