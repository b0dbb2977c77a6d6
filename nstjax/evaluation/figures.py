"""The papers' figures: sheets of labelled pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import uniform_filter

from nstjax.evaluation.inputs import Pair
from nstjax.evaluation.painting import Folder
from nstjax.evaluation.pixels import pooled_laplacian
from nstjax.io.images import read_image, write_image
from nstjax.io.resizing import resize_image
from nstjax.methods.images import to_pil

# In pixels: a cell's side, the gap between cells, and a label's height.
_CELL, _GAP, _LABEL = 256, 6, 26
_FONT_SIZE = 17
# A crop's side, as a fraction of the picture's.
_CROP = 0.25
_FRAME = (255, 64, 0)
# The methods that figure 4 shows.
_FIGURE_4 = ("gatys", "lapstyle")

# Pictures [H, W, 3] in [0, 1] in a row; None leaves the cell empty.
Cells = Sequence[np.ndarray | None]


def comparison(
    rows: Sequence[Cells], *, columns: Sequence[str], labels: Sequence[str]
) -> np.ndarray:
    """Figure 1: a row for each pair, a column for content, style and each method.

    Args:
        rows: pictures of any size.
        columns: the heading of each column.
        labels: the label next to each row.

    Returns:
        The sheet, [H, W, 3] in [0, 1].
    """
    step = _CELL + _GAP
    width = _LABEL + len(columns) * step
    sheet = Image.new("RGB", (width, _LABEL + len(rows) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(columns):
        left = _LABEL + number * step
        _write(draw, left + _CELL / 2, text)
    for number, (cells, text) in enumerate(zip(rows, labels, strict=True)):
        top = _LABEL + number * step
        upright = Image.new("RGB", (_CELL, _LABEL), "white")
        _write(ImageDraw.Draw(upright), _CELL / 2, text)
        sheet.paste(upright.rotate(90, expand=True), (0, top))
        for column, picture in enumerate(cells):
            if picture is not None:
                sheet.paste(_to_cell(picture), (_LABEL + column * step, top))
    return np.asarray(sheet, np.float32) / 255


def close_up(
    style: np.ndarray, content: np.ndarray, results: Sequence[np.ndarray]
) -> list[Cells]:
    """Figure 4's two rows for a pair: the pictures, and an enlarged detail.

    The detail is the square, with a quarter of the side, in which the content has the
    largest mean square of its Laplacian.

    Args:
        style, content: [S, S, 3].
        results: of the content's size.

    Returns:
        Rows of style, content and results; the enlarged row has no style.
    """
    top, left, side = busiest_square(content)
    pictures = [content, *results]
    crops = [x[top : top + side, left : left + side] for x in pictures]
    framed = [_framed(x, top, left, side) for x in pictures]
    return [[style, *framed], [None, *crops]]


def busiest_square(content: np.ndarray) -> tuple[int, int, int]:
    """Top, left and side of the square with the most detail in a content."""
    side = max(8, round(_CROP * min(content.shape[:2])))
    energy = np.square(pooled_laplacian(content, pool=1))
    means = uniform_filter(energy, side, mode="constant")
    # Only squares within the picture; for even sides, the filter's window ends before
    # the middle.
    height, width = content.shape[:2]
    middle = side // 2
    inside = means[
        middle : middle + height - side - 1, middle : middle + width - side - 1
    ]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    # The response starts one pixel inside the picture.
    return int(top) + 1, int(left) + 1, side


def _write(draw: ImageDraw.ImageDraw, middle: float, text: str) -> None:
    """Writes a label centred on a column, smaller if it would not fit a cell."""
    font = ImageFont.load_default(_FONT_SIZE)
    scale = _CELL / max(_CELL, draw.textlength(text, font))
    font = ImageFont.load_default(_FONT_SIZE * scale)
    draw.text((middle, _LABEL / 2), text, "black", font, anchor="mm")


def _framed(picture: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    image = to_pil(picture)
    box = (left, top, left + side - 1, top + side - 1)
    ImageDraw.Draw(image).rectangle(box, outline=_FRAME, width=2)
    return np.asarray(image, np.float32) / 255


def _to_cell(picture: np.ndarray) -> Image.Image:
    return to_pil(resize_image(picture, (_CELL, _CELL)))


def draw_figures(
    folder: Folder, methods: Mapping[str, str], pairs: Sequence[Pair]
) -> list[Path]:
    """Writes figures 1 and 4 from the pairs' pictures, replacing earlier ones.

    Args:
        folder: the folder of the pictures, where the figures are written.
        methods: figure 1's columns, the variant to show of each method; figure 4
            needs gatys and lapstyle.
        pairs: the rows.

    Returns:
        The files; none without pairs.
    """
    if not (pairs and methods):
        return []
    rows = [
        [
            pair.content.image,
            pair.style.image,
            *(_result(folder, variant, pair) for variant in methods.values()),
        ]
        for pair in pairs
    ]
    sheet = comparison(
        rows,
        columns=["content", "style", *methods.values()],
        labels=[pair.name for pair in pairs],
    )
    drawn = [folder.path / "figure1.jpg"]
    write_image(drawn[0], sheet, overwrite=True)
    if methods.keys() >= set(_FIGURE_4):
        drawn += _draw_figure_4(folder, [methods[name] for name in _FIGURE_4], pairs)
    return drawn


def _draw_figure_4(
    folder: Folder, variants: Sequence[str], pairs: Sequence[Pair]
) -> list[Path]:
    rows: list[Cells] = []
    labels: list[str] = []
    for pair in pairs:
        found = [_result(folder, variant, pair) for variant in variants]
        results = [picture for picture in found if picture is not None]
        if len(results) == len(variants):
            rows += close_up(pair.style.image, pair.content.image, results)
            labels += [pair.name, "enlarged"]
    if not rows:
        return []
    path = folder.path / "figure4.jpg"
    columns = ["style", "content", *variants]
    sheet = comparison(rows, columns=columns, labels=labels)
    write_image(path, sheet, overwrite=True)
    return [path]


def _result(folder: Folder, method: str, pair: Pair) -> np.ndarray | None:
    picture = folder.picture(method, pair)
    return read_image(picture) if picture.is_file() else None
