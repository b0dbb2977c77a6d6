"""``nstjax web``: opens the page."""

import importlib.util
import sys
from collections.abc import Sequence

from nstjax.cli import parsing
from nstjax.cli.compile_cache import add_cache_option
from nstjax.cli.errors import reports_errors
from nstjax.errors import NstjaxError
from nstjax.ops.cpu import xla
from nstjax.weights.store.compile_cache import set_compile_cache

_DESCRIPTION = """\
Opens a page in the browser to paint on. Only this machine can reach it, and it
loads nothing from anywhere else. Ctrl-C ends it and deletes uploads and results.
"""
_EXAMPLES = """\
examples:
  nstjax web
  nstjax web --no-browser --port 8000
"""
_HERE = "127.0.0.1"


def make_parser() -> parsing.Parser:
    """The command's options."""
    parser = parsing.Parser(
        prog="nstjax web", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    parser.add_argument(
        "--port",
        type=parsing.count,
        metavar="N",
        help="port of the page (default: 7860, or a free one)",
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="print the page's address, but do not open it",
    )
    parser.add_argument(
        "--host",
        default=_HERE,
        metavar="ADDRESS",
        help="an address of this machine, such as 0.0.0.0; anyone who can reach it "
        f"may paint here (default: {_HERE}, this machine only)",
    )
    add_cache_option(parser)
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command until it is stopped."""
    options = make_parser().parse_args(
        list(sys.argv[1:] if arguments is None else arguments)
    )
    if importlib.util.find_spec("gradio") is None:
        raise NstjaxError(
            'the page needs gradio, which is not installed; pip install "nstjax[web]"'
        )
    xla.set_flags()
    set_compile_cache(use=not options.no_compile_cache)
    from nstjax.web.server import serve

    serve(options.host, options.port, browser=not options.no_browser)
    return 0
