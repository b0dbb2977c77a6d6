"""Verdicts on values made up for the purpose."""

import pytest

from nstjax.evaluation.claims import FAILS, HOLDS, UNMEASURED, judge_claims
from nstjax.evaluation.metrics import HIGHER, LOWER, Column

COLUMNS = [
    Column("style@judge", LOWER),
    Column("lap4", LOWER),
    Column("ssim", HIGHER),
    Column("edge_f1", HIGHER),
    Column("texture", LOWER),
    Column("flat_noise", LOWER),
    Column("depth_error@eye", LOWER),
]


def scored(**values):
    """Every column 1 unless given, for three pairs: a number, or three."""
    table = {}
    for number, pair in enumerate("abc"):
        table[pair] = {column.key: 1.0 for column in COLUMNS}
        for name, value in values.items():
            key = next(c.key for c in COLUMNS if c.metric == name)
            many = isinstance(value, tuple)
            table[pair][key] = value[number] if many else value
    return table


def verdicts(measured, columns=COLUMNS, *, part, words=""):
    found = [
        v
        for v in judge_claims(measured, columns)
        if v.part == part and words in v.claim
    ]
    assert found
    return found


def only(measured, **options):
    (found,) = verdicts(measured, **options)
    return found


def test_nothing_is_measured_without_pictures():
    found = judge_claims({}, COLUMNS)
    assert {v.verdict for v in found} == {UNMEASURED}
    assert {v.part for v in found} == set("abcde")
    assert judge_claims({"gatys": scored()}, [])[0].verdict == UNMEASURED


@pytest.mark.parametrize(
    "metric, value, expected",
    [("lap4", 0.5, HOLDS), ("lap4", 2, FAILS), ("ssim", 2, HOLDS)]
    + [("ssim", 0.5, FAILS), ("edge_f1", 2, HOLDS), ("edge_f1", 1, FAILS)],
)
def test_lapstyle_keeps_more_detail(metric, value, expected):
    measured = {"gatys": scored(), "lapstyle": scored(**{metric: value})}
    found = only(
        measured, part="a", words=f"lapstyle keeps more detail than gatys ({metric}"
    )
    assert (found.verdict, found.first, found.second) == (expected, value, 1)
    assert (found.share, found.pairs) == (float(expected == HOLDS), 3)
    other = only(
        measured, part="a", words=f"adain-lap keeps more detail than adain ({metric}"
    )
    assert other.verdict == UNMEASURED


def test_strokes_are_lost_where_the_style_is_farther():
    measured = {"adain": scored(), "adain-lap": scored(style=2, texture=0.5)}
    style, texture = verdicts(measured, part="b", words="adain-lap")
    assert "style@judge" in style.claim and style.verdict == HOLDS
    assert "texture" in texture.claim and texture.verdict == FAILS


def test_a_mean_alone_does_not_make_a_claim_hold():
    # Lower on average, by one pair only.
    measured = {"gatys": scored(flat_noise=(0, 1.1, 1.1)), "adain": scored()}
    found = only(measured, part="d", words="gatys paints")
    assert found.first == pytest.approx(2.2 / 3)
    assert found.share == pytest.approx(1 / 3)
    assert found.verdict == FAILS
    measured["gatys"] = scored(flat_noise=(0, 0, 1.1))
    assert only(measured, part="d", words="gatys paints").verdict == HOLDS


def test_only_common_pairs_count():
    gatys = scored(flat_noise=(0.5, 0.5, 9))
    del gatys["c"]
    found = only({"gatys": gatys, "adain": scored()}, part="d", words="gatys paints")
    assert (found.first, found.pairs, found.verdict) == (0.5, 2, HOLDS)


@pytest.mark.parametrize(
    "in_gatys, in_adain, little, more",
    [(0.95, 0.6, HOLDS, HOLDS), (0.8, 0.6, FAILS, HOLDS), (0.95, 0.97, HOLDS, FAILS)],
)
def test_depth_matters_more_in_adain(in_gatys, in_adain, little, more):
    measured = {
        "gatys": scored(),
        "gatys-depth": scored(depth_error=in_gatys),
        "adain": scored(),
        "adain-depth": scored(depth_error=in_adain),
    }
    first, second = verdicts(measured, part="c")
    assert (first.verdict, second.verdict) == (little, more)
    assert (first.first, first.second) == (pytest.approx(1 - in_gatys), 0.1)
    assert second.first == pytest.approx(1 - in_adain)
    assert second.second == pytest.approx(1 - in_gatys)


def test_the_depth_claims_need_both_methods_and_a_judge():
    measured = {"gatys": scored(), "gatys-depth": scored(depth_error=0.95)}
    first, second = verdicts(measured, part="c")
    assert (first.verdict, second.verdict) == (HOLDS, UNMEASURED)
    blind = [c for c in COLUMNS if c.metric != "depth_error"]
    assert {v.verdict for v in verdicts(measured, blind, part="c")} == {UNMEASURED}


@pytest.mark.parametrize(
    "value, below, above",
    [(2.0, HOLDS, HOLDS), (4.0, FAILS, HOLDS), (0.5, HOLDS, FAILS)],
)
def test_adain_lies_between_two_budgets_of_gatys(value, below, above):
    measured = {
        "adain": scored(style=value),
        "gatys-50": scored(style=3.0),
        "gatys-100": scored(style=1.0),
    }
    first, second = verdicts(measured, part="e")
    assert (first.verdict, second.verdict) == (below, above)
    assert (first.second, second.second) == (3.0, 1.0)
