"""The cache of fetched weights, and checks that they have not changed.

The folder contains the converted networks, ``NAME.safetensors``, each with a
``NAME.sha256`` in the format of sha256sum. Unfinished downloads are in ``downloads/``.
"""

import os
from pathlib import Path

import platformdirs

from nstjax.io.files import write_atomically
from nstjax.io.weights import sha256_of

_VARIABLE = "NSTJAX_CACHE"


def cache_folder() -> Path:
    """The folder: ``NSTJAX_CACHE``, or the platform's cache folder."""
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen).expanduser().absolute()
    # The same as pooch.os_cache, without importing it, which would slow down every run.
    return platformdirs.user_cache_path("nstjax")


def download_folder() -> Path:
    """The folder for downloads until they are converted."""
    return cache_folder() / "downloads"


def weights_file(name: str) -> Path:
    """The file for the converted weights of an entry."""
    return cache_folder() / f"{name}.safetensors"


def cached_names() -> list[str]:
    """The entries whose weights are in the cache."""
    return sorted(path.stem for path in cache_folder().glob("*.safetensors"))


def record_hash(name: str) -> None:
    """Records the hash of an entry's weights."""
    path = weights_file(name)
    line = f"{sha256_of(path)}  {path.name}\n"
    write_atomically(path.with_suffix(".sha256"), line.encode(), overwrite=True)


def check_hash(name: str) -> str:
    """Compares an entry's weights with the recorded hash.

    Returns:
        "" if they agree, or a few words about the problem.
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
