"""The page's server, which answers at once, and only requests from this machine."""

import contextlib
import http.server
import importlib
import inspect
import os
import socket
import sys
import threading
import types
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nstjax.errors import NstjaxError
from nstjax.io.files import temporary_folder

_PORT = 7860
# Host names that can only be reached from this machine.
_OWN = ("127.0.0.1", "localhost")
# The largest upload, such as a clip.
_MOST_BYTES = 512 * 2**20
# Seconds from when the page is shown until networks are loaded.
_PAGE_FIRST = 2.0
# Keep gradio from fetching anything from elsewhere, or sending anything there.
_GRADIO = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
# The browser itself refuses all traffic with other servers.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'"
)
_WAITING = b"""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<noscript><meta http-equiv="refresh" content="1"></noscript>
<title>nstjax</title>
<link rel="icon" href="data:,">
<style>body { font: 1.2em system-ui; margin: 20vh auto; width: 20em }</style>
<h1>nstjax</h1>
<p role="status">The page is being set up and will be here in a moment.</p>
<script>
const look = () => fetch("ready", {cache: "no-store"}).then(
  (answer) => answer.ok ? location.reload() : setTimeout(look, 50),
  () => setTimeout(look, 50))
look()
</script>
"""


def serve(host: str, port: int | None, *, browser: bool) -> None:
    """Serves the page until a signal raises KeyboardInterrupt.

    Args:
        host: an address of this machine.
        port: the port to listen on; None for 7860, or a free one if that is taken.
        browser: whether to open the page.

    Raises:
        NstjaxError: if the server cannot listen on the address.
    """
    with _listening(host, port) as listener, temporary_folder() as folder:
        os.environ.update(_GRADIO, GRADIO_TEMP_DIR=str(folder))
        port = listener.getsockname()[1]
        shown = "127.0.0.1" if host == "0.0.0.0" else host
        shown = f"[{shown}]" if ":" in shown else shown
        address = f"http://{shown}:{port}/"
        print(f"nstjax: the page is {address}; Ctrl-C ends it", file=sys.stderr)
        with _waiting_page(listener):
            if browser:
                webbrowser.open(address)
            from nstjax.web.painting import Studio

            studio = Studio()
            application = _application(folder, studio, own=host in _OWN)
        _run(application, listener, studio)


@contextlib.contextmanager
def _listening(host: str, port: int | None) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        if os.name != "nt":  # where it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for choice in (_PORT, 0) if port is None else (port,):
            try:
                listener.bind((host, choice))
                listener.listen(128)
            except (OSError, OverflowError) as error:
                problem = error
                continue
            break
        else:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise NstjaxError(
                f"the page cannot be served at {host}, port {port or _PORT} "
                f"({reason}); "
                "choose another --port"
            ) from problem
        yield listener


@contextlib.contextmanager
def _waiting_page(listener: socket.socket) -> Iterator[None]:
    """Answers on the socket while the page is made; importing gradio takes seconds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 503)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(_WAITING)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(_WAITING)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        listener.getsockname(), Handler, bind_and_activate=False
    )
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class _WithPolicy:
    """Sends the policy with every response; refuses requests from other sites' pages.

    Browsers state the site that each upload comes from.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", _POLICY.encode())
                message["headers"] = [*message["headers"], policy]
            await send(message)

        headers = dict(scope.get("headers", ()))
        origin = headers.get(b"origin")
        # A proxy may use its own name.
        hosts = headers.get(b"host"), headers.get(b"x-forwarded-host")
        if origin is not None and origin.partition(b"://")[2] not in hosts:
            from starlette.responses import PlainTextResponse

            await PlainTextResponse("Not from this page.", 403)(
                scope, receive, send_with_policy
            )
            return
        await self._app(scope, receive, send_with_policy)


@contextlib.contextmanager
def _quickly_imported() -> Iterator[None]:
    """Makes the import of gradio take less than half the time.

    gradio writes editor stubs for every component at every start, unless it finds no
    file of the component; and it imports pandas, for tables that are not used here.
    """
    getfile = inspect.getfile
    pandas = types.ModuleType("pandas")

    def find(thing: Any) -> str:
        if getattr(thing, "__module__", "").startswith("gradio."):
            raise OSError
        return getfile(thing)

    def from_pandas(name: str) -> Any:
        if sys.modules.get("pandas") is pandas:
            del sys.modules["pandas"]
        return getattr(importlib.import_module("pandas"), name)

    vars(pandas)["__getattr__"] = from_pandas
    sys.modules.setdefault("pandas", pandas)
    inspect.getfile = find  # type: ignore[assignment]  # accepts fewer types
    try:
        yield
    finally:
        inspect.getfile = getfile
        if sys.modules.get("pandas") is pandas:
            del sys.modules["pandas"]


def _application(folder: Path, studio: Any, *, own: bool) -> Any:
    """The whole application, for a server.

    Args:
        folder: where gradio stores files.
        studio: the studio that paints.
        own: whether it is for this machine only: then requests with another host name,
            which pages of other sites could make, are refused.
    """
    with _quickly_imported():
        import gradio
    import fastapi
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from nstjax.web import look, page

    application = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if own:
        application.add_middleware(TrustedHostMiddleware, allowed_hosts=list(_OWN))

    application.add_middleware(_WithPolicy)
    # The request of the waiting page.
    application.get("/ready")(lambda: "")
    blocks = page.make_page(folder, studio)
    # Without it, gradio treats a mounted page as not yet running, and any file that a
    # request names as an upload.
    blocks.has_launched = True
    return gradio.mount_gradio_app(
        application,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=True,
        max_file_size=_MOST_BYTES,
        theme=look.make_theme(),
        css=look.make_css(),
        js=look.SCRIPT,
        allowed_paths=[str(folder)],
    )


def _run(application: Any, listener: socket.socket, studio: Any) -> None:
    import uvicorn

    config = uvicorn.Config(
        application, log_level="warning", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # Not in the main thread, which signals interrupt: uvicorn would replace their
    # handlers, and an exception that passes through jax may crash it.
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, daemon=True
    )
    thread.start()
    # So that the first painting does not wait for it; but after the page is shown.
    loading = threading.Timer(_PAGE_FIRST, studio.prepare)
    loading.daemon = True
    loading.start()
    try:
        while thread.is_alive():
            thread.join(60)
    finally:
        loading.cancel()
        server.should_exit = True
        thread.join(3)
