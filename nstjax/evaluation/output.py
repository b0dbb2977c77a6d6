"""Writing an evaluation's figures and tables."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nstjax.evaluation import figures as sheets
from nstjax.evaluation import report as reports
from nstjax.evaluation import tables
from nstjax.evaluation.judging import Figures
from nstjax.evaluation.records import Folder, Pair, write_json
from nstjax.io.files import write_atomically
from nstjax.io.images import read_image, write_image

_FIGURE_4 = ("gatys", "lapstyle")


def draw_figures(
    folder: Folder, methods: Mapping[str, str], pairs: Sequence[Pair]
) -> list[Path]:
    """Writes figures 1 and 4 of the pairs' pictures, in place of earlier ones.

    Args:
        folder: where the pictures are and the figures go.
        methods: figure 1's columns, the variant to show of each method; figure 4
            needs gatys and lapstyle.
        pairs: the rows.

    Returns:
        The files; none without pairs.
    """
    if not (pairs and methods):
        return []
    rows = [
        [pair.content.image, pair.style.image]
        + [_result(folder, variant, pair) for variant in methods.values()]
        for pair in pairs
    ]
    sheet = sheets.comparison(
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
    rows, labels = [], []
    for pair in pairs:
        results = [_result(folder, variant, pair) for variant in variants]
        if all(result is not None for result in results):
            rows += sheets.close_up(pair.style.image, pair.content.image, results)
            labels += [pair.name, "enlarged"]
    if not rows:
        return []
    path = folder.path / "figure4.jpg"
    columns = ["style", "content", *variants]
    sheet = sheets.comparison(rows, columns=columns, labels=labels)
    write_image(path, sheet, overwrite=True)
    return [path]


def write_results(
    folder: Folder,
    results: reports.Results,
    measured: Mapping[str, Mapping[str, Figures]],
    figures: Sequence[Path],
    *,
    report: Path | None,
) -> None:
    """Writes the tables and the report, in place of earlier ones.

    Args:
        folder: where they go.
        results: what they tell.
        measured: by method, pair and column.
        figures: the drawn figures' files.
        report: a further file for the report.
    """
    columns = [column for metric in results.metrics for column in metric.columns]
    write_json(folder.path / "table.json", reports.to_json(results))
    for name, text in (
        ("table.csv", tables.summary_csv(results.rows, columns, results.parts)),
        ("pairs.csv", tables.pairs_csv(measured, columns)),
    ):
        write_atomically(folder.path / name, text, overwrite=True)
    for place in [folder.path / "report.md", *([report] if report else [])]:
        links = [os.path.relpath(figure, place.parent) for figure in figures]
        # A link that leads out of the report's folder would soon be a dead one.
        links = [Path(x).as_posix() for x in links if not x.startswith(os.pardir)]
        text = reports.write_text(results, links)
        write_atomically(place, text, overwrite=True)


def _result(folder: Folder, method: str, pair: Pair) -> np.ndarray | None:
    picture = folder.picture(method, pair)
    return read_image(picture) if picture.is_file() else None
