"""Where fetched weights are kept, and whether they are still what they were.

The folder holds ``NAME.safetensors``, the converted networks, each with
``NAME.sha256`` beside it, in the form that sha256sum writes and checks.
Downloads on their way are in ``downloads/``.
"""

import os
from pathlib import Path

import platformdirs

from nstjax.io.files import write_atomically
from nstjax.io.weights import sha256_of

_VARIABLE = "NSTJAX_CACHE"


def cache_folder() -> Path:
    """The folder: that of ``NSTJAX_CACHE``, or the platform's for caches."""
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen).expanduser().absolute()
    # What pooch.os_cache gives, without its import, which every run would wait for.
    return platformdirs.user_cache_path("nstjax")


def download_folder() -> Path:
    """Where downloads are kept until they are converted."""
    return cache_folder() / "downloads"


def weights_file(name: str) -> Path:
    """Where the converted weights of an entry are, or would be."""
    return cache_folder() / f"{name}.safetensors"


def cached_names() -> list[str]:
    """The entries whose weights are there."""
    return sorted(path.stem for path in cache_folder().glob("*.safetensors"))


def record_hash(name: str) -> None:
    """Notes the hash of an entry's weights."""
    path = weights_file(name)
    line = f"{sha256_of(path)}  {path.name}\n"
    write_atomically(path.with_suffix(".sha256"), line.encode(), overwrite=True)


def check_hash(name: str) -> str:
    """Compares an entry's weights with what was noted.

    Returns:
        "" if they agree, or what is wrong, in a few words.
    """
    path = weights_file(name)
    try:
        noted = path.with_suffix(".sha256").read_text().split()
        found = sha256_of(path)
    except FileNotFoundError:
        return "its hash was not recorded"
    except (OSError, UnicodeDecodeError) as error:
        return f"it cannot be read ({error})"
    if noted[:1] != [found]:
        return "it has changed since it was fetched"
    return ""
