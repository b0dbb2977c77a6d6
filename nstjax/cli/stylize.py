"""``nstjax stylize``: one picture, or a folder of them, in the style of another."""

import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nstjax import __version__
from nstjax.cli import parsing
from nstjax.cli.clips import add_clip_options, stylize_clip, wants_clip
from nstjax.cli.collector import without_collection
from nstjax.cli.compile_cache import add_cache_option
from nstjax.cli.errors import USAGE_ERROR, reports_errors
from nstjax.errors import NstjaxError, NstjaxWarning, explain
from nstjax.ops.cpu import xla
from nstjax.weights.store.compile_cache import set_compile_cache

_DESCRIPTION = """\
Paints one picture in the style of another.

Without any option it paints a demonstration. Pictures are files, folders
(every picture in them), or names of examples that come with the package. The
content may also be a clip.
"""
_EXAMPLES = """\
examples:
  python stylize.py
  python stylize.py --content photo.jpg --style painting.jpg --output out.png
  python stylize.py --content photo.jpg --style night wave --style-blend 2 1
  python stylize.py --method lapstyle --content photo.jpg --style night
  python stylize.py --content photos/ --style painting.jpg --output painted/
  python stylize.py --content clip.mp4 --style night --output painted.mp4
  python stylize.py --config configs/gatys.py:reference --config.tv_weight=0.1
"""
_METHOD = "adain"
_DEMONSTRATION = {"content": "chelsea", "style": ["night"]}

# Options of the command line that are leaves of the method's config.
_LEAVES = (
    "iterations",
    "optimizer",
    "init",
    "content_weight",
    "style_weight",
    "lap_weight",
    "tv_weight",
    "depth_weight",
    "depth_model",
    "encoder",
    "decoder",
    "alpha",
    "style_scale",
    "patch_size",
    "stride",
    "preserve_color",
)


def make_parser() -> parsing.Parser:
    """The command's options."""
    parser = parsing.Parser(
        prog="stylize.py", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--content", metavar="PICTURE", help="what to paint")
    pictures.add_argument(
        "--style",
        nargs="+",
        metavar="PICTURE",
        help="how to paint it; several are blended; or a saved .style",
    )
    pictures.add_argument(
        "--style-blend",
        nargs="+",
        type=parsing.weight,
        metavar="WEIGHT",
        help="a weight for each style (default: equal)",
    )
    pictures.add_argument(
        "--mask",
        nargs="+",
        metavar="PICTURE",
        help="white where the first of two styles goes, black where the second; or "
        "one for each style, white where it goes (adain)",
    )
    pictures.add_argument(
        "--save-style",
        metavar="FILE.style",
        help="keep the style for later --style, without its picture (adain)",
    )
    pictures.add_argument(
        "--output",
        metavar="FILE",
        help="the result, .png .jpg .webp or .tif; a folder for folders",
    )
    pictures.add_argument(
        "--overwrite", action="store_true", help="replace existing outputs"
    )
    pictures.add_argument(
        "--size",
        type=parsing.size,
        metavar="N|WxH",
        help="the result's longer side, or both sides (default: the content's)",
    )
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        metavar="NAME",
        help="in one pass: adain (default), adain-lap, adain-depth or "
        "style-swap-net; by optimisation: gatys, lapstyle, gatys-depth or style-swap",
    )
    method.add_argument(
        "--alpha",
        type=parsing.share,
        metavar="A",
        help="strength of the style, from 0 to 1 (adain, style-swap; default 1)",
    )
    method.add_argument(
        "--patch-size",
        type=parsing.count,
        metavar="N",
        help="side of the patches, in cells of 4 pixels; larger ones bring more of "
        "the style's shapes (style-swap; default 3)",
    )
    method.add_argument(
        "--stride",
        type=parsing.count,
        metavar="N",
        help="cells from one patch to the next (style-swap; default 1)",
    )
    method.add_argument(
        "--style-scale",
        type=parsing.weight,
        metavar="S",
        help="size at which the style is seen, so of its strokes (adain; default 1)",
    )
    method.add_argument(
        "--preserve-color",
        metavar="HOW",
        help="none (default), luminance (keep the content's colours) or histogram "
        "(recolour the style like the content)",
    )
    method.add_argument(
        "--preset",
        metavar="NAME",
        help="of gatys and the like: best (default), reference (as published code) or "
        "paper",
    )
    method.add_argument(
        "--config",
        metavar="FILE[:PRESET]",
        help="a config in place of the method's own; --config.KEY=VALUE changes "
        "any leaf, with or without it",
    )
    method.add_argument(
        "--iterations",
        type=parsing.count,
        metavar="N",
        help="evaluations at full size",
    )
    method.add_argument(
        "--optimizer", metavar="NAME", help="adam, lbfgs or torch_lbfgs"
    )
    method.add_argument(
        "--init",
        metavar="WHAT",
        help="begin from content, recoloured (the content in the "
        "style's colours), style, noise or a picture",
    )
    for name, text in (
        ("content", "likeness to the content"),
        ("style", "likeness to the style"),
        ("lap", "likeness of edges (Laplacian)"),
        ("tv", "smoothness (total variation)"),
        ("depth", "likeness of depth: what is near stays near"),
    ):
        method.add_argument(
            f"--{name}-weight", type=parsing.weight, metavar="W", help=text
        )
    method.add_argument(
        "--seed", type=parsing.whole, default=0, metavar="N", help="of all randomness"
    )
    method.add_argument(
        "--encoder",
        metavar="NAME|FILE",
        help="the VGG-19: a bundled one's name or a converted file",
    )
    method.add_argument(
        "--decoder",
        metavar="NAME|FILE",
        help="the decoder: a bundled one's name, or one trained or converted for the "
        "encoder (adain)",
    )
    method.add_argument(
        "--depth-model",
        metavar="slim|FILE",
        help="the network that sees depth: the bundled one (default) or a converted "
        "monodepth2 or FastDepth",
    )
    machine = parser.add_argument_group("memory and start")
    machine.add_argument(
        "--max-memory",
        type=parsing.memory,
        metavar="AMOUNT",
        help="what the whole process may take, such as 2GB or 800MB; larger pictures "
        "are painted in tiles, to the same result (adain, style-swap-net; default: a "
        "share of the available memory)",
    )
    machine.add_argument(
        "--batch-size",
        type=parsing.count,
        metavar="N",
        help="pictures of a folder that are painted together where their sizes are "
        "equal (adain; default 4, on accelerators 8 for each)",
    )
    add_cache_option(machine)
    add_clip_options(parser)
    watching = parser.add_argument_group("watching and stopping")
    watching.add_argument(
        "--show-depth",
        action="store_true",
        help="also write the depth seen in the content and in the result, as "
        "..._content_disparity and ..._disparity",
    )
    watching.add_argument(
        "--save-every",
        type=parsing.count,
        metavar="N",
        help="also write the picture after every N evaluations",
    )
    watching.add_argument(
        "--trace",
        metavar="FILE.json",
        help="write every evaluation's losses (lbfgs: those of the points that it "
        "accepts), the options, versions and weights",
    )
    watching.add_argument(
        "--resume",
        action="store_true",
        help="go on with a picture or clip that was stopped by Ctrl-C",
    )
    watching.add_argument(
        "--quiet", action="store_true", help="no progress bar, no messages"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options, overrides = make_parser().parse_known_args(arguments)
    for number, argument in enumerate(overrides):
        if not argument.startswith("-") and not _is_value(overrides, number):
            raise NstjaxError(
                f"{argument!r} belongs to no option; --content takes one picture, or a "
                "folder for several"
            )
        if argument.startswith("-") and not argument.startswith("--config."):
            raise NstjaxError(
                f"there is no option {argument!r}; --help lists the options"
            )
    if options.content is None and options.style is None:
        options.content = _DEMONSTRATION["content"]
        options.style = _DEMONSTRATION["style"]
    if options.config and options.method:
        raise NstjaxError("give --method or --config, not both: a config has a method")
    if options.config and options.preset:
        raise NstjaxError(
            "give --preset or --config, not both: a config names its preset itself, as "
            "in --config gatys:paper"
        )
    for name in ("content", "style"):
        if getattr(options, name) is None:
            raise NstjaxError(f"--{name} is missing: name a picture")

    xla.set_flags()
    set_compile_cache(use=not options.no_compile_cache)
    # Imported this late, so that --help and mistakes are answered at once.
    from nstjax.cli.jobs import plan_jobs
    from nstjax.methods.options import method_options
    from nstjax.methods.table import method_of

    leaves = method_options(
        options.method or _METHOD,
        options.preset or "best",
        config=options.config,
        config_overrides=overrides,
        options={name: getattr(options, name) for name in _LEAVES},
    )
    if options.depth_model and not (leaves.get("depth_weight") or options.show_depth):
        raise NstjaxError(
            f"--depth-model is for --depth-weight, gatys-depth and --show-depth; "
            f"{leaves['method']} sees no depth as it is"
        )
    tell = _silent if options.quiet else _print
    if wants_clip(options):
        return stylize_clip(options, leaves, tell)
    jobs, done = plan_jobs(
        options.content,
        options.style,
        options.output,
        method=leaves["method"],
        overwrite=options.overwrite,
        resume=options.resume,
    )
    if options.trace and len(jobs) + done > 1:
        raise NstjaxError("--trace describes one picture, not a folder of them")
    if method_of(leaves).in_one_pass:
        for name, given in (
            ("--resume", options.resume),
            ("--save-every", options.save_every),
        ):
            if given:
                raise NstjaxError(
                    f"{name} is for methods that optimise; {leaves['method']} paints "
                    "at once"
                )
    if options.trace:
        _check_trace(options)
    if options.save_style:
        _check_save_style(jobs, leaves, options)
    _check_outputs(jobs, leaves, options)
    if done:
        tell(f"{done} pictures were there already")
    return _run_jobs(jobs, leaves, options, tell)


def _run_jobs(jobs, leaves: dict[str, Any], options, tell) -> int:
    with without_collection():
        from nstjax.cli.painting import Interrupted, paint
        from nstjax.methods.plan import load_networks

        networks = load_networks(leaves)
    batch_size = _batch_size(jobs, leaves, options)
    if batch_size > 1:
        from nstjax.cli.batches import paint_all

        failed = paint_all(jobs, leaves, networks, options, tell, batch_size=batch_size)
        return _status(failed, len(jobs))
    failed = 0
    for number, job in enumerate(jobs, start=1):
        if len(jobs) > 1:
            tell(f"{number} of {len(jobs)}: {job.output}")
        begin = time.perf_counter()
        try:
            record = paint(job, leaves, networks, options, tell)
        except Interrupted as stop:
            tell(str(stop))
            return stop.status
        except Exception as error:
            if len(jobs) == 1:
                raise
            # One bad picture, whatever is bad about it, does not stop the others.
            reason = explain(error) or f"{type(error).__name__}: {error}"
            print(
                f"nstjax: error: {job.output} could not be made: {reason}",
                file=sys.stderr,
            )
            failed += 1
            continue
        seconds = time.perf_counter() - begin
        tell(f"wrote {job.output} after {seconds:.1f} s")
        if options.trace:
            try:
                _write_trace(
                    Path(options.trace), record | {"seconds": seconds}, options
                )
            except NstjaxError as error:
                # The picture, which is what counts, has been written.
                warnings.warn(str(error), NstjaxWarning, stacklevel=2)
    return _status(failed, len(jobs))


def _batch_size(jobs, leaves: dict[str, Any], options) -> int:
    """How many pictures to paint together; 1 for one after the other."""
    from nstjax.methods.table import method_of

    together = method_of(leaves).paints_batches
    if options.batch_size and not together:
        raise NstjaxError("--batch-size is for adain, adain-lap and adain-depth")
    if len(jobs) < 2 or not together or options.mask or options.show_depth:
        return 1
    if options.batch_size:
        return options.batch_size
    from nstjax.methods.batches import default_batch_size

    return default_batch_size()


def _status(failed: int, total: int) -> int:
    if failed:
        print(f"nstjax: {failed} of {total} pictures failed", file=sys.stderr)
    return USAGE_ERROR if failed else 0


def _check_save_style(jobs, leaves: dict[str, Any], options) -> None:
    from nstjax.io.files import refuse_to_overwrite
    from nstjax.methods.one_pass import STYLE_SUFFIX
    from nstjax.methods.table import method_of, one_pass_names

    path = Path(options.save_style)
    if not method_of(leaves).in_one_pass or any(len(job.styles) > 1 for job in jobs):
        raise NstjaxError(
            f"--save-style keeps one style of a method of one pass ({one_pass_names()})"
        )
    if len({job.styles for job in jobs}) > 1:
        raise NstjaxError("--save-style keeps one style, not a folder of them")
    if path.suffix != STYLE_SUFFIX:
        raise NstjaxError(f"a saved style's name ends in {STYLE_SUFFIX}, not {path}")
    if not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written: its folder does not exist")
    refuse_to_overwrite(path, overwrite=options.overwrite)


def _check_outputs(jobs, leaves: dict[str, Any], options) -> None:
    """Checks that nothing the run writes is written twice, or is what it reads."""
    from nstjax.cli.outputs import check_distinct

    outputs = [job.output for job in jobs]
    outputs += [Path(path) for path in (options.trace, options.save_style) if path]
    if "iterations" in leaves:
        outputs += [job.state for job in jobs]
    if options.show_depth:
        outputs += [path for job in jobs for path in job.disparities]
    inputs = [picture for job in jobs for picture in (job.content, *job.styles)]
    inputs += [*(options.mask or ()), *([options.config] if options.config else ())]
    names = ("init", "encoder", "decoder", "depth_model")
    inputs += [leaves[name] for name in names if isinstance(leaves.get(name), str)]
    check_distinct(outputs, inputs)


def _is_value(arguments: Sequence[str], number: int) -> bool:
    """Whether an argument is the value of a --config.KEY before it."""
    before = arguments[number - 1] if number else ""
    return before.startswith("--config.") and "=" not in before


def _check_trace(options) -> None:
    from nstjax.io.files import refuse_to_overwrite

    path = Path(options.trace)
    refuse_to_overwrite(path, overwrite=options.overwrite or options.resume)
    if path.is_dir() or not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written; name a file in a folder")


def _write_trace(path: Path, record: dict[str, Any], options) -> None:
    from nstjax.io.files import write_atomically

    text = json.dumps(record, indent=1) + "\n"
    write_atomically(path, text, overwrite=options.overwrite or options.resume)


def _print(message: str) -> None:
    print(message, file=sys.stderr)


def _silent(message: str) -> None:
    del message
