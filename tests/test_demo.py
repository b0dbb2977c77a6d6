"""The page that paints in a browser, in a real one."""

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.methods import one_pass
from nstjax.methods.networks import load_networks

pytestmark = pytest.mark.slow
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
playwright = pytest.importorskip("playwright.sync_api")

TOOL = Path(__file__).resolve().parents[1] / "tools" / "make_demo.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DONE = re.compile(r"^(\d+) x (\d+) pixels in [\d.]+ s$")


def make_demo(*arguments):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The address of a folder that the tool has made, and the folder."""
    folder = tmp_path_factory.mktemp("served") / "demo"
    if shutil.which("npm") is None:
        pytest.skip("needs npm, which fetches onnxruntime-web")
    made = make_demo(folder, "--methods", "adain")
    if "could not fetch" in made.stderr:
        pytest.skip("needs npm's registry")
    assert made.returncode == 0, made.stderr

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()


@pytest.fixture(scope="module")
def page(demo):
    address, _ = demo
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"needs a browser: {', '.join(BROWSERS)}")
    playwright.expect.set_options(timeout=90_000)
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1100, "height": 800})
        page.set_default_timeout(90_000)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(address)
        yield page
        opened.close()


def painted(page, folder):
    """What the page shows when it is done, as it is downloaded."""
    playwright.expect(page.locator("#status")).to_have_text(DONE)
    with page.expect_download() as download:
        page.click("#download")
    path = folder / "painted.png"
    download.value.save_as(path)
    with Image.open(path) as picture:
        assert picture.mode in ("RGB", "RGBA")
        return np.asarray(picture.convert("RGB"), np.float32) / 255


def repainted(page, action, *arguments):
    """Does something that has the picture painted anew, and waits for that."""
    before = page.get_attribute("#download", "href")
    action(*arguments)
    changed = "before => document.getElementById('download').href !== before"
    page.wait_for_function(changed, arg=before)
    playwright.expect(page.locator("#status")).to_have_text(DONE)


def test_the_example_is_painted_at_once(page, tmp_path):
    image = painted(page, tmp_path)
    assert image.shape == (512, 512, 3) and image.std() > 0.1
    assert page.get_attribute("#styles button[title=birches]", "aria-pressed") == "true"
    assert page.errors == []


def test_it_paints_as_in_jax(page, demo, tmp_path):
    repainted(page, page.select_option, "#side", "256")
    repainted(page, page.click, "#styles button[title=night]")
    repainted(page, page.fill, "#strength", "80")
    # Of a size that needs no scaling, and no multiple of 8.
    with Image.open(demo[1] / "examples" / "coffee.jpg") as picture:
        photo = picture.resize((256, 171))
    photo.save(tmp_path / "photo.png")
    repainted(page, page.set_input_files, "#photo-file", tmp_path / "photo.png")
    image = painted(page, tmp_path)
    with Image.open(demo[1] / "examples" / "night.jpg") as picture:
        style = np.asarray(picture, np.float32) / 255
    expected = one_pass.transfer_picture(
        np.asarray(photo, np.float32) / 255,
        [style],
        networks=load_networks("", "adain-slim"),
        alpha=0.8,
    )
    assert image.shape == expected.shape
    # The browser scales the style in its own way.
    assert np.abs(image - expected).mean() < 0.01


def test_what_is_no_picture_is_said(page, tmp_path):
    (tmp_path / "photo.png").write_text("no picture")
    page.set_input_files("#photo-file", tmp_path / "photo.png")
    message = re.compile("cannot read this file")
    playwright.expect(page.locator("#status")).to_have_text(message)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("FOLDER",), "exists; choose another name"),
        (("FOLDER/a/b",), "does not exist"),
        (("FOLDER/new", "--runtime", "FOLDER/none.tgz"), "is not a package of"),
    ],
)
def test_bad_wishes_leave_nothing(arguments, words, tmp_path):
    made = make_demo(*(word.replace("FOLDER", str(tmp_path)) for word in arguments))
    assert made.returncode == 2 and words in made.stderr
    assert len(made.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
