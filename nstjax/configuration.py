"""Config files and their overrides, as ``--config FILE --config.key=value``."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nstjax.errors import NstjaxError


def configs_folder() -> Path:
    """Where the shipped configs lie: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def load_config(path: str, overrides: Sequence[str] = ()):
    """Runs a config file's ``get_config`` and applies overrides.

    Args:
        path: a file, or the name of a shipped one with or without folder and
            ending. ``FILE:ARGUMENT`` hands the argument to ``get_config``.
        overrides: strings such as ``--config.steps=100``.

    Returns:
        A locked ConfigDict.

    Raises:
        NstjaxError: if there is no such file, it cannot be run, a key is
            unknown or a value has the wrong type.
    """
    file, _, argument = path.partition(":")
    found = _find(file)
    values = [f"--config={found}{':' + argument if argument else ''}", *overrides]
    _make_importable()
    from absl import flags
    from ml_collections import config_flags

    flag_values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_file("config", flag_values=flag_values)
        rest = flag_values(["nstjax", *values])
        config = flag_values.config
    except (flags.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise NstjaxError(f"the config {path} does not take this: {reason}") from error
    if len(rest) > 1:
        raise NstjaxError(
            f"{rest[1]!r} is no config override; write --config.key=value"
        )
    return config


def config_to_dict(config: Any) -> dict[str, Any]:
    """A config's leaves as plain data: tuples and dicts stay what they are."""
    return {
        name: value.to_dict() if hasattr(value, "to_dict") else value
        for name, value in config.items()
    }


def _find(file: str) -> Path:
    for candidate in (
        Path(file),
        configs_folder() / Path(file).name,
        configs_folder() / f"{Path(file).name}.py",
    ):
        if candidate.is_file():
            return candidate.resolve()
    names = sorted(p.stem for p in configs_folder().glob("[!_]*.py"))
    names.remove("common")
    raise NstjaxError(
        f"there is no config file {file}; the shipped ones are {', '.join(names)}"
    )


def _make_importable() -> None:
    """Lets configs say ``from configs import common`` wherever they lie.

    In an installed package the folder is ``nstjax/configs``, which is not
    importable under that name by itself.
    """
    folder = configs_folder()
    if "configs" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "configs", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["configs"] = module
    spec.loader.exec_module(module)
