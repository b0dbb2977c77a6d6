"""A run's folder, and which run it belongs to."""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.datasets import find_pictures
from nstjax.io.differences import describe_differences
from nstjax.io.files import write_atomically
from nstjax.io.weights import sha256_of

CHECKPOINTS = "checkpoints"
_NOTE = "config.json"
_DATA = "data fingerprints"
# Entries that say where the data are.
_PLACES = ("content", "style", "labels", "painted", "initial")
# Entries that may differ when a run is resumed: they change its length and how it is
# watched, but not what a step computes.
_MAY_CHANGE = ("log_every", "checkpoint_every", "keep", "threads", "workers")

# Entries that had other names in runs before 0.2.
_RENAMED = {
    "grid_weight": "checkerboard_weight",
    "least_share": "min_crop_scale",
    "mirrored": "flip_tta",
    "pull_sizes": "adversarial_sizes",
    "pull_steps": "adversarial_steps",
    "pulled_share": "adversarial_fraction",
}


def check(workdir: Path, config: ConfigDict) -> None:
    """Checks that a folder is free, or holds a run with the same settings.

    Raises:
        NstjaxError: naming the settings in which the folder's run differs.
    """
    note = workdir / _NOTE
    if not note.is_file():
        if has_checkpoint(workdir):
            raise NstjaxError(
                f"{workdir} has checkpoints but no {_NOTE}; choose another --workdir"
            )
        return
    try:
        theirs = json.loads(note.read_text())
        before = {_RENAMED.get(name, name): value for name, value in theirs.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NstjaxError(f"{note} cannot be read; choose another --workdir") from error
    data_before = before.pop(_DATA, {})
    mine, data = json_config(config), _data_of(config)
    # Data are identified by their content, not by their location.
    known = data_before.keys() & data.keys()
    for name in known:
        before[name] = mine[name] = None
    # A run may be prolonged unless its learning rate is scheduled to end at `steps`.
    bound = config.schedule == "cosine" and not config.schedule_steps
    may_change = _MAY_CHANGE if bound else (*_MAY_CHANGE, "steps")
    differences = describe_differences(
        before | {_DATA: {name: data_before[name] for name in known}},
        mine | {_DATA: {name: data[name] for name in known}},
        ignored=may_change,
    )
    if differences:
        raise NstjaxError(
            f"{workdir} holds a run with other settings: {differences}; resume it "
            "with the same settings or choose another --workdir"
        )


def fingerprint(config: ConfigDict) -> str:
    """Settings and data as a hash, which must be the same on all hosts.

    How a host reads its data, and where they are, is not included.
    """
    settings = json_config(config)
    for name in (*_PLACES, "threads", "workers"):
        settings.pop(name, None)
    text = json.dumps([settings, _data_of(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def has_checkpoint(workdir: Path) -> bool:
    """Whether a folder holds a checkpoint, finished or not."""
    return any((workdir / CHECKPOINTS).glob("[0-9]*"))


def claim(workdir: Path, config: ConfigDict) -> None:
    """Records the settings and data of a run in its folder."""
    about, data = json_config(config), _data_of(config)
    text = json.dumps(about | ({_DATA: data} if data else {}), indent=2) + "\n"
    write_atomically(workdir / _NOTE, text, overwrite=True)


def _data_of(config: ConfigDict) -> dict[str, dict[str, Any]]:
    """A description of the contents of the config's folders and files, by entry.

    Files in folders are identified by their names and sizes, which are quick to read
    even for a hundred thousand files.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in _PLACES:
        value = config.get(name)
        path = Path(value).expanduser() if value else None
        if path is None or not path.exists():
            continue
        if path.is_file():
            found[name] = {"sha256": sha256_of(path)}
            continue
        if (path / "dataset_info.json").is_file():
            files = sorted(file for file in path.iterdir() if file.is_file())
        else:
            with warnings.catch_warnings(action="ignore", category=NstjaxWarning):
                files = find_pictures(path)
        digest = hashlib.sha256()
        for file in files:
            digest.update(os.fsencode(file.relative_to(path)))
            digest.update(f"\0{file.stat().st_size}\0".encode())
        found[name] = {"files": len(files), "sha256": digest.hexdigest()[:16]}
    return found


def json_config(config: ConfigDict) -> dict[str, Any]:
    """A config as plain data."""
    return json.loads(config.to_json_best_effort())
