"""Tables for people and for programs."""

import csv
import io

import pytest

from nstjax.evaluation import report
from nstjax.evaluation.claims import HOLDS, Verdict
from nstjax.evaluation.metrics import HIGHER, LOWER, NEITHER, Column, Metric, nothing
from nstjax.evaluation.report import summarise

COLUMNS = (
    Column("style@judge", LOWER),
    Column("ssim@judge", HIGHER),
    Column("mine@judge", NEITHER),
)
METRIC = Metric("title", "1", COLUMNS, nothing, nothing, nothing)


def scored(*values):
    keys = [column.key for column in COLUMNS]
    return {f"p{n}": dict(zip(keys, v, strict=True)) for n, v in enumerate(values)}


def record(seconds, *, first=False, memory=2_000_000, reason="finished"):
    return {
        "seconds": seconds,
        "first": first,
        "memory": memory,
        "device_memory": None,
        "reason": reason,
    }


@pytest.fixture
def rows():
    records = [record(9.0, first=True), record(1.0), record(3.0), record(8.0)]
    records[2] |= {"memory": 7_000_000, "reason": "not_finite"}
    return [
        summarise("gatys", scored((1, 0.2, 5), (3, 0.4, 5)), records),
        summarise("adain", scored(*[(4, 0.9, 6)] * 2), [record(2.0, first=True)]),
        summarise("content-itself", scored(*[(0, 1, 7)] * 2), []),
        summarise("gatys-50", scored((1, 0.95, 6)), [record(1.0)]),
    ]


def cells(text):
    return [[c.strip() for c in x.strip("|").split("|")] for x in text.splitlines()]


def test_means_medians_and_peaks(rows):
    assert rows[0].means == pytest.approx(
        {"style@judge": 2, "ssim@judge": 0.3, "mine@judge": 5}
    )
    assert rows[0].pairs == 2
    cost = rows[0].cost
    assert (cost.first, cost.seconds, cost.memory, cost.diverged) == (9, 3, 7e6, 1)
    assert rows[1].cost.seconds is None
    assert rows[2].cost is None


def test_the_best_method_is_in_bold_and_the_ends_do_not_compete(rows):
    parts = {"judge": {"gatys": "loss network", "adain": "none"}}
    header, _, *lines = cells(report.metric_table(METRIC, rows, parts))
    assert header[1:4] == ["style ↓", "ssim ↑", "mine"]
    assert lines[0] == ["gatys", "**2**", "0.3", "5", "loss network"]
    assert lines[1] == ["adain", "4", "**0.9**", "6", "none"]
    assert lines[2] == ["content-itself", "0", "1", "7", ""]
    # Of other pairs than the rest, so in no competition.
    assert lines[3] == ["gatys-50 (1)", "1", "0.95", "6", ""]


def test_costs(rows):
    header, _, *lines = cells(report.cost_table(rows))
    assert lines == [
        ["gatys", "2", "9", "3", "7", "1"],
        ["adain", "2", "2", "–", "2", "0"],
        ["gatys-50", "1", "–", "1", "2", "0"],
    ]
    assert len(header) == 6


def test_csv_has_everything(rows):
    parts = {"judge": {"gatys": "loss network"}}
    text = report.summary_csv(rows, COLUMNS, parts)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["method"] for line in lines] == [
        "gatys",
        "adain",
        "content-itself",
        "gatys-50",
    ]
    assert float(lines[0]["ssim@judge"]) == pytest.approx(0.3)
    assert lines[0]["cost_memory"] == "7000000" and lines[2]["cost_memory"] == ""
    assert lines[0]["part@judge"] == "loss network"
    text = report.pairs_csv({"gatys": scored((1, 2, 3))}, COLUMNS)
    assert list(csv.reader(io.StringIO(text)))[1] == ["gatys", "p0", "1", "2", "3"]


def test_verdicts():
    verdict = Verdict("a", "more | less", HOLDS, 0.12345, 2, 0.75, 60)
    line = report.verdict_table([verdict]).splitlines()[2]
    assert line == r"| a | more \| less | 0.123 | 2 | 75% of 60 | holds |"
    empty = cells(report.verdict_table([Verdict("a", "c")]))[2]
    assert empty == ["a", "c", "–", "–", "", "not measured"]


@pytest.mark.parametrize(
    "value, text",
    [(None, "–"), (0.0, "0"), (3e-16, "0"), (1234.5, "1230"), (0.000123456, "0.000123")]
    + [(0.5, "0.5"), (-0.25, "-0.25")],
)
def test_numbers(value, text):
    assert report.number(value) == text
