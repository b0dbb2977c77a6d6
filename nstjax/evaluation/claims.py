"""The papers' claims, each with a verdict out of the measured figures.

A claim says that a figure of one method is lower, or higher, than that of
another. It holds if the means over pairs say so, and so do more than half of the
pairs by themselves; else it does not. It is not measured without both methods,
or the judge. Only pairs of which both methods have a picture count.

The claim on depth compares reductions of the depth error, 1 - error with the
depth loss / error without: that in per-image optimisation is little if it is
below a tenth, and AdaIN's is more if it is larger.

References:
    "Style Transfer: Laplacian, Depth loss and AdaIN" (a to d).
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, figure 3 (e): AdaIN's
    style loss is about that of Gatys between 50 and 100 evaluations.
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from nstjax.evaluation.inputs import budget_name
from nstjax.evaluation.measure import Figures
from nstjax.evaluation.metrics import Column
from nstjax.methods.table import METHODS

HOLDS, FAILS, UNMEASURED = "holds", "does not hold", "not measured"
# The reduction of the depth error that is still little.
_LITTLE = 0.1
GATYS_BUDGETS = (50, 100)

_PAIRS_OF_METHODS = (("lapstyle", "gatys"), ("adain-lap", "adain"))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim and what became of it.

    Attributes:
        part: the letter of the claim that this is a part of.
        claim: in words.
        verdict: `HOLDS`, `FAILS` or `UNMEASURED`.
        first, second: the two numbers that were compared; None if not measured.
        share: of the pairs for which it holds by themselves.
        pairs: how many were compared.
    """

    part: str
    claim: str
    verdict: str = UNMEASURED
    first: float | None = None
    second: float | None = None
    share: float | None = None
    pairs: int = 0


def judge_claims(
    figures: Mapping[str, Mapping[str, Figures]], columns: Sequence[Column]
) -> list[Verdict]:
    """Decides every claim.

    Args:
        figures: by variant, pair and column.
        columns: those that were measured.

    Returns:
        One verdict for each comparison; several judges give several.
    """
    return [
        *_detail(figures, columns),
        *_strokes(figures, columns),
        *_depth(figures, columns),
        *_noise(figures, columns),
        *_budgets(figures, columns),
    ]


def _detail(figures, columns) -> Iterable[Verdict]:
    for first, second in _PAIRS_OF_METHODS:
        for metric, larger in (("lap4", False), ("edge_f1", True), ("ssim", True)):
            yield from _compare(
                figures,
                columns,
                "a",
                f"{first} keeps more detail than {second}",
                metric,
                first,
                second,
                _greater if larger else _less,
            )


def _strokes(figures, columns) -> Iterable[Verdict]:
    for first, second in _PAIRS_OF_METHODS:
        for metric in ("style", "texture"):
            yield from _compare(
                figures,
                columns,
                "b",
                f"{first} loses brush strokes against {second}",
                metric,
                first,
                second,
                _greater,
            )


def _noise(figures, columns) -> Iterable[Verdict]:
    optimising = (m.name for m in METHODS.values() if not m.in_one_pass)
    for method in optimising:
        yield from _compare(
            figures,
            columns,
            "d",
            f"{method} paints quieter skies than adain",
            "flat_noise",
            method,
            "adain",
            _less,
        )


def _budgets(figures, columns) -> Iterable[Verdict]:
    few, many = GATYS_BUDGETS
    for budget, words, holds in (
        (few, "no higher than", _not_greater),
        (many, "no lower than", _not_less),
    ):
        yield from _compare(
            figures,
            columns,
            "e",
            f"adain's style loss is {words} that of gatys after {budget} evaluations",
            "style",
            "adain",
            budget_name(budget),
            holds,
        )


def _depth(figures, columns) -> Iterable[Verdict]:
    little = "the depth loss changes little in per-image optimisation"
    more = "the depth loss changes more in adain"
    found = [column for column in columns if column.metric == "depth_error"]
    if not found:
        yield from (Verdict("c", f"{claim} (depth_error)") for claim in (little, more))
    for column in found:
        in_gatys = _reductions(figures, column.key, "gatys-depth", "gatys")
        in_adain = _reductions(figures, column.key, "adain-depth", "adain")
        words = f"reduction of {column.key}, by {{}}"
        limit = dict.fromkeys(in_gatys.by_pair, _LITTLE)
        yield _decide(
            "c",
            f"{little} ({words.format('gatys-depth, against a tenth')})",
            in_gatys,
            _Compared(_LITTLE, limit),
            _less,
        )
        yield _decide(
            "c",
            f"{more} ({words.format('adain-depth against gatys-depth')})",
            in_adain,
            in_gatys,
            _greater,
        )


@dataclasses.dataclass(frozen=True)
class _Compared:
    """One side of a comparison: over all pairs, and pair by pair."""

    overall: float | None
    by_pair: Mapping[str, float]


def _compare(
    figures: Mapping[str, Mapping[str, Figures]],
    columns: Sequence[Column],
    part: str,
    claim: str,
    metric: str,
    first: str,
    second: str,
    holds: Callable[[float, float], bool],
) -> Iterable[Verdict]:
    found = [column.key for column in columns if column.metric == metric]
    if not found:
        yield Verdict(part, f"{claim} ({metric})")
    for key in found:
        common = _common(figures, first, second)
        sides = [_values(figures, key, name, common) for name in (first, second)]
        yield _decide(part, f"{claim} ({key})", *sides, holds)


def _common(figures, first: str, second: str) -> list[str]:
    """The pairs of which both variants have a picture."""
    return [pair for pair in figures.get(first, {}) if pair in figures.get(second, {})]


def _values(figures, key: str, variant: str, pairs: Sequence[str]) -> _Compared:
    values = {pair: figures[variant][pair][key] for pair in pairs}
    return _Compared(statistics.fmean(values.values()) if values else None, values)


def _reductions(figures, key: str, with_loss: str, without: str) -> _Compared:
    """1 - error with / error without: of the means, and of every pair."""
    pairs = _common(figures, with_loss, without)
    after, before = (
        _values(figures, key, name, pairs) for name in (with_loss, without)
    )
    if not before.overall:
        return _Compared(None, {})
    return _Compared(
        1 - after.overall / before.overall,
        {
            p: 1 - after.by_pair[p] / before.by_pair[p]
            for p in pairs
            if before.by_pair[p]
        },
    )


def _decide(
    part: str,
    claim: str,
    first: _Compared,
    second: _Compared,
    holds: Callable[[float, float], bool],
) -> Verdict:
    pairs = [pair for pair in first.by_pair if pair in second.by_pair]
    if first.overall is None or second.overall is None or not pairs:
        return Verdict(part, claim)
    share = sum(holds(first.by_pair[p], second.by_pair[p]) for p in pairs) / len(pairs)
    verdict = HOLDS if holds(first.overall, second.overall) and share > 0.5 else FAILS
    return Verdict(
        part, claim, verdict, first.overall, second.overall, share, len(pairs)
    )


def _less(first: float, second: float) -> bool:
    return first < second


def _greater(first: float, second: float) -> bool:
    return first > second


def _not_greater(first: float, second: float) -> bool:
    return first <= second


def _not_less(first: float, second: float) -> bool:
    return first >= second
