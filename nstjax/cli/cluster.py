"""``nstjax stylize --cluster``: paints the same pictures on a Ray cluster."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nstjax.cli import parsing
from nstjax.cli.clips import CLIP_OPTIONS
from nstjax.cli.errors import USAGE_ERROR
from nstjax.errors import NstjaxError
from nstjax.interrupts import Stopped

# Options that cannot be used with clusters, with their default values.
_NOT_HERE = {
    "mask": None,
    "save_style": None,
    "config": None,
    "show_depth": False,
    "save_every": None,
    "preview": None,
    "time_limit": None,
    "trace": None,
    "resume": False,
    "json": False,
    "sheet": None,
    "piped": False,
} | dict.fromkeys(CLIP_OPTIONS)
_OF_PICTURES = (
    *("method", "preset", "size", "seed", "style_blend", "max_memory"),
    *("background", "exif", "quality", "chroma"),
)


def add_cluster_options(parser: Any) -> None:
    """Adds the options of a cluster to a parser."""
    group = parser.add_argument_group("cluster (docs/cluster.md)")
    group.add_argument(
        "--cluster",
        metavar="auto|ADDRESS",
        help="paint on a Ray cluster: auto uses the one that RAY_ADDRESS names, or "
        "else starts a local one on this machine's cores; --content may also be a "
        "manifest (.parquet, .jsonl, or a .txt list of pictures), and every path a "
        "URL such as s3://bucket/photos",
    )
    group.add_argument(
        "--workers",
        type=parsing.count,
        metavar="N",
        help="how many workers paint at the same time (default: one per CPU or GPU)",
    )
    group.add_argument(
        "--results",
        metavar="FOLDER",
        help="where to record the outcome of every picture (default: results in the "
        "output folder)",
    )


def paint_on_cluster(
    options: Any,
    overrides: Sequence[str],
    leaves: Mapping[str, Any],
    tell: Callable[[str], None],
) -> int:
    """Paints the pictures of the options; returns the exit status.

    Args:
        options: the command line's options.
        overrides: config overrides, which workers do not support.
        leaves: the given options of the method.
        tell: called with messages for the user.

    Raises:
        NstjaxError: if anything cannot be used.
    """
    # Imported here, since they are not needed without a cluster.
    from tqdm import tqdm

    from nstjax.cluster.manifest import read_manifest
    from nstjax.cluster.painter import THERE_ALREADY
    from nstjax.cluster.run import paint_rows

    if overrides:
        raise NstjaxError(f"{overrides[0]} cannot be used with --cluster; leave it out")
    for name, absent in _NOT_HERE.items():
        if getattr(options, name) != absent:
            flag = f"--{name.replace('_', '-')}"
            raise NstjaxError(
                f"{flag} cannot be used with --cluster; leave one of them out"
            )
    if not options.results and not options.output:
        raise NstjaxError("--cluster needs a folder for --output, or for --results")
    results = options.results or f"{options.output.rstrip('/')}/results"
    _check_styles(options.style)
    rows = read_manifest(
        options.content,
        style=options.style,
        output=options.output,
        format=options.format or "png",
    )
    # Rows with their own options may use another method or other networks.
    if plain := [row for row in rows if row["options"] == "{}"]:
        _check_method(options, leaves, styles={len(row["style"]) for row in plain})
    given = {name: getattr(options, name) for name in _OF_PICTURES} | dict(leaves)
    begin = time.perf_counter()
    counts = {"done": 0, "there": 0, "failed": 0}
    bar = tqdm(total=len(rows), unit="picture", disable=options.quiet, file=sys.stderr)

    def on_record(record: Mapping[str, Any]) -> None:
        status = record["status"]
        counts["there" if record["message"] == THERE_ALREADY else status] += 1
        if status == "failed":
            with bar.external_write_mode(file=sys.stderr):
                print(
                    f"nstjax: error: {record['output']} could not be made: "
                    f"{record['message']}",
                    file=sys.stderr,
                )
        bar.update()

    def on_start(left: int, workers: int) -> None:
        bar.update(len(rows) - left - bar.n)
        if left:
            with bar.external_write_mode(file=sys.stderr):
                tell(f"painting {left} pictures with {workers} workers")

    try:
        with bar:
            paint_rows(
                rows,
                address=options.cluster,
                results=results,
                workers=options.workers,
                overwrite=options.overwrite,
                batch_size=options.batch_size,
                on_record=on_record,
                on_start=on_start,
                **{name: value for name, value in given.items() if value is not None},
            )
    except KeyboardInterrupt as stop:
        tell(f"stopped after {counts['done']} pictures; repeat the command to continue")
        return stop.status if isinstance(stop, Stopped) else Stopped().status
    seconds = time.perf_counter() - begin
    there = len(rows) - counts["done"] - counts["failed"]
    if there:
        tell(f"{there} pictures already existed")
    tell(
        f"wrote {counts['done']} pictures in {seconds:.1f} s; {results} lists every "
        "outcome"
    )
    if counts["failed"]:
        print(
            f"nstjax: {counts['failed']} of {len(rows)} pictures failed",
            file=sys.stderr,
        )
    return USAGE_ERROR if counts["failed"] else 0


def _check_method(
    options: Any, leaves: Mapping[str, Any], *, styles: Iterable[int]
) -> None:
    """Raises the errors that all pictures would fail with, before anything starts."""
    from nstjax.methods.options import method_options
    from nstjax.methods.plan import check_blend, load_networks
    from nstjax.methods.table import method_of
    from nstjax.weights.pretrained import load_depth

    chosen = method_options(
        options.method or "adain", options.preset or "best", options=leaves
    )
    if options.batch_size and not method_of(chosen).paints_batches:
        raise NstjaxError(
            "--batch-size works with adain, adain-lap and adain-depth only"
        )
    if options.style_blend:
        for count in styles:
            check_blend(options.style_blend, styles=count)
    load_networks(chosen)
    if options.depth_model:
        load_depth(options.depth_model)


def _check_styles(styles: list[str] | None) -> None:
    from nstjax.cluster.files import is_remote
    from nstjax.methods.pictures import is_folder, list_pictures

    for style in styles or ():
        if is_folder(style):
            raise NstjaxError(
                f"{style} is a folder; name one style for all pictures, or write a "
                "manifest with a style for each"
            )
        if not is_remote(style):
            list_pictures(style)  # reports what is wrong with it
