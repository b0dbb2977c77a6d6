"""The page in a real browser."""

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

from nstjax.weights.store.cache import weights_file

pytestmark = pytest.mark.slow

for _package in ("gradio", "playwright"):
    if importlib.util.find_spec(_package) is None:
        pytest.skip(f"needs {_package}", allow_module_level=True)
_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
if _CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

from playwright.sync_api import expect  # noqa: E402

# Compiling a method that optimises takes a minute where other work runs, too.
_SECONDS = 240


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nstjax", "web", "--no-browser"]
    server = subprocess.Popen([*command, "--port", str(port)])
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 128 + signal.SIGTERM
    finally:
        server.kill()
        server.wait()


def _wait_until_ready(address):
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address) as answer:
                if b"gradio_config" in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("the page does not come")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class _Visitor:
    def __init__(self, browser, address):
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * _SECONDS)
        self.requests = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("#paint")

    def drop(self, path, where="#photograph"):
        self.page.set_input_files(f"{where} input[type=file]", path)

    def choose(self, method):
        self.page.locator("#method input").click()
        self.page.get_by_role("option", name=f"{method}:").click()

    def paint(self):
        self.page.get_by_role("button", name="Paint").click()

    def says(self, text):
        self.page.wait_for_function(
            "text => document.querySelector('#status').innerText.includes(text)",
            arg=text,
        )

    def download(self):
        with self.page.expect_download() as caught:
            self.page.get_by_text("Download at full size").click()
        with Image.open(caught.value.path()) as image:
            return caught.value.suggested_filename, image.copy()


@pytest.fixture
def visitor(browser, address):
    visitor = _Visitor(browser, address)
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    return _photo(tmp_path_factory.mktemp("photos") / "photo.jpg", 96, 128)


def _photo(path, height, width):
    rows, columns = np.linspace(0, 255, height), np.linspace(0, 255, width)
    first, second = np.broadcast_arrays(rows[:, None], columns)
    pixels = np.stack([first, second, 255 - first], axis=2)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_upload_paint_and_download_with_nothing_from_elsewhere(visitor, photo, address):
    visitor.drop(photo)
    visitor.says("128 x 96 pixels")
    visitor.page.get_by_label("wave").check()
    command = visitor.page.get_by_label("The command for the same result")
    visitor.page.wait_for_function(
        "() => document.querySelector('#command textarea').value.includes('wave')"
    )
    assert command.input_value() == (
        "nstjax stylize --content photo.jpg --style night wave "
        "--output photo_night_wave.png"
    )
    visitor.paint()
    visitor.says("Painted in")
    name, picture = visitor.download()
    assert (name, picture.size) == ("photo_night_wave.png", (128, 96))
    slider = visitor.page.get_by_label("Before and after")
    slider.press("End")
    style = visitor.page.locator(".comparison").get_attribute("style")
    assert "--before: 100%" in style
    local = (address, "data:", "blob:")
    assert [url for url in visitor.requests if not url.startswith(local)] == []


def test_a_stopped_painting_keeps_its_picture(visitor, photo):
    visitor.drop(photo)
    visitor.says("128 x 96")
    visitor.choose("gatys")
    evaluations = visitor.page.locator("#iterations input")
    evaluations.wait_for()
    # For a moment after it has appeared the field still takes its own value.
    visitor.page.wait_for_timeout(3000)
    evaluations.fill("5000")
    evaluations.press("Tab")
    visitor.page.wait_for_function(
        "() => document.querySelector('#command textarea').value.includes('5000')"
    )
    visitor.paint()
    visitor.says(" of 5000 evaluations")
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.says("Stopped after")
    done = re.search(r"after (\d+)", visitor.page.inner_text("#status"))
    assert 0 < int(done[1]) < 5_000
    assert visitor.download()[1].size == (128, 96)


def test_two_visitors_at_once(browser, address, photo):
    both = [_Visitor(browser, address) for _ in range(2)]
    for visitor, style in zip(both, ("wave", "birches"), strict=True):
        visitor.drop(photo)
        visitor.says("128 x 96")
        visitor.page.get_by_label("night").uncheck()
        visitor.page.get_by_label(style).check()
    for visitor in both:
        visitor.paint()
    pictures = []
    for visitor, style in zip(both, ("wave", "birches"), strict=True):
        visitor.says("Painted in")
        name, picture = visitor.download()
        assert name == f"photo_{style}.png"
        pictures.append(np.asarray(picture, int))
        visitor.context.close()
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_a_text_file_is_refused_in_a_sentence(visitor, photo, tmp_path):
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Sir or Madam")
    visitor.drop(text)
    visitor.says("letter.jpg")
    assert "tmp" not in visitor.page.inner_text("#status")
    visitor.paint()
    visitor.says("There is nothing to paint yet; choose a photograph.")
    # It goes on working.
    visitor.drop(photo)
    visitor.says("128 x 96")


def test_fifty_megapixels(visitor, tmp_path):
    visitor.drop(_photo(tmp_path / "large.jpg", 5774, 8660))
    visitor.says("8660 x 5774 pixels")
    visitor.page.locator("#size input").fill("384")
    visitor.paint()
    visitor.says("Painted in")
    assert visitor.download()[1].size == (384, 256)


def test_an_example_after_a_bad_upload(visitor, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    example = visitor.page.locator("#example").get_by_label("coffee")
    command = visitor.page.locator("#command textarea")
    example.check()
    expect(command).to_have_value(re.compile("--content coffee"))
    visitor.drop(tmp_path / "text.jpg")
    visitor.says("text.jpg")
    expect(example).not_to_be_checked()
    example.check()
    expect(command).to_have_value(re.compile("--content coffee"))


@pytest.mark.skipif(
    not weights_file("vgg19").is_file(), reason="vgg19 has not been fetched"
)
def test_the_published_network_comes_with_its_settings(visitor):
    visitor.page.locator("#example").get_by_label("coffee").check()
    visitor.choose("gatys")
    iterations = visitor.page.locator("#iterations input").first
    expect(iterations).to_have_value("150")
    visitor.page.get_by_label("the published VGG-19").check()
    expect(iterations).to_have_value("60")
    command = visitor.page.locator("#command textarea")
    expect(command).to_have_value(re.compile("--method gatys --preset vgg19 --output"))
