"""The option about compiled programs that are kept for the next run."""

from typing import Any

from nstjax.weights.store.compile_cache import VARIABLE


def add_cache_option(parser: Any) -> None:
    """Adds the option that switches the cache off to a parser, or a group of one."""
    parser.add_argument(
        "--no-compile-cache",
        action="store_true",
        help=f"do not cache compiled programs for later runs; {VARIABLE}=off "
        f"does the same, and {VARIABLE}=FOLDER caches them elsewhere",
    )
