"""``nstjax export``: writes a method as ONNX or StableHLO."""

from collections.abc import Sequence
from pathlib import Path

from nstjax.cli import parsing
from nstjax.cli.errors import reports_errors
from nstjax.errors import NstjaxError
from nstjax.ops.cpu import xla

_DESCRIPTION = """\
Writes a method's networks to a folder, for use without Python: a painter, its two
halves and a style encoder, for pictures of any size, and a card that describes them.
ONNX files are checked against JAX before they are written.
"""
_EXAMPLES = """\
examples:
  nstjax export adain exported/
  nstjax export adain-lap exported/ --format stablehlo
"""


def make_parser() -> parsing.Parser:
    """The command's options."""
    parser = parsing.Parser(
        prog="nstjax export", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    parser.add_argument(
        "method", metavar="METHOD", help="adain, adain-lap or adain-depth"
    )
    parser.add_argument("folder", metavar="DIR", help="the folder to write to")
    parser.add_argument(
        "--format",
        choices=("onnx", "stablehlo"),
        default="onnx",
        help='onnx (default) or stablehlo; both need pip install "nstjax[export]"',
    )
    parser.add_argument(
        "--encoder",
        metavar="NAME|FILE",
        help="the encoder for a decoder that has none of its own",
    )
    parser.add_argument(
        "--decoder", metavar="NAME|FILE", help="a decoder or painter of your own"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files"
    )
    parser.add_argument("--quiet", action="store_true", help="no messages")
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = make_parser().parse_args(arguments)
    xla.set_flags()
    # Imported here, so that --help and errors in options are fast.
    from nstjax.methods.options import method_options
    from nstjax.methods.table import method_of

    networks = {"encoder": options.encoder, "decoder": options.decoder}
    leaves = method_options(options.method, options=networks)
    method = method_of(leaves)
    if not method.in_one_pass:
        raise NstjaxError(
            f"{options.method} optimises each picture, which no exported network "
            "does; export adain, adain-lap or adain-depth"
        )
    from nstjax.export.files import export_networks

    export_networks(
        Path(options.folder),
        method.load(leaves),
        method=options.method,
        form=options.format,
        overwrite=options.overwrite,
        tell=_silent if options.quiet else print,
    )
    return 0


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    raise SystemExit(main())
