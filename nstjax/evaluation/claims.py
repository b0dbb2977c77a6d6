"""The papers' claims, each with a verdict from the measured values.

A claim says that a value of one method is lower, or higher, than that of another. It
holds if it is true of the means over pairs and of more than half of the individual
pairs. It is not measured if one of the methods, or the judge, is missing. Only pairs
for which both methods have a picture count.

The claim on depth compares reductions of the depth error, 1 - error with the depth loss
/ error without: the reduction in per-image optimisation is little if it is below a
tenth, and AdaIN's is more if it is larger.

References:
    "Style Transfer: Laplacian, Depth loss and AdaIN" (a to d).
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, figure 3 (e): AdaIN's
    style loss is about that of Gatys between 50 and 100 evaluations.
"""

import dataclasses
import operator
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from nstjax.evaluation.inputs import budget_name
from nstjax.evaluation.metrics import Column, Measured, Values
from nstjax.methods.table import METHODS

HOLDS, FAILS, UNMEASURED = "holds", "does not hold", "not measured"
# The largest reduction of the depth error that counts as little.
_LITTLE = 0.1
GATYS_BUDGETS = (50, 100)

# Whether a claim holds for two numbers.
Holds = Callable[[float, float], bool]

_PAIRS_OF_METHODS = (("lapstyle", "gatys"), ("adain-lap", "adain"))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim and its verdict.

    Attributes:
        part: the letter of the claim that this is a part of.
        claim: in words.
        verdict: `HOLDS`, `FAILS` or `UNMEASURED`.
        first, second: the two numbers that were compared; None if not measured.
        share: the fraction of the individual pairs for which it holds.
        pairs: how many were compared.
    """

    part: str
    claim: str
    verdict: str = UNMEASURED
    first: float | None = None
    second: float | None = None
    share: float | None = None
    pairs: int = 0


def judge_claims(measured: Measured, columns: Sequence[Column]) -> list[Verdict]:
    """Decides every claim.

    Args:
        measured: values by variant, pair and column.
        columns: those that were measured.

    Returns:
        One verdict for each comparison, by part; several judges give several.
    """
    verdicts = [
        verdict
        for comparison in _comparisons()
        for verdict in _compare(measured, columns, *comparison)
    ]
    return sorted([*verdicts, *_depth(measured, columns)], key=lambda v: v.part)


def _comparisons() -> Iterator[tuple[str, str, str, str, str, Holds]]:
    """Part, claim, metric, the two variants, and when it holds; except depth."""
    for first, second in _PAIRS_OF_METHODS:
        claim = f"{first} keeps more detail than {second}"
        yield "a", claim, "lap4", first, second, operator.lt
        yield "a", claim, "edge_f1", first, second, operator.gt
        yield "a", claim, "ssim", first, second, operator.gt
    for first, second in _PAIRS_OF_METHODS:
        claim = f"{first} loses more brush strokes than {second}"
        yield "b", claim, "style", first, second, operator.gt
        yield "b", claim, "texture", first, second, operator.gt
    for method in METHODS.values():
        if not method.in_one_pass:
            claim = f"{method.name} paints quieter skies than adain"
            yield "d", claim, "flat_noise", method.name, "adain", operator.lt
    few, many = GATYS_BUDGETS
    for budget, words, holds in (
        (few, "no higher than", operator.le),
        (many, "no lower than", operator.ge),
    ):
        claim = (
            f"adain's style loss is {words} that of gatys after {budget} evaluations"
        )
        yield "e", claim, "style", "adain", budget_name(budget), holds


def _depth(measured: Measured, columns: Sequence[Column]) -> Iterator[Verdict]:
    little = "the depth loss changes little in per-image optimisation"
    more = "the depth loss changes more in adain"
    found = [column for column in columns if column.metric == "depth_error"]
    if not found:
        yield from (Verdict("c", f"{claim} (depth_error)") for claim in (little, more))
    for column in found:
        in_gatys = _reductions(measured, column.key, "gatys-depth", "gatys")
        in_adain = _reductions(measured, column.key, "adain-depth", "adain")
        words = f"reduction of {column.key} by {{}}"
        limit = dict.fromkeys(in_gatys.by_pair, _LITTLE)
        yield _decide(
            "c",
            f"{little} ({words.format('gatys-depth, compared with a tenth')})",
            in_gatys,
            _Side(_LITTLE, limit),
            operator.lt,
        )
        yield _decide(
            "c",
            f"{more} ({words.format('adain-depth, compared with gatys-depth')})",
            in_adain,
            in_gatys,
            operator.gt,
        )


@dataclasses.dataclass(frozen=True)
class _Side:
    """One side of a comparison: over all pairs, and for each pair."""

    overall: float | None
    by_pair: Mapping[str, float]


def _compare(
    measured: Measured,
    columns: Sequence[Column],
    part: str,
    claim: str,
    metric: str,
    first: str,
    second: str,
    holds: Holds,
) -> Iterator[Verdict]:
    found = [column.key for column in columns if column.metric == metric]
    if not found:
        yield Verdict(part, f"{claim} ({metric})")
    for key in found:
        mine, other = _sides(measured, key, first, second)
        yield _decide(part, f"{claim} ({key})", mine, other, holds)


def _sides(
    measured: Measured, key: str, first: str, second: str
) -> tuple[_Side, _Side]:
    """A column of two variants, for the pairs for which both have a picture."""
    mine, other = measured.get(first, {}), measured.get(second, {})
    pairs = [pair for pair in mine if pair in other]
    return _side(mine, key, pairs), _side(other, key, pairs)


def _side(by_pair: Mapping[str, Values], key: str, pairs: Sequence[str]) -> _Side:
    values = {pair: by_pair[pair][key] for pair in pairs}
    return _Side(statistics.fmean(values.values()) if values else None, values)


def _reductions(measured: Measured, key: str, with_loss: str, without: str) -> _Side:
    """1 - error with / error without: for the means, and for every pair."""
    after, before = _sides(measured, key, with_loss, without)
    if after.overall is None or not before.overall:
        return _Side(None, {})
    return _Side(
        1 - after.overall / before.overall,
        {
            pair: 1 - after.by_pair[pair] / error
            for pair, error in before.by_pair.items()
            if error
        },
    )


def _decide(
    part: str, claim: str, first: _Side, second: _Side, holds: Holds
) -> Verdict:
    pairs = [pair for pair in first.by_pair if pair in second.by_pair]
    if first.overall is None or second.overall is None or not pairs:
        return Verdict(part, claim)
    share = sum(holds(first.by_pair[p], second.by_pair[p]) for p in pairs) / len(pairs)
    verdict = HOLDS if holds(first.overall, second.overall) and share > 0.5 else FAILS
    return Verdict(
        part, claim, verdict, first.overall, second.overall, share, len(pairs)
    )
