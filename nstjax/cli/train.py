"""``nstjax train``: trains a network from a config."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nstjax.cli.compile_cache import add_cache_option
from nstjax.cli.errors import USAGE_ERROR, reports_errors
from nstjax.cli.parsing import Parser
from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.ops.cpu import xla
from nstjax.weights.store.compile_cache import set_compile_cache

_DESCRIPTION = """\
Trains a network from a config and exports it as one file.

You can override any setting of the config, as in --config.steps=1000; a
misspelt one is refused. To continue a stopped run, give the same command
again. Without data of your own, try --config.data=demo.
"""
_LOST = (
    "another process of the run was lost; start all of them again with the same "
    "command, which continues from the last checkpoint"
)
# The messages of jax and its libraries about a lost process.
_SIGNS = ("connection closed", "connection reset", "gloo", "heartbeat", "barrier")


def make_parser() -> Parser:
    """The command's options."""
    parser = Parser(prog="train.py", description=_DESCRIPTION)
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE[:PRESET]",
        help="a config file, such as configs/adain.py",
    )
    parser.add_argument(
        "--workdir",
        metavar="FOLDER",
        help="folder for checkpoints, logs and the result (default: runs/NAME)",
    )
    parser.add_argument(
        "--export-only",
        action="store_true",
        help="do not train; export the best checkpoint so far as a weight file",
    )
    parser.add_argument(
        "--distributed",
        nargs="?",
        const="auto",
        metavar="COORDINATOR:PORT,PROCESSES,PROCESS",
        help="train on several hosts; without a value, the cluster is detected",
    )
    add_cache_option(parser)
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = make_parser().parse_known_args(arguments)
    config = load_config(options.config, rest)
    if "task" not in config:
        raise NstjaxError(
            f"{options.config} is not a training config; use it with stylize.py"
        )
    xla.set_flags()
    set_compile_cache(use=not options.no_compile_cache)
    if options.distributed:
        _join_hosts(options.distributed)
    import jax

    from nstjax.interrupts import Stopped
    from nstjax.training import trainer
    from nstjax.training.recipes.table import make_task
    from nstjax.training.stages import stages_of
    from nstjax.training.watch import Watcher
    from nstjax.training.workdirs import check, has_checkpoint

    first = jax.process_index() == 0
    workdir = Path(options.workdir or Path("runs") / config.name)
    recipe = shlex.join(["python", "train.py", *arguments])
    stages = list(stages_of(config, workdir))
    if options.export_only:
        begun = [stage for stage in stages if has_checkpoint(stage.workdir)]
        stage = (begun or stages)[-1]
        task = make_task(stage.config)
        path = trainer.export(task, stage.config, stage.workdir, recipe=recipe)
        stages = []
    for stage in stages:
        if not stage.last and stage.exported.is_file():
            # Already done, if it was with the same settings.
            check(stage.workdir, stage.config)
            continue
        task = make_task(stage.config)
        if stage.name and first:
            print(f"stage {stage.name}", file=sys.stderr)
        with Watcher(stage.workdir / "logs" if first else None) as watcher:
            try:
                path = trainer.train(
                    task,
                    stage.config,
                    stage.workdir,
                    on_progress=watcher,
                    recipe=recipe,
                )
            except Stopped as stop:
                watcher.close()
                if first:
                    what = f"{workdir} holds everything; repeat the command to continue"
                    if not has_checkpoint(stage.workdir):
                        what = "no step had been trained yet"
                    print(f"nstjax: stopped; {what}", file=sys.stderr)
                return stop.status
            except Exception as error:
                if jax.process_count() > 1 and _is_of_another_process(error):
                    print(f"nstjax: error: {_LOST}", file=sys.stderr, flush=True)
                    # At exit, jax would wait for the lost process.
                    os._exit(USAGE_ERROR)
                raise
    if first:
        print(f"wrote {path}")
    return 0


def _is_of_another_process(error: Exception) -> bool:
    """Whether an error says that a process of the run no longer responds."""
    text = str(error).lower()
    return not isinstance(error, NstjaxError) and any(sign in text for sign in _SIGNS)


def _join_hosts(text: str) -> None:
    """Connects to the other processes of a run, before jax computes anything."""
    import jax

    given: dict[str, Any] = {}
    if text != "auto":
        try:
            address, processes, process = text.split(",")
            given = {
                "coordinator_address": address,
                "num_processes": int(processes),
                "process_id": int(process),
            }
        except ValueError as error:
            raise NstjaxError(
                "--distributed takes COORDINATOR:PORT,PROCESSES,PROCESS, such as "
                f"localhost:1234,2,0, not {text!r}"
            ) from error
        if ":" not in address or not 0 <= int(process) < int(processes):
            raise NstjaxError(
                "--distributed takes an address with a port and a process from 0 to "
                f"below the number of processes, not {text!r}"
            )
    try:
        jax.distributed.initialize(**given)
    except (ValueError, RuntimeError) as error:
        raise NstjaxError(
            f"the other processes cannot be joined ({' '.join(str(error).split())}); "
            "give --distributed=COORDINATOR:PORT,PROCESSES,PROCESS to each"
        ) from error
