"""``nstjax prepare-data``: packs a folder of pictures as a TFDS dataset."""

from collections.abc import Sequence
from pathlib import Path

from nstjax.cli.errors import reports_errors
from nstjax.cli.parsing import Parser, whole
from nstjax.errors import NstjaxError

_DESCRIPTION = """\
Packs a folder of pictures, with its subfolders, into one TFDS directory of
array_record files. Training gives the same result, but reads faster from network
drives and spinning disks. TensorFlow is not needed.
"""
_EXAMPLES = """\
examples:
  nstjax prepare-data photos/ prepared/photos --short-side 768
"""


def make_parser() -> Parser:
    """The command's options."""
    parser = Parser(
        prog="nstjax prepare-data", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    parser.add_argument("source", type=Path, help="a folder of pictures")
    parser.add_argument("destination", type=Path, help="the directory to write")
    parser.add_argument(
        "--short-side",
        type=whole,
        default=0,
        metavar="PIXELS",
        help="scale larger pictures down to this shorter side (default: keep their "
        "size)",
    )
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = make_parser().parse_args(arguments)
    from nstjax.io.datasets import find_pictures
    from nstjax.io.tfds_folder import prepare_folder

    files = find_pictures(options.source)
    if not files:
        raise NstjaxError(f"there is no folder of pictures {options.source}")
    written, unreadable = prepare_folder(
        files, options.source, options.destination, short_side=options.short_side
    )
    for file in unreadable:
        print(f"skipped {file}, which cannot be read")
    print(f"wrote {options.destination}: {written} pictures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
