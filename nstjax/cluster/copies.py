"""Local copies of remote files, for code that needs local files."""

import contextlib
import os
import shutil
import tempfile
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from nstjax.cluster import files
from nstjax.errors import NstjaxError

# How many remote files are read at the same time.
_READERS = 16


class Copies:
    """A folder of copies of remote files; local files are used directly.

    Args:
        most: how many recently used copies to keep; None for all.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._made: Path | None = None
        self._local: OrderedDict[str, str | Exception] = OrderedDict()

    def __enter__(self) -> "Copies":
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    def fetch(self, paths: Iterable[str]) -> None:
        """Copies remote files that are missing here; `local` reports failures."""
        wanted = {path for path in paths if files.is_remote(path)}
        missing = sorted(path for path in wanted if path not in self._local)
        if missing:
            self._folder()
            with ThreadPoolExecutor(_READERS) as readers:
                copies = readers.map(self._copy, missing)
                self._local.update(zip(missing, copies, strict=True))
        for path in wanted:
            self._local.move_to_end(path)
            # Stores may respond the next time.
            if isinstance(self._local[path], Exception) and path not in missing:
                self._local[path] = self._copy(path)
        while self._most is not None and len(self._local) > max(
            self._most, len(wanted)
        ):
            _, local = self._local.popitem(last=False)
            if isinstance(local, str):
                os.unlink(local)

    def local(self, path: str) -> str:
        """The local file with a file's content.

        Raises:
            NstjaxError: if it could not be copied.
        """
        found = self._local.get(path, path)
        if isinstance(found, Exception):
            raise found
        return found

    def named(self, error: Exception) -> Exception:
        """The error with files named as they were given."""
        if not isinstance(error, NstjaxError):
            return error
        text = str(error)
        for path, local in self._local.items():
            text = text.replace(str(local), path)
        return NstjaxError(text)

    @contextlib.contextmanager
    def written(self, path: str) -> Iterator[Path]:
        """A local file to write, which is then sent to its URL."""
        if not files.is_remote(path):
            yield Path(path)
            return
        suffix = PurePosixPath(path).suffix
        local = self._folder() / f"{uuid.uuid4().hex}{suffix}"
        yield local
        files.send(local, path)
        local.unlink()

    def _copy(self, path: str) -> str | Exception:
        try:
            return str(files.fetch(path, self._folder()))
        except NstjaxError as error:
            return error

    def _folder(self) -> Path:
        """The folder, created when first needed and deleted when no longer used."""
        if self._made is None:
            self._made = Path(tempfile.mkdtemp(prefix="nstjax-"))
            weakref.finalize(self, shutil.rmtree, self._made, ignore_errors=True)
        return self._made
