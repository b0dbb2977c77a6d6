"""The trace of a run: the objective at every evaluation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.optimize.engine import Record

_TERM = "term/"


@dataclasses.dataclass(frozen=True)
class Trace:
    """The values that a run's solver reported, with one row for each step.

    Adam and torch's L-BFGS make one evaluation per step, so a row is an evaluation.
    L-BFGS with line search has one row for the first evaluation and one for every
    accepted point.

    Attributes:
        evaluations: evaluations of the run up to and including the row's,
            [R] int32.
        total: the objective's total, [R].
        terms: its terms by name, [R] each.
    """

    evaluations: np.ndarray
    total: np.ndarray
    terms: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.total)

    def rows(self) -> list[dict[str, Any]]:
        """The trace as plain JSON data, one dict for each row.

        Numbers that are not finite become None, since JSON has none.
        """
        return [
            {
                "evaluation": int(self.evaluations[i]),
                "total": _plain(self.total[i]),
                "terms": {name: _plain(term[i]) for name, term in self.terms.items()},
            }
            for i in range(len(self))
        ]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The trace as a flat dict of arrays, for saving."""
        return {
            "evaluations": self.evaluations,
            "total": self.total,
            **{f"{_TERM}{name}": term for name, term in self.terms.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Trace":
        """The inverse of `to_arrays`."""
        return cls(
            evaluations=arrays["evaluations"],
            total=arrays["total"],
            terms={
                name.removeprefix(_TERM): array
                for name, array in arrays.items()
                if name.startswith(_TERM)
            },
        )


def join_records(records: Sequence[Record]) -> Trace:
    """Makes the trace of one picture from the records of successive chunks."""
    return concatenate(
        [
            Trace(
                evaluations=np.asarray(record.evaluations[: record.steps]),
                total=np.asarray(record.total[: record.steps]),
                terms={
                    name: np.asarray(term[: record.steps])
                    for name, term in record.terms.items()
                },
            )
            for record in records
        ]
    )


def concatenate(traces: Sequence[Trace]) -> Trace:
    """Joins the traces of successive parts of one run.

    Parts without rows may lack the terms; if all do, so does the result.
    """
    traces = [trace for trace in traces if len(trace)]
    if not traces:
        return Trace(np.zeros(0, np.int32), np.zeros(0, np.float32), {})
    return Trace(
        evaluations=np.concatenate([trace.evaluations for trace in traces]),
        total=np.concatenate([trace.total for trace in traces]),
        terms={
            name: np.concatenate([trace.terms[name] for trace in traces])
            for name in traces[0].terms
        },
    )


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
