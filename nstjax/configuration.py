"""Config files and their overrides, as ``--config FILE --config.key=value``."""

import difflib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nstjax.errors import NstjaxError


def configs_folder() -> Path:
    """The folder of the shipped configs: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def load_config(path: str, overrides: Sequence[str] = ()):
    """Runs a config file's ``get_config`` and applies overrides.

    Args:
        path: a file, or the name of a shipped one with or without folder and suffix.
            ``FILE:ARGUMENT`` passes the argument to ``get_config``.
        overrides: strings such as ``--config.steps=100``.

    Returns:
        A locked ConfigDict.

    Raises:
        NstjaxError: if the file does not exist or cannot be run, a key is unknown or a
            value has the wrong type.
    """
    file, _, argument = path.partition(":")
    location = f"{_find(file)}{':' + argument if argument else ''}"
    _make_importable()
    try:
        default, _ = _parse(location)
    except Exception as error:  # whatever the file's own code raises
        raise NstjaxError(
            f"the config {path} cannot be run: {_reason(error)}"
        ) from error
    names = [_checked_name(o, default, path) for o in overrides if o.startswith("-")]
    try:
        config, rest = _parse(location, overrides)
    except Exception as error:
        reason = _reason(error).removeprefix("flag ")
        if missing := re.match(r"Missing value for flag (\S+)", reason):
            raise NstjaxError(
                f"{missing[1]} needs a value, as in {missing[1]}=1"
            ) from error
        raise NstjaxError(f"the config {path} does not take {reason}") from error
    if rest:
        raise NstjaxError(
            f"{rest[0]!r} is not a config override; write --config.key=value"
        )
    for name in names:
        _check_elements(name, config[name], default[name])
    return config


def config_to_dict(config: Any) -> dict[str, Any]:
    """A config's entries as plain data; tuples and dicts keep their types."""
    return {
        name: value.to_dict() if hasattr(value, "to_dict") else value
        for name, value in config.items()
    }


def _parse(location: str, overrides: Sequence[str] = ()) -> tuple[Any, list[str]]:
    """Runs a config file; returns its config and the remaining arguments."""
    from absl import flags
    from ml_collections import config_flags

    arguments = ["nstjax", f"--config={location}", *overrides]
    flag_values = flags.FlagValues()
    # Which runs config files by importlib's older interface: no error of ours where a
    # program has made errors of warnings.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)
        config_flags.DEFINE_config_file(
            "config", flag_values=flag_values, sys_argv=arguments
        )
        rest = flag_values(arguments)
    return flag_values.config, rest[1:]


def _checked_name(override: str, config: Any, path: str) -> str:
    """The entry that an override such as --config.loss.weight=2 sets."""
    match = re.match(r"--?(?:no)?config\.([^=]+)", override)
    if not match:
        raise NstjaxError(
            f"{override!r} is not a config override; write --config.key=value"
        )
    name, known = match[1], _names(config)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise NstjaxError(f"the config {path} has no {name}{hint}")
    return name


def _names(config: Any, prefix: str = "") -> list[str]:
    """All names that can be overridden, nested ones with dots."""
    names = []
    for name, value in config.items():
        names.append(f"{prefix}{name}")
        if hasattr(value, "items"):
            names += _names(value, f"{prefix}{name}.")
    return names


def _check_elements(name: str, value: Any, default: Any) -> None:
    """Checks a tuple's elements, for which absl accepts any literals."""
    if not (isinstance(default, tuple) and default):
        return
    kinds = {type(element) for element in default}
    allowed = kinds | {int} if float in kinds else kinds
    if not all(type(element) in allowed for element in value):
        wanted = " or ".join(sorted(kind.__name__ for kind in kinds))
        raise NstjaxError(f"--config.{name} takes a tuple of {wanted}, not {value!r}")


def _reason(error: Exception) -> str:
    # absl puts a whole traceback into some messages; only its last line matters, and of
    # a ValueError, which configs raise, its text.
    lines = str(error).strip().splitlines()
    last = lines[-1].strip() if lines else type(error).__name__
    # Of some it shows the tuple that they were raised with.
    last = re.sub(r"\('([^']*)', '([^']*)'\)$", r"\1: \2", last)
    return last.removeprefix("ValueError: ")


def _find(file: str) -> Path:
    for candidate in (
        Path(file),
        configs_folder() / Path(file).name,
        configs_folder() / f"{Path(file).name}.py",
    ):
        if os.path.isfile(candidate):
            return candidate.resolve()
    names = sorted(p.stem for p in configs_folder().glob("[!_]*.py"))
    names.remove("common")
    raise NstjaxError(
        f"there is no config file {file}; the shipped ones are {', '.join(names)}"
    )


def _make_importable() -> None:
    """Makes ``from nstjax.configs import common`` work in configs in any folder.

    An installed package contains the folder; in a checkout it is next to the package,
    and gets the same name here.
    """
    name, folder = "nstjax.configs", configs_folder()
    if name in sys.modules or folder.parent == Path(__file__).resolve().parent:
        return
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
