"""Tables of results: Markdown for people, CSV and JSON for programs."""

import csv
import dataclasses
import io
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.evaluation.claims import Verdict
from nstjax.evaluation.measure import Figures
from nstjax.evaluation.metrics import HIGHER, LOWER, Column, Metric, judged


@dataclasses.dataclass(frozen=True)
class Cost:
    """What pictures of a variant cost, measured as they were made.

    Attributes:
        first: seconds of the first picture of a process, which compiles; the
            median, where an evaluation was stopped and went on.
        seconds: median of the others; None if there are none.
        memory: peak bytes of a process's memory.
        device_memory: peak bytes of an accelerator's; None on CPUs.
        diverged: pictures whose loss stopped being a finite number; their last
            good state is what was kept.
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
        name: the variant's.
        pairs: how many pictures were measured.
        means: over those pictures, by column.
        cost: None for what nobody painted.
    """

    name: str
    pairs: int
    means: Figures
    cost: Cost | None = None


def summarise(
    name: str, figures: Mapping[str, Figures], records: Sequence[Mapping[str, Any]]
) -> Row:
    """Makes a variant's row.

    Args:
        name: the variant's.
        figures: by pair; every pair has the same columns.
        records: of its pictures; none for what nobody painted.
    """
    columns = next(iter(figures.values()), {})
    means = {
        column: statistics.fmean(one[column] for one in figures.values())
        for column in columns
    }
    return Row(name, len(figures), means, _cost(records) if records else None)


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


_ARROWS = {LOWER: " ↓", HIGHER: " ↑"}
# What is less is rounding.
_LEAST = 1e-6
# What a judge was to a method: by judge, then by variant.
Parts = Mapping[str, Mapping[str, str]]


def metric_table(metric: Metric, rows: Sequence[Row], parts: Parts) -> str:
    """One metric's columns, a line for each method; the best method's in bold.

    Methods that lack pairs of the others say how many they have, and do not compete.

    Args:
        metric: whose columns are shown.
        rows: of methods, and of what nobody painted.
        parts: what the judges were to the methods, for a metric with a judge.
    """
    judge = metric.columns[0].judge
    header = [
        "",
        *(column.metric + _ARROWS.get(column.better, "") for column in metric.columns),
    ]
    if judge:
        header.append("the judge's part in it")
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
    return markdown(header, lines)


def cost_table(rows: Sequence[Row]) -> str:
    """Seconds and memory of what was painted."""
    painted = [row for row in rows if row.cost is not None]
    devices = any(row.cost.device_memory is not None for row in painted)
    header = ["", "pictures", "s, first", "s, others", "peak memory, MB"]
    header += ["peak device memory, MB"] * devices
    header.append("diverged")
    lines = []
    for row in painted:
        cost = row.cost
        cells = [row.name, str(row.pairs), number(cost.first), number(cost.seconds)]
        cells.append(_megabytes(cost.memory))
        cells += [_megabytes(cost.device_memory)] * devices
        lines.append([*cells, str(cost.diverged)])
    return markdown(header, lines)


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
    return markdown(["", "claim", "first", "second", "pairs", "verdict"], lines)


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(map(_escape, row))} |\n" for row in rows)


def number(value: float | None) -> str:
    """Three significant digits, or a dash for what is not known."""
    if value is None:
        return "–"
    if abs(value) < _LEAST:
        return "0"
    return np.format_float_positional(
        value, precision=3, unique=False, fractional=False, trim="-"
    )


def summary_csv(rows: Sequence[Row], columns: Sequence[Column], parts: Parts) -> str:
    """A line for each method with everything that is known of it."""
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


def pairs_csv(
    figures: Mapping[str, Mapping[str, Figures]], columns: Sequence[Column]
) -> str:
    """A line for each picture."""
    header = ["method", "pair", *(column.key for column in columns)]
    return _csv(
        header,
        (
            [variant, pair, *(found[column.key] for column in columns)]
            for variant, pairs in figures.items()
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
