"""A web server on this machine, with the faults that servers have."""

import contextlib
import dataclasses
import http.server
import threading

import numpy as np
import pytest

from nstjax.weights.store import download, entries

CONTENT = np.random.default_rng(0).bytes(1_000_003)


@dataclasses.dataclass
class Site:
    """What the server does, and what it was asked.

    Attributes:
        content: the one file that it has, whatever the path.
        etag: its validator, or "" for none.
        cuts: after how many bytes each of the next answers breaks off.
        statuses: what the next answers are, in place of the file.
        ranges: whether it can continue.
        shift: by how much it continues at the wrong place.
        requests: the headers of each request so far.
        sent: bytes of the file sent so far.
    """

    content: bytes = CONTENT
    etag: str = '"first"'
    cuts: list[int] = dataclasses.field(default_factory=list)
    statuses: list[int] = dataclasses.field(default_factory=list)
    ranges: bool = True
    shift: int = 0
    requests: list[dict[str, str]] = dataclasses.field(default_factory=list)
    sent: int = 0
    address: str = ""

    def url(self, file: str = "file.bin") -> str:
        return f"{self.address}/{file}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        site.requests.append(dict(self.headers))
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and site.ranges and self.headers.get("If-Range") == site.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-")) + site.shift
            if start >= len(site.content):
                self.send_error(416)
                return
        rest = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(site.content) - 1
            where = f"bytes {start}-{last}/{len(site.content)}"
            self.send_header("Content-Range", where)
        self.send_header("Content-Length", str(len(rest)))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        rest = rest[: site.cuts.pop(0)] if site.cuts else rest
        site.sent += len(rest)
        # Clients that have seen enough close the connection.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A running server, and downloads that do not pause between attempts."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0, 0.0))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield server.site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nowhere(site):
    """An address at which nothing listens."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("NSTJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def add_entry(monkeypatch):
    """Puts an entry into the store for the time of a test."""

    def add(**fields):
        defaults = {
            "name": "small",
            "publisher": entries.TORCHVISION,
            "converter": "vgg19",
            "use": "tests",
        }
        entry = entries.Entry(**defaults | fields)
        monkeypatch.setitem(entries.ENTRIES, entry.name, entry)
        return entry

    return add
