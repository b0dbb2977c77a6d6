"""Files that are local, or named by a URL such as ``s3://bucket/photo.jpg``.

URLs are resolved by fsspec; each kind of store needs its package (s3fs, gcsfs, adlfs
and the like).
"""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.io.files import write_atomically
from nstjax.io.images import PICTURE_SUFFIXES, list_images

# Stores in which a file appears only when it is complete.
_ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss"}


def is_remote(path: str) -> bool:
    """Whether a path is a URL outside of this machine's file systems."""
    return "://" in path and not path.startswith("file://")


def absolute(path: str, base: str = "") -> str:
    """An absolute path, which means the same in every process, like a URL.

    Args:
        path: a path or a URL.
        base: the folder, or its URL, that relative paths start from; by default the
            current one.
    """
    path = path.removeprefix("file://")
    if is_remote(path) or not base:
        return path if is_remote(path) else os.path.abspath(path)
    if is_remote(base) and not os.path.isabs(path):
        return f"{base.rstrip('/')}/{path}"
    return os.path.abspath(os.path.join(base, path))


def parent(path: str) -> str:
    """The folder of a file, or its URL."""
    return path.rpartition("/")[0] if is_remote(path) else os.path.dirname(path)


def stem(path: str) -> str:
    """A file's name without its suffix."""
    return PurePosixPath(path).stem if is_remote(path) else Path(path).stem


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name."""
    if not is_remote(path):
        return os.path.isdir(path)
    with _explained(path):
        system, inside = _open_store(path)
        return system.isdir(inside)


def exists(path: str) -> bool:
    """Whether there is a file of this name."""
    if not is_remote(path):
        return os.path.exists(path)
    with _explained(path):
        system, inside = _open_store(path)
        return system.exists(inside)


def list_files(folder: str) -> list[str]:
    """The files directly in a folder, sorted; none if the folder does not exist."""
    if not is_remote(folder):
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_file()]
        except FileNotFoundError:
            return []
        return [os.path.join(folder, name) for name in sorted(names)]
    with _explained(folder):
        system, inside = _open_store(folder)
        if not system.isdir(inside):
            return []
        system.invalidate_cache(inside)
        found = system.ls(inside, detail=True)
        names = [entry["name"] for entry in found if entry["type"] == "file"]
        return sorted(system.unstrip_protocol(name) for name in names)


def list_pictures_in(folder: str) -> list[str]:
    """The pictures directly in a folder, sorted by name.

    Raises:
        NstjaxError: if there are none.
    """
    if not is_remote(folder):
        return [str(path) for path in list_images(folder)]
    found = [
        path
        for path in list_files(folder)
        if PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES
    ]
    if not found:
        raise NstjaxError(
            f"the folder {folder} has no pictures ({', '.join(PICTURE_SUFFIXES)})"
        )
    return found


def read_bytes(path: str) -> bytes:
    """The content of a file.

    Raises:
        NstjaxError: if it cannot be read.
    """
    with _explained(path):
        if not is_remote(path):
            return Path(path).read_bytes()
        system, inside = _open_store(path)
        return system.cat_file(inside)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file atomically, replacing an older one.

    Raises:
        NstjaxError: if it cannot be written.
    """
    if not is_remote(path):
        write_atomically(path, data, overwrite=True)
        return
    with tempfile.TemporaryDirectory(prefix="nstjax-") as folder:
        local = Path(folder) / "data"
        local.write_bytes(data)
        send(local, path)


def fetch(path: str, folder: Path) -> Path:
    """Copies a remote file to a local folder, with its own suffix.

    Raises:
        NstjaxError: if it cannot be read.
    """
    local = folder / f"{uuid.uuid4().hex}{PurePosixPath(path).suffix}"
    with _explained(path):
        system, inside = _open_store(path)
        system.get_file(inside, str(local))
    return local


def send(local: Path, path: str) -> None:
    """Copies a local file to a URL, where it appears only when it is complete.

    Raises:
        NstjaxError: if it cannot be written.
    """
    with _explained(path, "written"):
        system, inside = _open_store(path)
        if path.partition("://")[0] in _ATOMIC:
            system.put_file(str(local), inside)
            return
        folder, _, name = inside.rpartition("/")
        temporary = f"{folder}/.{name[:32]}.{uuid.uuid4().hex}"
        system.makedirs(folder, exist_ok=True)
        try:
            system.put_file(str(local), temporary)
            system.mv(temporary, inside)
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(temporary)
            raise


def _open_store(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise NstjaxError(
            f'{url} needs fsspec; pip install "nstjax[cluster]"'
        ) from error
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise NstjaxError(f"{url} cannot be opened: {error}") from error
    except ValueError as error:
        kind = url.partition("://")[0]
        raise NstjaxError(
            f"{url} cannot be opened: {kind} is not a known kind of store"
        ) from error


@contextlib.contextmanager
def _explained(path: str, done: str = "read") -> Iterator[None]:
    """Turns the errors of stores, of any type, into a one-sentence NstjaxError."""
    try:
        yield
    except NstjaxError:
        raise
    except FileNotFoundError as error:
        raise NstjaxError(f"{path} does not exist; check its name") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise NstjaxError(
            f"{path} cannot be {done} ({reason or type(error).__name__}); check it and "
            "try again"
        ) from error
