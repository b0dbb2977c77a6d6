"""The option for the cache of compiled programs."""

from typing import Any

from nstjax.weights.store.compile_cache import VARIABLE


def add_cache_option(parser: Any) -> None:
    """Adds the option that disables the cache to a parser or its group."""
    parser.add_argument(
        "--no-compile-cache",
        action="store_true",
        help=f"do not cache compiled programs for later runs; {VARIABLE}=off "
        f"does the same, and {VARIABLE}=FOLDER caches them elsewhere",
    )
