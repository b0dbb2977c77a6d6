"""Sheets: one photograph in many styles, or by every method, as one picture."""

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from nstjax import examples
from nstjax.cli.errors import USAGE_ERROR
from nstjax.cli.jobs import plan_one
from nstjax.cli.reports import Reports
from nstjax.errors import NstjaxError, describe
from nstjax.interrupts import StopRequest
from nstjax.io.images import check_output, write_image
from nstjax.io.resizing import resize_image
from nstjax.methods import plan as planning
from nstjax.methods.base import Progress
from nstjax.methods.images import read_picture, to_pil
from nstjax.methods.options import method_options
from nstjax.methods.pictures import list_pictures, picture_labels
from nstjax.methods.styles import names_saved_style
from nstjax.methods.table import METHODS

# In pixels: the default longer side of a picture, and the gap between pictures.
_SIDE, _GAP = 384, 8
# The size of letters is a picture's width divided by this, but never illegibly small.
_LETTERS, _LEAST_LETTERS = 16, 14
# The width-to-height ratio for which the number of columns is chosen.
_ASPECT = 1.5
# Options that do not apply to sheets.
_REFUSED = (
    *("style_blend", "mask", "save_style", "trace", "resume", "save_every"),
    *("preview", "time_limit", "show_depth", "batch_size", "background", "exif"),
    *("temporal", "start", "end", "every", "fps", "codec", "cluster"),
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A picture of a sheet.

    Attributes:
        label: the text below it.
        style: a file, or an example's name.
        leaves: the options of the method that paints it.
    """

    label: str
    style: str
    leaves: Mapping[str, Any]


def style_cells(styles: Sequence[str] | None, leaves: Mapping[str, Any]) -> list[Cell]:
    """A cell for each of the styles, by default for each example style.

    Raises:
        NstjaxError: if a style does not exist.
    """
    names = styles or examples.style_names()
    listed = [picture for name in names for picture in list_pictures(name)]
    pictures = list(dict.fromkeys(listed))
    labels = picture_labels(pictures)
    return [Cell(*found, leaves) for found in zip(labels, pictures, strict=True)]


def method_cells(
    styles: Sequence[str] | None, changes: Mapping[str, Any]
) -> list[Cell]:
    """A cell for each method, all in one style.

    Args:
        styles: a list with one style.
        changes: options by name; methods that do not have them ignore them.

    Raises:
        NstjaxError: if no method has an option, or there is not exactly one style.
    """
    if not styles or len(styles) != 1:
        raise NstjaxError("--sheet methods paints in one style; give it with --style")
    given = {name: value for name, value in changes.items() if value is not None}
    taken = {method: _taken(method, given) for method in METHODS}
    for name, value in given.items():
        if not any(name in options for options in taken.values()):
            for method in METHODS:
                method_options(method, options={name: value})
    return [
        Cell(method, styles[0], method_options(method, options=options))
        for method, options in taken.items()
    ]


def _taken(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    taken = {}
    for name, value in given.items():
        try:
            method_options(method, options={name: value})
        except NstjaxError:
            continue
        taken[name] = value
    return taken


def paint_sheet(
    cells: Sequence[Cell],
    options: argparse.Namespace,
    tell: Callable[[str], None],
    reports: Reports,
) -> int:
    """Paints every cell and writes the sheet; returns the exit status.

    Pictures that cannot be painted are reported and skipped. The first Ctrl-C,
    SIGTERM or SIGHUP leaves a sheet of the pictures so far.

    Args:
        cells: from `style_cells` or `method_cells`.
        options: the command line's options.
        tell: called with messages for the user.
        reports: receives the outcome.

    Raises:
        NstjaxError: if anything cannot be used.
    """
    for name in _REFUSED:
        if getattr(options, name):
            raise NstjaxError(f"--{name.replace('_', '-')} cannot be used with --sheet")
    if len(options.content) > 1 or len(list_pictures(options.content[0])) > 1:
        raise NstjaxError("a sheet shows one photograph; give one --content")
    (name,) = list_pictures(options.content[0])
    job = plan_one(
        name,
        [cell.style for cell in cells],
        options.output,
        stem=f"{Path(name).stem}_sheet",
        overwrite=options.overwrite,
        format=options.format,
    )
    content = read_picture(name)
    size = options.size or min(_SIDE, max(content.shape[:2]))
    begin = time.perf_counter()
    painted, failed, stopped = _paint_cells(cells, content, size, options, tell)
    if not painted:
        raise NstjaxError("none of the pictures could be painted; there is no sheet")
    height, width = painted[0][1].shape[:2]
    shown = [(Path(name).stem, resize_image(content, (height, width)))]
    if len({cell.style for cell in cells}) == 1 < len(cells):
        style = cells[0].style
        if not names_saved_style(style):
            shown.append((Path(style).stem, read_picture(style)))
    sheet = compose([*shown, *painted], (height, width), options.sheet_columns)
    check_output(job.output, overwrite=options.overwrite, size=sheet.shape[:2])
    how = {name: getattr(options, name) for name in ("quality", "chroma")}
    saving = {name: value for name, value in how.items() if value is not None}
    write_image(job.output, sheet, overwrite=options.overwrite, **saving)
    seconds = time.perf_counter() - begin
    reports.made(
        job, sheet.shape[:2], seconds, pictures=[label for label, _ in painted]
    )
    if stopped:
        tell(f"stopped; {job.output} has {len(painted)} of {len(cells)} pictures")
        return 128 + stopped
    tell(f"wrote {job.output}, {len(painted)} pictures, in {seconds:.1f} s")
    return USAGE_ERROR if failed else 0


def _paint_cells(
    cells: Sequence[Cell],
    content: np.ndarray,
    size: int | tuple[int, int],
    options: argparse.Namespace,
    tell: Callable[[str], None],
) -> tuple[list[tuple[str, np.ndarray]], int, int]:
    """Labels and pictures, the number of failures, and the ending signal, or 0."""
    painted: list[tuple[str, np.ndarray]] = []
    networks: dict[str, Any] = {}
    failed = 0
    bar = tqdm(total=len(cells), unit="picture", disable=options.quiet, file=sys.stderr)
    # Before the first picture is painted, nothing is lost.
    with bar, StopRequest(armed=False) as stop:

        def on_progress(progress: Progress) -> bool:
            bar.set_postfix_str(f"{progress.evaluations} of {progress.requested}")
            return bool(stop.requested)

        for cell in cells:
            bar.set_description(cell.label)
            method = cell.leaves["method"]
            try:
                if method not in networks:
                    networks = {method: planning.load_networks(cell.leaves)}
                plan = planning.make_plan(
                    content,
                    [cell.style],
                    options=cell.leaves,
                    size=size,
                    seed=options.seed,
                    max_memory=options.max_memory,
                    networks=networks[method],
                )
                outcome = planning.run(plan, on_progress=on_progress)
                if outcome.reason != "interrupted":
                    painted.append((cell.label, planning.finish(plan, outcome.image)))
            except Exception as error:
                # A picture that fails for any reason does not stop the others.
                reason = describe(error)
                with bar.external_write_mode(file=sys.stderr):
                    print(f"nstjax: error: {cell.label}: {reason}", file=sys.stderr)
                failed += 1
            stop.armed = bool(painted)
            bar.update()
            bar.set_postfix_str("")
            if stop.requested:
                break
    return painted, failed, stop.requested


def compose(
    pictures: Sequence[tuple[str, np.ndarray]],
    size: tuple[int, int],
    columns: int | None = None,
) -> np.ndarray:
    """Puts labelled pictures side by side.

    Args:
        pictures: labels, and pictures [H, W, 3] in [0, 1]; those of another size are
            fitted into a cell.
        size: (height, width) of a cell.
        columns: the number of columns; by default chosen for a wide sheet.

    Returns:
        The sheet, [H, W, 3] in [0, 1].
    """
    height, width = size
    letters = max(_LEAST_LETTERS, width // _LETTERS)
    font = ImageFont.load_default(letters)
    step = width + _GAP, height + round(1.7 * letters) + _GAP
    if columns is None:
        columns = round(math.sqrt(len(pictures) * _ASPECT * step[1] / step[0]))
    columns = min(max(1, columns), len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (label, picture) in enumerate(pictures):
        row, column = divmod(number, columns)
        left, top = _GAP + column * step[0], _GAP + row * step[1]
        fitted = _fit(picture, size)
        corner = left + (width - fitted.shape[1]) // 2, top + height - fitted.shape[0]
        sheet.paste(to_pil(fitted), corner)
        text = _shorten(label, lambda t: draw.textlength(t, font) <= width)
        middle = left + width / 2, top + height + 0.85 * letters
        draw.text(middle, text, "black", font, anchor="mm")
    return np.asarray(sheet, np.float32) / 255


def _fit(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = picture.shape[:2]
    if height * size[1] > width * size[0]:
        fitted = size[0], max(1, round(width * size[0] / height))
    else:
        fitted = max(1, round(height * size[1] / width)), size[1]
    return resize_image(picture, fitted)


def _shorten(text: str, fits: Callable[[str], bool]) -> str:
    """A text, with an ellipsis in the middle if it does not fit."""
    kept = len(text)
    shortened = text
    while not fits(shortened) and kept > 1:
        kept -= 1
        shortened = f"{text[: -(-kept // 2)]}…{text[len(text) - kept // 2 :]}"
    return shortened
