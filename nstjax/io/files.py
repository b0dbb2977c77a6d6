"""Writing files all or nothing, and never over another by accident."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nstjax.errors import NstjaxError


def write_atomically(
    path: str | os.PathLike, data: bytes, *, overwrite: bool = False
) -> None:
    """Writes a file so that it is either absent (or as before) or complete.

    Missing parent folders are made.

    Raises:
        NstjaxError: if the file exists and `overwrite` is false, or the
            operating system refuses.
    """
    with written_atomically(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def written_atomically(
    path: str | os.PathLike, *, overwrite: bool = False
) -> Iterator[Path]:
    """Gives an empty file beside `path`, which takes its place when all is written.

    Otherwise as `write_atomically`; without an error the file is complete, with
    one it is gone.
    """
    path = Path(path)
    refuse_to_overwrite(path, overwrite=overwrite)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        yield Path(temporary)
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        # mkstemp makes a private file; give it the mode any new file gets.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise NstjaxError(
                f"{path} cannot be written ({reason}); choose another place"
            ) from error
        raise


def refuse_to_overwrite(path: str | os.PathLike, *, overwrite: bool) -> None:
    """Raises NstjaxError if `path` exists and may not be replaced."""
    if not overwrite and os.path.exists(path):
        raise NstjaxError(f"{path} exists; choose another name or pass --overwrite")
