"""``nstjax weights``: fetches, checks and converts published networks."""

from collections.abc import Sequence

from nstjax.cli.errors import reports_errors
from nstjax.cli.parsing import Parser
from nstjax.errors import NstjaxError

_DESCRIPTION = """\
Fetches published networks and converts them, for --encoder, --decoder and
--depth-model. They are kept in a cache folder, which NSTJAX_CACHE can set.
"""
_EXAMPLES = """\
examples:
  nstjax weights list
  nstjax weights get vgg19
  nstjax weights verify
"""


def make_parser() -> Parser:
    """The command's options."""
    parser = Parser(prog="nstjax weights", description=_DESCRIPTION, epilog=_EXAMPLES)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="list the networks, their sources and licences")
    get = actions.add_parser("get", help="download, check and convert networks")
    get.add_argument("names", nargs="+", metavar="NAME", help="see list")
    get.add_argument(
        "--accept-license",
        action="store_true",
        help="confirm that you have read and accept the licence, if it requires that",
    )
    get.add_argument(
        "--overwrite", action="store_true", help="fetch again even if it exists"
    )
    get.add_argument("--quiet", action="store_true", help="no progress bar")
    actions.add_parser("verify", help="check the hashes of all fetched networks")
    path = actions.add_parser(
        "path", help="print the cache folder, or a network's file"
    )
    path.add_argument("name", nargs="?", metavar="NAME", help="see list")
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = make_parser().parse_args(arguments)
    return {"list": _list, "get": _get, "verify": _verify, "path": _path}[
        options.action
    ](options)


def _list(options) -> int:
    from nstjax.weights.store.cache import cached_names
    from nstjax.weights.store.entries import ALIASES, ENTRIES

    cached = cached_names()
    for entry in ENTRIES.values():
        short = [alias for alias, name in ALIASES.items() if name == entry.name]
        names = " or ".join([entry.name, *short])
        size = "size not stated" if entry.size is None else _megabytes(entry.size)
        print(f"{names}{' (fetched)' if entry.name in cached else ''}")
        print(f"  use      {entry.use}")
        print(f"  from     {entry.place}")
        print(f"           {size}, {entry.hash_text}")
        accept = "; needs --accept-license" if entry.terms else ""
        print(f"  licence  {entry.publisher.licence}{accept}")
    return 0


def _get(options) -> int:
    from nstjax.weights.store.cache import weights_file
    from nstjax.weights.store.entries import find_entry
    from nstjax.weights.store.fetch import fetch

    entries = [find_entry(name) for name in options.names]
    for entry in entries:
        there = weights_file(entry.name).is_file() and not options.overwrite
        path = fetch(
            entry.name,
            accept_license=options.accept_license,
            overwrite=options.overwrite,
            progress=not options.quiet,
        )
        before = ", already fetched" if there else ""
        print(f"{path}: {entry.publisher.licence}{before}")
    return 0


def _verify(options) -> int:
    from nstjax.weights.store.cache import cached_names, check_hash

    names = cached_names()
    damaged = {name: problem for name in names if (problem := check_hash(name))}
    for name in names:
        print(f"{name}: {damaged.get(name, 'as it was fetched')}")
    if damaged:
        raise NstjaxError(
            f"{len(damaged)} of {len(names)} networks cannot be trusted; fetch them "
            f"again with 'nstjax weights get --overwrite {' '.join(damaged)}'"
        )
    if not names:
        print("nothing has been fetched")
    return 0


def _path(options) -> int:
    from nstjax.weights.store.cache import cache_folder, weights_file
    from nstjax.weights.store.entries import find_entry

    if options.name is None:
        print(cache_folder())
        return 0
    path = weights_file(find_entry(options.name).name)
    if not path.is_file():
        raise NstjaxError(
            f"{options.name} has not been fetched; run 'nstjax weights get "
            f"{options.name}'"
        )
    print(path)
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    raise SystemExit(main())
