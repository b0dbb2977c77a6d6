"""Downloads that continue where they stopped.

Pooch manages the files; this module adds a downloader for it with resuming, retries and
one-sentence errors.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nstjax.errors import NstjaxError

_CONNECT_SECONDS, _READ_SECONDS = 15, 60
_CHUNK = 2**16
# The pauses after consecutive failures without a byte in between.
_PAUSES = (1.0, 2.0, 4.0)
_PARTIAL, _RANGE_REFUSED = 206, 416
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))


def download(
    url: str, folder: Path, file: str, *, advice: str, progress: bool = True
) -> Path:
    """Downloads a file, unless it already exists.

    Args:
        url: its address.
        folder: the folder for it, and for its parts until it is complete.
        file: its name there.
        advice: what else the user can do, for errors.
        progress: whether to show a bar on stderr.

    Returns:
        The file.

    Raises:
        NstjaxError: if it cannot be downloaded.
    """
    # Imported late, since most commands download nothing.
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manager = pooch.create(folder, "", registry={file: None}, urls={file: url})
        downloader = _Downloader(folder / f"{file}.part", advice, progress)
        return Path(manager.fetch(file, downloader=downloader))
    except OSError as error:
        raise NstjaxError(
            f"{folder / file} cannot be written ({error.strerror or error}); make room "
            "there, or set NSTJAX_CACHE to another folder"
        ) from error


def matches(path: Path, digest: str) -> tuple[bool, str]:
    """Compares a file with the first digits of its hash.

    Args:
        path: the file.
        digest: such as "sha256:dcbb9e9d".

    Returns:
        Whether they agree, and the same number of digits of the file's own hash.
    """
    import pooch

    algorithm, _, digits = digest.partition(":")
    found = pooch.file_hash(str(path), alg=algorithm)[: len(digits)]
    return found == digits.lower(), found


class _Failed(Exception):
    """Raised if an attempt failed but another one may succeed."""


class _Downloader:
    """The function that pooch calls to download an address to a file.

    Args:
        part: the file so far. Next to it is the server's validator (its ETag), without
            which it is not continued.
        advice: see `download`.
        progress: see `download`.
    """

    def __init__(self, part: Path, advice: str, progress: bool):
        self.part = part
        self.tag = part.with_name(f"{part.name}.etag")
        self.advice = advice
        self.progress = progress

    def __call__(self, url: str, output_file: str, _pooch: Any) -> None:
        import requests

        failures = 0
        with requests.Session() as session:
            while True:
                before = self._have()
                try:
                    self._attempt(session, url)
                    break
                except _Failed as error:
                    failures = 1 if self._have() > before else failures + 1
                    if failures > len(_PAUSES):
                        raise self._error(
                            f"{url} cannot be downloaded ({error}); try again to "
                            "continue where it stopped"
                        ) from error
                    time.sleep(_PAUSES[failures - 1])
        os.replace(self.part, output_file)
        self.tag.unlink(missing_ok=True)

    def _attempt(self, session: Any, url: str) -> None:
        """Fetches the missing part; raises _Failed if it remains incomplete."""
        # With compression, lengths and positions would be meaningless.
        headers = {"Accept-Encoding": "identity"}
        if self._have() and self.tag.exists():
            headers["Range"] = f"bytes={self._have()}-"
            headers["If-Range"] = self.tag.read_text()
        with _network_errors(), self._open(session, url, headers) as response:
            if response.status_code == _RANGE_REFUSED:
                self.part.unlink()
                raise _Failed("the server refuses to continue")
            self._check(response, url)
            if response.status_code != _PARTIAL:
                self._begin(response)
            elif not self._goes_on(response):
                self.part.unlink()
                raise _Failed("the server continues from the wrong place")
            length = response.headers.get("Content-Length", "")
            total = self._have() + int(length) if length.isdigit() else None
            self._receive(response, url.rpartition("/")[2], total)
        if total is not None and self._have() != total:
            raise _Failed("the connection was cut")

    def _receive(self, response: Any, name: str, total: int | None) -> None:
        from tqdm import tqdm

        bar = tqdm(
            desc=name,
            total=total,
            initial=self._have(),
            unit="B",
            unit_scale=True,
            disable=not self.progress,
        )
        with bar, open(self.part, "ab") as file:
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))

    @staticmethod
    def _open(session: Any, url: str, headers: dict[str, str]) -> Any:
        return session.get(
            url,
            headers=headers,
            stream=True,
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )

    def _goes_on(self, response: Any) -> bool:
        """Whether the response contains the missing part."""
        where = response.headers.get("Content-Range", "")
        return where.startswith(f"bytes {self._have()}-")

    def _begin(self, response: Any) -> None:
        """Starts again, and records the validator for continuing later."""
        self.part.write_bytes(b"")
        self.tag.unlink(missing_ok=True)
        tag = response.headers.get("ETag", "")
        # Weak validators do not guarantee the same bytes.
        if tag.startswith('"'):
            self.tag.write_text(tag)

    def _check(self, response: Any, url: str) -> None:
        status = response.status_code
        if status in _TRANSIENT:
            raise _Failed(f"the server answers {status} {response.reason}")
        if status >= 400:
            raise self._error(
                f"{url} cannot be downloaded: the server answers {status} "
                f"{response.reason}; look for it at its publisher's"
            )

    def _error(self, message: str) -> NstjaxError:
        return NstjaxError(f"{message}, or {self.advice}")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    """Turns errors of requests into _Failed with a few words."""
    from requests import exceptions

    try:
        yield
    except exceptions.SSLError as error:
        raise _Failed("the server's certificate is not valid") from error
    except exceptions.Timeout as error:
        raise _Failed("the server does not answer") from error
    except exceptions.ChunkedEncodingError as error:
        raise _Failed("the connection was cut") from error
    except exceptions.ConnectionError as error:
        raise _Failed("no connection to the server") from error
    except exceptions.RequestException as error:
        raise _Failed(type(error).__name__) from error
