"""``nstjax convert``: converts published weights to files that nstjax loads."""

import sys
from collections.abc import Sequence

from nstjax.cli.errors import USAGE_ERROR
from nstjax.weights.conversion import command


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name not in command.COMMANDS:
        print(
            f"nstjax convert: error: there is no converter {name!r}; "
            f"choose one of {', '.join(command.COMMANDS)}",
            file=sys.stderr,
        )
        return USAGE_ERROR
    return command.main(name, rest)


def _usage() -> str:
    lines = ["usage: nstjax convert NAME SOURCE DEST [OPTION ...]", ""]
    for name, converter in command.COMMANDS.items():
        lines += [f"  {name}", f"      {converter.description}"]
    return "\n".join([*lines, "", "'nstjax convert NAME --help' explains the options."])
