"""Writes files atomically, and never overwrites others by accident."""

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from nstjax.errors import NstjaxError

# In bytes; all common file systems allow this.
LONGEST_NAME = 255
# How many characters of a name its temporary file's name starts with.
_PREFIX = 32
# How many random base-64 characters the temporary file's name ends with.
_RANDOM = 8
# Temporary files that are not yet moved to their place, and temporary folders.
_unfinished: set[str] = set()


def write_atomically(
    path: str | os.PathLike, data: bytes | str, *, overwrite: bool = False
) -> None:
    """Writes a file so that it is either absent (or as before) or complete.

    Missing parent folders are created. Text is written as UTF-8, except for file names
    that are not valid UTF-8, which are written unchanged. For a symbolic link, its
    target is written, and the link is kept.

    Raises:
        NstjaxError: if the file exists and `overwrite` is false, or it cannot be
            written.
    """
    if isinstance(data, str):
        data = data.encode(errors="surrogateescape")
    with written_atomically(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def fit_name(stem: str, ending: str) -> str:
    """A file's name, ``stem + ending``, shortened if file systems would refuse it.

    The removed part is replaced by a hash of the whole stem, so that names remain
    distinct and the same stem always gives the same name.
    """
    if len(os.fsencode(stem + ending)) <= LONGEST_NAME:
        return stem + ending
    encoded = os.fsencode(stem)
    mark = f"~{hashlib.sha256(encoded).hexdigest()[:8]}"
    room = LONGEST_NAME - len(os.fsencode(mark + ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return f"{stem}{mark}{ending}"


@contextlib.contextmanager
def written_atomically(
    path: str | os.PathLike, *, overwrite: bool = False
) -> Iterator[Path]:
    """Yields an empty file next to `path`, which replaces it when it is written.

    Otherwise like `write_atomically`; after an error, the temporary file is removed.
    """
    path = Path(path)
    refuse_to_overwrite(path, overwrite=overwrite)
    temporary = None
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Part of the name, since the whole may have the maximal length already.
        name = f".{target.name[:_PREFIX]}.{secrets.token_urlsafe(_RANDOM // 4 * 3)}"
        made = str(target.parent / name)
        # Not with mkstemp, whose files are private: the file gets the usual mode of new
        # files.
        descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        mode = os.fstat(descriptor).st_mode
        os.close(descriptor)
        temporary = made
        _unfinished.add(temporary)
        yield Path(temporary)
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
            # safetensors has replaced the file with a private one.
            if os.fstat(file.fileno()).st_mode != mode:
                os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise NstjaxError(
                f"{path} cannot be written ({reason}); choose another place"
            ) from error
        raise
    finally:
        _unfinished.discard(temporary or "")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that exists until the block, or the process, ends."""
    with tempfile.TemporaryDirectory(prefix="nstjax-") as folder:
        _unfinished.add(folder)
        try:
            yield Path(folder)
        finally:
            _unfinished.discard(folder)


def remove_unfinished() -> None:
    """Removes unfinished files before the process ends."""
    for temporary in tuple(_unfinished):
        if os.path.isdir(temporary):
            shutil.rmtree(temporary, ignore_errors=True)
            continue
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def remove_leftovers(paths: Iterable[str | os.PathLike]) -> None:
    """Removes unfinished versions of these files that killed processes left.

    No other process may be writing any of them.
    """
    prefixes: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        prefixes.setdefault(folder, set()).add(f".{name[:_PREFIX]}.")
    for folder, begun in prefixes.items():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[:-_RANDOM] in begun:
                    os.unlink(entry.path)


def refuse_to_overwrite(path: str | os.PathLike, *, overwrite: bool) -> None:
    """Raises NstjaxError if `path` exists and may not be replaced."""
    if not overwrite and os.path.exists(path):
        raise NstjaxError(f"{path} exists; choose another name or pass --overwrite")
