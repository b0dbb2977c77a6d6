"""From figures of pictures to one row for each method."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from nstjax.evaluation.judging import Figures


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
