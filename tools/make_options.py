"""Paints the pictures of ``docs/options.md``, which show the effect of each option.

    python tools/make_options.py [NAME ...]

It paints the options of these names, by default those whose picture is missing, and
rewrites the page's tables. ``strokes`` and ``depth`` are sheets. Every other picture is
the result of the command next to it.
"""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import nstjax
from nstjax.cli.sheets import compose
from nstjax.cli.stylize import main as stylize
from nstjax.io.images import read_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods.images import near_mask, read_picture, to_pil

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "options.md"
FOLDER = ROOT / "docs" / "images" / "options"
CONTENT, STYLE = "chelsea", "night"
# In pixels: the longer side of a picture on the page, and the side of a sheet's crops.
SIDE, CROP = 300, (192, 224)
QUALITY = 80


class Shown(NamedTuple):
    """An option: its picture's name, what it does, and the command's arguments."""

    name: str
    text: str
    options: str


ONE_PASS = [
    Shown("plain", "the default: AdaIN", ""),
    Shown("alpha", "half the strength", "--alpha 0.5"),
    Shown("stroke-small", "small strokes", "--stroke-scale 0.25"),
    Shown("stroke-large", "large strokes", "--stroke-scale 1.5"),
    Shown("luminance", "the content's colours", "--preserve-color luminance"),
    Shown(
        "histogram",
        "the style recoloured like the content",
        "--preserve-color histogram",
    ),
    Shown("blend", "two styles, blended", "--style night wave"),
    Shown(
        "blend-weights",
        "the second weighted three to one",
        "--style night wave --style-blend 1 3",
    ),
    Shown("adain-lap", "keeps more of the edges", "--method adain-lap"),
    Shown("adain-depth", "keeps more of the depth", "--method adain-depth"),
    Shown("style-swap-net", "patches of the style", "--method style-swap-net"),
    Shown("patch", "larger patches", "--method style-swap-net --patch-size 7"),
]
OPTIMISED = [
    Shown("gatys", "the default of gatys", ""),
    Shown("content-weight", "keeps more of the content", "--content-weight 10"),
    Shown("gatys-stroke", "large strokes", "--stroke-scale 0.75"),
    Shown("lap-weight", "keeps more of the edges", "--lap-weight 10"),
    Shown("init", "started from noise", "--init noise"),
    Shown("tv-weight", "smoother", "--tv-weight 20"),
]
# The arguments before the options of the second table.
OPTIMISING = "--method gatys --size 200 --iterations 60"


def arguments(shown: Shown, before: str) -> list[str]:
    """The command's arguments; an option's own style replaces the default one."""
    style = [] if "--style " in f"{shown.options} " else ["--style", STYLE]
    return ["--content", CONTENT, *style, *before.split(), *shown.options.split()]


def paint(shown: Shown, before: str) -> None:
    """Paints an option's picture at the size of the page."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "painted.png"
        command = [*arguments(shown, before), "--output", str(output), "--quiet"]
        if stylize(command):
            raise SystemExit(f"{shown.name} could not be painted")
        picture = read_image(output)
    size = fit_size(*picture.shape[:2], long_side=SIDE)
    save(resize_image(picture, size), FOLDER / f"{shown.name}.jpg")


def paint_strokes() -> None:
    """A row for each method and size, a column for each scale."""
    cells = []
    for method, size in (("adain", 300), ("adain", 600), ("gatys", 300)):
        for scale in (None, 0.25, 0.5, 1.0, 1.5):
            options = {} if scale is None else {"stroke_scale": scale}
            if method == "gatys":
                options["iterations"] = 40
            picture = nstjax.stylize(
                CONTENT, STYLE, method=method, size=size, **options
            )
            top = (picture.shape[0] - CROP[0]) // 2
            left = (picture.shape[1] - CROP[1]) // 2
            crop = picture[top : top + CROP[0], left : left + CROP[1]]
            label = "default" if scale is None else f"{scale:g}"
            cells.append((f"{method}, {size}: {label}", crop))
            print(cells[-1][0], flush=True)
    sheet = compose(cells, CROP, 5)
    sheet = resize_image(sheet, fit_size(*sheet.shape[:2], long_side=876))
    save(sheet, FOLDER.parent / "strokes.jpg")


def paint_depth() -> None:
    """A content, the network's mask of its near parts, and the result in two styles."""
    content = read_picture("astronaut")
    mask = near_mask(content, depth=nstjax.load_depth("slim"))
    painted = nstjax.stylize(content, ["birches", "night"], mask="depth")
    pictures = {
        "astronaut": content,
        "near": np.repeat(mask, 3, axis=2),
        "birches near, night far": painted,
    }
    save(compose(list(pictures.items()), (SIDE, SIDE), 3), FOLDER.parent / "depth.jpg")


def save(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    image: Image.Image = to_pil(picture)
    image.save(path, quality=QUALITY, optimize=True)
    print(f"wrote {path.name}: {path.stat().st_size / 1e3:.0f} kB", flush=True)


def table(rows: list[Shown]) -> str:
    """A table with two options in each row."""
    cells = [
        f"`{shown.options or '(none)'}`<br>{shown.text}<br>"
        f"![{shown.text}](images/options/{shown.name}.jpg)"
        for shown in rows
        if (FOLDER / f"{shown.name}.jpg").is_file()
    ]
    if not cells:
        return ""
    cells += [""] * (-len(cells) % 2)
    lines = ["| | |", "|---|---|"]
    pairs = zip(cells[::2], cells[1::2], strict=True)
    return "\n".join([*lines, *(f"| {one} | {other} |" for one, other in pairs)])


def write_page() -> None:
    """Writes the tables between their marks."""
    text = PAGE.read_text()
    optimised = f"## By optimisation\n\nThese commands also have `{OPTIMISING}`.\n\n"
    for name, rows, title in (
        ("one-pass", ONE_PASS, ""),
        ("optimised", OPTIMISED, optimised),
    ):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        shown = table(rows)
        if shown:
            shown = f"\n{title}{shown}\n\n"
        text = f"{head}{begin}{shown}{end}{rest.split(end)[1]}"
    PAGE.write_text(text)


def main() -> None:
    wanted = sys.argv[1:]
    for rows, before in ((ONE_PASS, ""), (OPTIMISED, OPTIMISING)):
        for shown in rows:
            missing = not (FOLDER / f"{shown.name}.jpg").is_file()
            if shown.name in wanted or (missing and not wanted):
                paint(shown, before)
    for name, paint_sheet in (("strokes", paint_strokes), ("depth", paint_depth)):
        missing = not (FOLDER.parent / f"{name}.jpg").is_file()
        if name in wanted or (missing and not wanted):
            paint_sheet()
    write_page()


if __name__ == "__main__":
    main()
