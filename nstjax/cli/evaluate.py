"""``nstjax evaluate``: compares the methods, with tables, figures and verdicts."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from nstjax import __version__
from nstjax.cli import parsing
from nstjax.cli.compile_cache import add_cache_option
from nstjax.cli.errors import INTERRUPTED, USAGE_ERROR, reports_errors
from nstjax.interrupts import Stopped
from nstjax.ops.cpu import xla
from nstjax.weights.store.compile_cache import set_compile_cache

_DESCRIPTION = """\
Paints every content in every style with every method, measures the results and
writes tables, figures and a verdict on each of the papers' claims.

Existing results are kept. So the same command continues where it was stopped, and you
can add methods or judges later.
"""
_EXAMPLES = """\
examples:
  python evaluate.py --content photos/ --style paintings/ --output runs/comparison
  python evaluate.py --content chelsea coffee --style night wave \\
      --methods adain adain-lap --output runs/quick
  python evaluate.py --content photos/ --style paintings/ --output runs/comparison \\
      --judge vgg19-slim vgg19 --depth-judge monodepth2 --figure3 \\
      --report docs/results.md

docs/evaluation.md explains every metric.
"""
_FIGURE_PAIRS = 6


def make_parser() -> parsing.Parser:
    """The command's options."""
    parser = parsing.Parser(
        prog="evaluate.py", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    what = parser.add_argument_group("what to compare")
    for name, text in (("content", "the pictures to paint"), ("style", "the styles")):
        what.add_argument(
            f"--{name}",
            nargs="+",
            required=True,
            metavar="PICTURE",
            help=f"{text}: files, folders, names of examples",
        )
    what.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="the methods to compare (default: all)",
    )
    what.add_argument(
        "--size",
        type=parsing.count,
        default=384,
        metavar="N",
        help="scale pictures to this shorter side and crop the centre square (default "
        "384)",
    )
    what.add_argument(
        "--iterations",
        type=parsing.count,
        metavar="N",
        help="evaluations at full size of optimisation-based methods (default: as in "
        "stylize.py)",
    )
    what.add_argument(
        "--depth-model",
        nargs="+",
        default=[],
        metavar="NAME|FILE",
        help="also paint gatys-depth with these depth networks instead of its own; "
        "each gets its own line",
    )
    what.add_argument(
        "--encoder",
        nargs="+",
        default=[],
        metavar="NAME|FILE",
        help="also paint the optimisation-based methods with these encoders, such as "
        "vgg19, instead of their own; each gets its own line",
    )
    what.add_argument(
        "--decoder",
        nargs="+",
        default=[],
        metavar="METHOD=FILE",
        help="also paint these feed-forward methods with these decoders, each with "
        "the --encoder it was trained for; each gets its own line",
    )
    what.add_argument(
        "--seed",
        type=parsing.whole,
        default=0,
        metavar="N",
        help="seed of all random numbers (default 0)",
    )
    what.add_argument(
        "--figure3",
        nargs="?",
        type=parsing.count,
        const=_FIGURE_PAIRS,
        default=0,
        metavar="N",
        help="also compare adain's style loss with gatys' after 50 and 100 "
        "evaluations, on N pairs (figure 3 of the AdaIN paper; default "
        f"{_FIGURE_PAIRS})",
    )
    how = parser.add_argument_group("how to judge")
    how.add_argument(
        "--judge",
        nargs="+",
        default=["vgg19-slim"],
        metavar="NAME|FILE",
        help="encoders that judge content and style (default: vgg19-slim, which most "
        "methods also use; name others besides)",
    )
    how.add_argument(
        "--depth-judge",
        nargs="+",
        default=[],
        metavar="NAME|FILE",
        help="depth networks that judge depth",
    )
    how.add_argument(
        "--lpips",
        nargs="*",
        metavar="NAME|FILE",
        help="LPIPS networks that judge (default: those fetched by 'nstjax weights "
        "get lpips lpips-alexnet'; none if no value follows)",
    )
    how.add_argument(
        "--metric",
        nargs="+",
        default=[],
        metavar="MODULE:FUNCTION",
        help="additional metrics: functions of result, content and style, float32 [H, "
        "W, 3] in [0, 1], that return a number",
    )
    where = parser.add_argument_group("what to write")
    where.add_argument(
        "--output", required=True, metavar="FOLDER", help="the folder for all outputs"
    )
    where.add_argument(
        "--report", metavar="FILE.md", help="also write the report to this file"
    )
    where.add_argument(
        "--note",
        default="",
        metavar="TEXT",
        help="a paragraph of your own for the report",
    )
    where.add_argument(
        "--figure-pairs",
        type=parsing.whole,
        default=_FIGURE_PAIRS,
        metavar="N",
        help="rows of figures 1 and 4: the first N contents, each in a different "
        f"style; 0 for no figures (default {_FIGURE_PAIRS})",
    )
    where.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results in FOLDER that were made with other settings",
    )
    where.add_argument("--quiet", action="store_true", help="no progress bar")
    add_cache_option(parser)
    parser.add_argument("--version", action="version", version=__version__)
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser().parse_args(arguments)
    xla.set_flags()
    set_compile_cache(use=not options.no_compile_cache)

    # Imported here, so that --help and errors in options are fast.
    try:
        from nstjax.evaluation.run import Settings, evaluate
        from nstjax.methods.table import METHODS

        settings = Settings(
            contents=options.content,
            styles=options.style,
            methods=options.methods or list(METHODS),
            output=Path(options.output),
            size=options.size,
            seed=options.seed,
            iterations=options.iterations,
            depth_models=options.depth_model,
            encoders=options.encoder,
            decoders=options.decoder,
            judges=options.judge,
            depth_judges=options.depth_judge,
            lpips=options.lpips,
            metrics=options.metric,
            figure_pairs=options.figure_pairs,
            budget_pairs=options.figure3,
            report=Path(options.report) if options.report else None,
            overwrite=options.overwrite,
            quiet=options.quiet,
            note=options.note,
            command=f"python evaluate.py {_shown(arguments)}",
        )
        left_out = evaluate(settings, tell=_print)
    except KeyboardInterrupt as stop:
        _print("stopped; repeat the command to continue")
        return stop.status if isinstance(stop, Stopped) else INTERRUPTED
    print(f"wrote {Path(options.output) / 'report.md'}")
    if left_out:
        _print(f"nstjax: {len(left_out)} pictures could not be read or made")
    return USAGE_ERROR if left_out else 0


def _shown(arguments: Sequence[str]) -> str:
    """The arguments as typed, without the note, which the report already contains."""
    shown, before = [], ""
    for argument in arguments:
        if before == "--note":
            shown.append("...")
        elif argument.startswith("--note="):
            shown.append("--note=...")
        else:
            shown.append(argument)
        before = argument
    return shlex.join(shown)


def _print(message: str) -> None:
    print(message, file=sys.stderr)
