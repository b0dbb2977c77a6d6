"""Paints the pictures that the README shows.

    python tools/make_images.py [adain|vgg19|web ...]

Those of adain are results of ``python stylize.py --content C --style S``; those of
vgg19, after ``nstjax weights get vgg19``, use ``--method gatys`` without and with
``--preset vgg19``. "web" is the page, as Chromium shows it (extras [dev] and [web]).
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import nstjax
from nstjax.io.resizing import resize_image
from nstjax.methods.images import read_picture

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
CONTENTS = ("astronaut", "chelsea", "coffee")
STYLES = ("night", "wave", "sunflowers", "mountains", "guitar")
SIDE = 240


def tile(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The central square, scaled down."""
    height, width = image.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    square = image[top : top + shorter, left : left + shorter]
    return np.rint(resize_image(square, (side, side)) * 255).astype(np.uint8)


def adain() -> np.ndarray:
    """A row for each content, a column for each style."""
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows = [[white, *(tile(read_picture(style)) for style in STYLES)]]
    for content in CONTENTS:
        painted = [tile(nstjax.stylize(content, style)) for style in STYLES]
        rows.append([tile(read_picture(content)), *painted])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def vgg19() -> np.ndarray:
    """Content, style, and Gatys' method with the bundled network and with VGG-19."""
    content, style = CONTENTS[0], STYLES[0]
    painted = [
        nstjax.stylize(content, style, method="gatys", preset=preset)
        for preset in ("best", "vgg19")
    ]
    pictures = (read_picture(content), read_picture(style), *painted)
    return np.concatenate([tile(picture, 320) for picture in pictures], axis=1)


def web() -> np.ndarray:
    """The page with a painted example."""
    from playwright.sync_api import sync_playwright

    port = 7867
    command = [
        sys.executable,
        "-m",
        "nstjax",
        "web",
        "--no-browser",
        "--port",
        f"{port}",
    ]
    server = subprocess.Popen(command)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 1100})
            page.set_default_timeout(120_000)
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{port}/")
                    break
                except Exception:  # the server has not started yet
                    if server.poll() is not None:
                        raise
                    page.wait_for_timeout(200)
            page.wait_for_selector("#paint")
            page.get_by_label("astronaut").check()
            # The first painting also compiles: the second one's time is usual.
            for _ in range(2):
                page.get_by_role("button", name="Paint").click()
                page.get_by_text("Painted in").wait_for()
                page.wait_for_timeout(2000)
            page.evaluate("window.scrollTo(0, 0)")
            page.mouse.move(0, 0)
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            return np.asarray(shot.resize((960, 825), Image.Resampling.LANCZOS))
    finally:
        server.terminate()
        server.wait()


SHEETS = {"adain": adain, "vgg19": vgg19, "web": web}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SHEETS:
        path = IMAGES / f"{name}.jpg"
        Image.fromarray(SHEETS[name]()).save(path, quality=85, optimize=True)
        print(f"wrote {path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
