"""The ``nstjax`` command and its subcommands."""

import importlib
import sys
from collections.abc import Sequence

from nstjax import __version__
from nstjax.cli.errors import reports_errors, run_command

# Imported when chosen, so ``nstjax --help`` loads none of them.
_COMMANDS = {
    "stylize": ("nstjax.cli.stylize", "paint one picture in the style of another"),
    "evaluate": ("nstjax.cli.evaluate", "compare the methods, with tables and figures"),
    "train": ("nstjax.cli.train", "train a network from a config"),
    "prepare-data": ("nstjax.cli.prepare_data", "pack folders of pictures for TFDS"),
    "weights": ("nstjax.cli.weights", "fetch published networks"),
    "convert": ("nstjax.cli.convert", "convert published weight files"),
    "export": ("nstjax.cli.export", "write a method as ONNX or StableHLO"),
    "web": ("nstjax.web.command", "paint in the browser"),
    "doctor": (
        "nstjax.cli.doctor",
        "show what is installed, or identify a weight file",
    ),
}


def entry() -> None:
    """The installed command: runs it and ends the process."""
    run_command(main)


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name, *rest = arguments
    if name not in _COMMANDS:
        print(
            f"nstjax: error: there is no command {name!r}; "
            f"choose one of {', '.join(_COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    return importlib.import_module(_COMMANDS[name][0]).main(rest)


def _usage() -> str:
    width = max(map(len, _COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in _COMMANDS.items()]
    return "\n".join(
        [
            "usage: nstjax COMMAND [OPTION ...]",
            "",
            "Neural style transfer in JAX and Flax.",
            "",
            *lines,
            "",
            "'nstjax COMMAND --help' explains the options of a command.",
        ]
    )
