"""The report of an evaluation: tables and verdicts, in Markdown, CSV and JSON."""

import csv
import dataclasses
import importlib.metadata
import io
import os
import platform
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nstjax import __version__
from nstjax.errors import NstjaxError
from nstjax.evaluation.claims import Verdict
from nstjax.evaluation.metrics import (
    HIGHER,
    LOWER,
    Column,
    Measured,
    Metric,
    Values,
    judged,
)
from nstjax.evaluation.painting import Folder, write_json
from nstjax.io.files import write_atomically

# Marks a report of this command, which may be overwritten.
_MARK = "<!-- written by nstjax evaluate -->"
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scikit-image", "pillow")
_ITSELF = (
    "`content-itself` and `style-itself` are the two extremes: the content picture "
    "and the style picture, measured as if they were results."
)
_ARROWS = {LOWER: " ↓", HIGHER: " ↑"}
# Smaller values are rounding errors.
_LEAST = 1e-6
# The roles of judges: by judge, then by variant.
Parts = Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of a variant's pictures, measured while painting them.

    Attributes:
        first: seconds of the first picture of a process, including compilation; the
            median if an evaluation was stopped and continued.
        seconds: the median of the others; None if there are none.
        memory: the peak memory of a process, in bytes.
        device_memory: the peak memory of an accelerator, in bytes; None on CPUs.
        diverged: the number of pictures whose loss was no longer finite, for which the
            last good state was kept.
    """

    first: float | None
    seconds: float | None
    memory: int | None
    device_memory: int | None
    diverged: int


@dataclasses.dataclass(frozen=True)
class Row:
    """A variant's line in the tables.

    Attributes:
        name: the variant's name.
        pairs: the number of measured pictures.
        means: the means over those pictures, by column.
        cost: None for baselines, which were not painted.
    """

    name: str
    pairs: int
    means: Values
    cost: Cost | None = None


def summarise(
    name: str, by_pair: Mapping[str, Values], records: Sequence[Mapping[str, Any]]
) -> Row:
    """Makes a variant's row.

    Args:
        name: the variant's name.
        by_pair: the values by pair; every pair has the same columns.
        records: those of its pictures; none for baselines.
    """
    columns = next(iter(by_pair.values()), {})
    means = {
        column: statistics.fmean(one[column] for one in by_pair.values())
        for column in columns
    }
    return Row(name, len(by_pair), means, _cost(records) if records else None)


def _cost(records: Sequence[Mapping[str, Any]]) -> Cost:
    first = [record["seconds"] for record in records if record["first"]]
    others = [record["seconds"] for record in records if not record["first"]]
    return Cost(
        first=statistics.median(first) if first else None,
        seconds=statistics.median(others) if others else None,
        memory=_largest(records, "memory"),
        device_memory=_largest(records, "device_memory"),
        diverged=sum(record["reason"] == "not_finite" for record in records),
    )


def _largest(records: Sequence[Mapping[str, Any]], name: str) -> int | None:
    return max((r[name] for r in records if r[name] is not None), default=None)


def metric_table(metric: Metric, rows: Sequence[Row], parts: Parts) -> str:
    """One metric's columns, with a row for each method and the best one in bold.

    Methods that lack some pairs show how many they have, and do not compete.

    Args:
        metric: the metric whose columns are shown.
        rows: the rows of methods and baselines.
        parts: the judges' roles for the methods, for a metric with a judge.
    """
    judge = metric.columns[0].judge
    header = [
        "",
        *(column.metric + _ARROWS.get(column.better, "") for column in metric.columns),
    ]
    if judge:
        header.append("the judge's role")
    best = {column.key: _best(column, rows) for column in metric.columns}
    lines = []
    for row in rows:
        cells = [_label(row, rows)]
        for column in metric.columns:
            value = row.means.get(column.key)
            text = number(value)
            bold = _competes(row, rows) and value == best[column.key] is not None
            cells.append(f"**{text}**" if bold else text)
        if judge:
            cells.append(parts[judge].get(row.name, "") if row.cost else "")
        lines.append(cells)
    return _markdown(header, lines)


def cost_table(rows: Sequence[Row]) -> str:
    """Seconds and memory of the painted variants."""
    painted = [(row, row.cost) for row in rows if row.cost is not None]
    devices = any(cost.device_memory is not None for _, cost in painted)
    header = ["", "pictures", "s, first", "s, others", "peak memory, MB"]
    header += ["peak device memory, MB"] * devices
    header.append("diverged")
    lines = []
    for row, cost in painted:
        cells = [row.name, str(row.pairs), number(cost.first), number(cost.seconds)]
        cells.append(_megabytes(cost.memory))
        cells += [_megabytes(cost.device_memory)] * devices
        lines.append([*cells, str(cost.diverged)])
    return _markdown(header, lines)


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Every claim with its numbers and its verdict."""
    lines = [
        [
            v.part,
            v.claim,
            number(v.first),
            number(v.second),
            "" if v.share is None else f"{v.share:.0%} of {v.pairs}",
            v.verdict,
        ]
        for v in verdicts
    ]
    return _markdown(["", "claim", "first", "second", "pairs", "verdict"], lines)


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(map(_escape, row))} |\n" for row in rows)


def number(value: float | None) -> str:
    """Three significant digits, or a dash if unknown."""
    if value is None:
        return "–"
    if abs(value) < _LEAST:
        return "0"
    return np.format_float_positional(
        value, precision=3, unique=False, fractional=False, trim="-"
    )


def summary_csv(rows: Sequence[Row], columns: Sequence[Column], parts: Parts) -> str:
    """A row for each method with all of its values."""
    header = ["method", "pairs", *(column.key for column in columns)]
    costs = ("first", "seconds", "memory", "device_memory", "diverged")
    header += [f"cost_{name}" for name in costs]
    header += [judged("part", judge) for judge in parts]
    lines = []
    for row in rows:
        line = [row.name, row.pairs, *(row.means.get(c.key, "") for c in columns)]
        cost = dataclasses.asdict(row.cost) if row.cost else {}
        line += ["" if cost.get(name) is None else cost[name] for name in costs]
        line += [parts[judge].get(row.name, "") for judge in parts]
        lines.append(line)
    return _csv(header, lines)


def pairs_csv(measured: Measured, columns: Sequence[Column]) -> str:
    """A row for each picture."""
    header = ["method", "pair", *(column.key for column in columns)]
    return _csv(
        header,
        (
            [variant, pair, *(found[column.key] for column in columns)]
            for variant, pairs in measured.items()
            for pair, found in pairs.items()
        ),
    )


def _csv(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def _best(column: Column, rows: Sequence[Row]) -> float | None:
    values = [
        row.means[column.key]
        for row in rows
        if _competes(row, rows) and column.key in row.means
    ]
    if not values or column.better not in (LOWER, HIGHER):
        return None
    return min(values) if column.better == LOWER else max(values)


def _competes(row: Row, rows: Sequence[Row]) -> bool:
    return row.cost is not None and row.pairs == _most_pairs(rows)


def _label(row: Row, rows: Sequence[Row]) -> str:
    return row.name if row.pairs == _most_pairs(rows) else f"{row.name} ({row.pairs})"


def _most_pairs(rows: Sequence[Row]) -> int:
    return max(row.pairs for row in rows)


def _megabytes(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.0f}"


def _escape(text: str) -> str:
    return re.sub(r"([|])", r"\\\1", text)


@dataclasses.dataclass(frozen=True)
class Results:
    """The content of a report.

    Attributes:
        command: the command that was given.
        note: a paragraph of the user's, or "".
        protocol: what was compared, by name.
        rows: those of methods, then those of baselines.
        metrics: the metrics that were measured.
        parts: the judges' roles for the methods.
        verdicts: the verdicts on the claims.
        left_out: sentences about pictures that could not be read or painted.
    """

    command: str
    note: str
    protocol: Mapping[str, Any]
    rows: Sequence[Row]
    metrics: Sequence[Metric]
    parts: Parts
    verdicts: Sequence[Verdict]
    left_out: Sequence[str]


def _write_text(results: Results, figures: Sequence[str]) -> str:
    """The report.

    Args:
        results: its content.
        figures: the figures' addresses, relative to the report.
    """
    protocol = results.protocol
    size = protocol["size"]
    parts = [
        f"# Results\n\n{_MARK}\n",
        f"    {results.command}\n",
        f"{len(protocol['contents'])} contents in {len(protocol['styles'])} styles, "
        f"{size} x {size} pixels; means over pairs. Arrows show whether lower or "
        "higher is better, and the best method is in bold. A number in brackets is "
        f"the number of pairs of a row that lacks some. {_ITSELF} "
        "`docs/evaluation.md` explains each metric.\n",
    ]
    if results.note:
        parts.append(f"{results.note}\n")
    for metric in results.metrics:
        table = metric_table(metric, results.rows, results.parts)
        parts.append(f"## {metric.title}\n\n{table}")
    parts.append(
        "## Seconds and memory\n\nMedians. The first picture of a process includes "
        "compilation. Memory is the peak of a process that paints with one method "
        f"only.\n\n{cost_table(results.rows)}"
    )
    parts.append(
        "## The papers' claims\n\nA claim holds if it holds for the means over pairs "
        "and for more than half of the individual pairs.\n\n"
        f"{verdict_table(results.verdicts)}"
    )
    parts += [f"![{Path(figure).stem}]({figure})\n" for figure in figures]
    if results.left_out:
        lines = "".join(f"- {sentence}\n" for sentence in results.left_out)
        parts.append(f"## Left out\n\n{lines}")
    facts = "".join(f"- {name}: {value}\n" for name, value in _machine().items())
    parts.append(f"## Machine\n\n{facts}")
    return "\n".join(parts)


def _to_json(results: Results) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "command": results.command,
        "protocol": dict(results.protocol),
        "machine": _machine(),
        "rows": [dataclasses.asdict(row) for row in results.rows],
        "judge_is_also": {judge: dict(part) for judge, part in results.parts.items()},
        "verdicts": [dataclasses.asdict(verdict) for verdict in results.verdicts],
        "left_out": list(results.left_out),
    }


def check_report(path: Path, *, overwrite: bool) -> None:
    """Checks that a report may be written: it is new, or replaces an earlier report.

    Raises:
        NstjaxError: if the file is something else, or its folder does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written; name a file in a folder")
    if path.exists() and not overwrite and _MARK not in _start_of(path):
        raise NstjaxError(
            f"{path} exists and is not a report of this command; choose another name "
            "or "
            "pass --overwrite"
        )


def _machine() -> dict[str, str]:
    """The machine and the versions that measured the values."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    devices = sorted({device.device_kind for device in jax.devices()})
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "device": ", ".join(devices),
        "system": f"{platform.system()} {platform.machine()}",
        "nstjax": __version__,
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _start_of(path: Path) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(1000)


def write_results(
    folder: Folder,
    results: Results,
    measured: Measured,
    figures: Sequence[Path],
    *,
    report: Path | None,
) -> None:
    """Writes the tables and the report, replacing earlier ones.

    Args:
        folder: the folder for them.
        results: their content.
        measured: the values by method, pair and column.
        figures: the files of the drawn figures.
        report: a further file for the report.
    """
    columns = [column for metric in results.metrics for column in metric.columns]
    write_json(folder.path / "table.json", _to_json(results))
    for name, text in (
        ("table.csv", summary_csv(results.rows, columns, results.parts)),
        ("pairs.csv", pairs_csv(measured, columns)),
    ):
        write_atomically(folder.path / name, text, overwrite=True)
    for place in [folder.path / "report.md", *([report] if report else [])]:
        links = [os.path.relpath(figure, place.parent) for figure in figures]
        # Links that lead out of the report's folder would easily break.
        links = [Path(x).as_posix() for x in links if not x.startswith(os.pardir)]
        text = _write_text(results, links)
        write_atomically(place, text, overwrite=True)
