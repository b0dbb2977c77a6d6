"""``nstjax train``: trains what a config describes."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from nstjax.cli.errors import reports_errors
from nstjax.configuration import load_config
from nstjax.errors import NstjaxError

_DESCRIPTION = """\
Trains a network from a config and exports it as one file.

Any leaf of the config can be overridden, as in --config.steps=1000; a
misspelt one is refused. A stopped run goes on when the same command is given
again. Without data of your own, try --config.data=demo.
"""


def make_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="train.py",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE[:PRESET]",
        help="a config file, such as configs/adain.py",
    )
    parser.add_argument(
        "--workdir",
        metavar="FOLDER",
        help="checkpoints, logs and the result (default: runs/NAME)",
    )
    parser.add_argument(
        "--export-only",
        action="store_true",
        help="train no further; write the best checkpoint so far as a weight file",
    )
    parser.add_argument(
        "--distributed",
        nargs="?",
        const="auto",
        metavar="COORDINATOR:PORT,PROCESSES,PROCESS",
        help="train over several hosts; without a value the cluster is detected",
    )
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = make_parser().parse_known_args(arguments)
    config = load_config(options.config, rest)
    if "task" not in config:
        raise NstjaxError(
            f"{options.config} is no training config; use it with stylize.py"
        )
    from nstjax.cli.xla_flags import set_training_flags

    set_training_flags()
    import jax

    if options.distributed:
        _join_hosts(options.distributed)
    from nstjax.tasks import registry, run
    from nstjax.tasks.watch import Watcher

    workdir = Path(options.workdir or Path("runs") / config.name)
    recipe = shlex.join(["python", "train.py", *arguments])
    task = registry.make_task(config)
    if options.export_only:
        path = run.export(task, config, workdir, recipe=recipe)
    else:
        first = jax.process_index() == 0
        with Watcher(workdir / "logs" if first else None) as watcher:
            try:
                path = run.train(
                    task, config, workdir, on_progress=watcher, recipe=recipe
                )
            except KeyboardInterrupt:
                watcher.close()
                print(
                    f"stopped; {workdir} has it all, and the same command goes on",
                    file=sys.stderr,
                )
                return 130
    print(f"wrote {path}")
    return 0


def _join_hosts(text: str) -> None:
    import jax

    if text == "auto":
        jax.distributed.initialize()
        return
    try:
        address, processes, process = text.split(",")
        processes, process = int(processes), int(process)
    except ValueError as error:
        raise NstjaxError(
            f"--distributed takes COORDINATOR:PORT,PROCESSES,PROCESS, not {text!r}"
        ) from error
    jax.distributed.initialize(address, num_processes=processes, process_id=process)
