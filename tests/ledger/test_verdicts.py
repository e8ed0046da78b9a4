"""A verdict follows from the numbers, and from nothing else."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from facelab.ledger import VERDICTS, Entry, Estimate, Quantity, audits, ledger, quote
from facelab.ledger.claims import Control, Measurement, Predicate
from facelab.ledger.verdicts import CONFIRMED, NOT_DECIDED, NOT_TESTABLE, OPEN, REFUTED, estimate, shown, verdict

Write, Save = Callable[..., Path], Callable[..., Path]
NEITHER = dict.fromkeys(("measured", "experiment", "quantity", "unit", "predicate", "tolerance", "because"))

numbers = st.floats(-5, 5).map(lambda x: round(x, 3))
predicates = st.one_of(
    st.builds(lambda kind, x: Predicate(kind, (x,)),
              st.sampled_from(["at_least", "at_most", "less_than", "more_than", "equals"]), numbers),
    st.tuples(numbers, numbers).map(lambda pair: Predicate("between", (min(pair), max(pair)))),
)  # fmt: skip
tolerances = st.floats(0, 2)


def _measurement(predicate: Predicate, tolerance: float = 0.0, control: bool = False) -> Measurement:
    against = Control("other", "elsewhere") if control else None
    return Measurement("m", "fan-pose", "q", "ratio", predicate, tolerance, "b", against)


@st.composite
def estimates(draw: Any) -> Estimate:
    if draw(st.booleans()):
        number = draw(numbers)
        return Estimate(number, number, number, "ratio", 0)
    return estimate(Quantity("q", "ratio", values=tuple(draw(st.lists(numbers, min_size=1, max_size=6)))))


def _verdict(predicate: Predicate, tolerance: float, ours: Estimate, control: Estimate | None = None) -> str:
    return verdict(_measurement(predicate, tolerance, control is not None), ours, control)[0]


@given(predicates, tolerances, estimates())
def test_a_verdict_is_one_of_three_and_says_why(predicate: Predicate, tolerance: float, ours: Estimate) -> None:
    found, reason = verdict(_measurement(predicate, tolerance), ours, None)
    assert found in (CONFIRMED, REFUTED, NOT_DECIDED) and reason
    assert not (predicate.holds(ours.low, ours.high, tolerance) and predicate.fails(ours.low, ours.high, tolerance))


@given(predicates, tolerances, tolerances, estimates())
def test_more_tolerance_never_speaks_against_a_claim(
    predicate: Predicate, less: float, more: float, ours: Estimate
) -> None:
    order = [REFUTED, NOT_DECIDED, CONFIRMED]
    first, second = (_verdict(predicate, tolerance, ours) for tolerance in sorted((less, more)))
    assert order.index(first) <= order.index(second)


@given(predicates, tolerances, st.lists(numbers, min_size=3, max_size=5), st.floats(0, 1))
def test_a_narrower_interval_never_changes_sides(
    predicate: Predicate, tolerance: float, values: list[float], share: float
) -> None:
    wide = estimate(Quantity("q", "ratio", values=tuple(values)))
    half = share * (wide.high - wide.mean)
    narrow = Estimate(wide.mean, wide.mean - half, wide.mean + half, "ratio", wide.seeds)
    decided = _verdict(predicate, tolerance, wide)
    assert decided == NOT_DECIDED or _verdict(predicate, tolerance, narrow) == decided


@given(predicates, tolerances, estimates(), estimates())
def test_a_control_only_takes_decisions_away(
    predicate: Predicate, tolerance: float, ours: Estimate, control: Estimate
) -> None:
    with_control = _verdict(predicate, tolerance, ours, control)
    assert with_control in (NOT_DECIDED, _verdict(predicate, tolerance, ours))
    if predicate.holds(control.low, control.high, tolerance):
        assert with_control == NOT_DECIDED


@given(estimates(), numbers)
def test_opposite_predicates_have_opposite_verdicts(ours: Estimate, bound: float) -> None:
    opposite = {CONFIRMED: REFUTED, REFUTED: CONFIRMED, NOT_DECIDED: NOT_DECIDED}
    for kind, other in (("at_least", "less_than"), ("at_most", "more_than")):
        found = _verdict(Predicate(kind, (bound,)), 0.0, ours)
        assert _verdict(Predicate(other, (bound,)), 0.0, ours) == opposite[found]


@given(st.lists(numbers, min_size=3, max_size=8, unique=True))
def test_the_interval_is_that_of_student(values: list[float]) -> None:
    ours = estimate(Quantity("q", "ratio", values=tuple(values)))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=ours.mean, scale=stats.sem(values))
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9) and ours.seeds == len(values)


@pytest.mark.parametrize(
    ("kind", "bounds", "meets", "fails"),
    [
        ("at_least", (1.0,), [1.0, 2.0], [0.9]),
        ("at_most", (1.0,), [1.0, 0.0], [1.1]),
        ("less_than", (1.0,), [0.9], [1.0, 2.0]),
        ("more_than", (1.0,), [1.1], [1.0, 0.0]),
        ("equals", (1.0,), [1.0], [0.9, 1.1]),
        ("between", (1.0, 2.0), [1.0, 1.5, 2.0], [0.9, 2.1]),
    ],
)
def test_exact_numbers_decide_at_once(
    kind: str, bounds: tuple[float, ...], meets: list[float], fails: list[float]
) -> None:
    for wanted, chosen in ((CONFIRMED, meets), (REFUTED, fails)):
        for number in chosen:
            assert _verdict(Predicate(kind, bounds), 0.0, Estimate(number, number, number, "ratio", 0)) == wanted


def test_an_interval_around_the_region_is_not_outside_it() -> None:
    assert _verdict(Predicate("between", (1.0, 1.1)), 0.0, Estimate(1.0, 0.5, 2.0, "ratio", 3)) == NOT_DECIDED


@pytest.fixture
def one(write_claims: Write) -> Callable[[], Entry]:
    write_claims({"control": {"quantity": "blind", "what": "a network that sees nothing"}})
    return lambda: ledger()[0]


def test_from_open_to_a_verdict(one: Callable[[], Entry], save: Save) -> None:
    entry = one()
    assert (entry.verdict, entry.ours) == (OPEN, None) and quote("fan-poses", "ours") == "open"
    save([0.95, 0.95], blind=[0.1, 0.2])
    entry = one()
    assert (entry.verdict, entry.reason) == (NOT_DECIDED, "2 seeds: an interval needs 3")
    save([0.95, 0.96, 0.95], blind=[0.1, 0.2, 0.1])
    entry = one()
    assert entry.verdict == CONFIRMED
    assert entry.reason == "the whole interval is at least 0.9, tolerance 0.02"
    save([0.75, 0.76, 0.75], blind=[0.1, 0.2, 0.1])
    assert one().verdict == REFUTED
    save([0.75, 0.96, 0.95], blind=[0.1, 0.2, 0.1])
    assert one().verdict == NOT_DECIDED


def test_a_control_that_meets_the_predicate_tells_that_nothing_was_learnt(one: Callable[[], Entry], save: Save) -> None:
    save([0.95, 0.96, 0.95], blind=[0.93, 0.94, 0.93])
    entry = one()
    assert entry.verdict == NOT_DECIDED and entry.reason.startswith("the control meets the predicate too: 0.933")
    save([0.95, 0.96, 0.95], blind=[0.2, 0.99, 0.99])
    assert one().reason.startswith("our number cannot be told from the control: 0.7")


def test_audits_and_what_cannot_be_tested(write_claims: Write) -> None:
    both = {audit.adds_up: audit for audit in audits()}
    write_claims(
        {**NEITHER, "id": "a", "audit": both[True].id},
        {**NEITHER, "id": "b", "audit": both[False].id},
        {**NEITHER, "id": "c", "untestable": "The data are closed."},
    )
    first, second, third = ledger()
    assert (first.verdict, second.verdict, third.verdict) == (CONFIRMED, REFUTED, NOT_TESTABLE)
    assert first.text("ours") == both[True].computed and first.text("interval") == "exact"
    assert second.reason == both[False].why and third.reason == "The data are closed."
    assert third.text("ours") == third.text("verdict") == NOT_TESTABLE


def test_unknown_names_are_refused_with_near_ones(one: Callable[[], Entry], save: Save) -> None:
    with pytest.raises(ValueError, match="no claim 'fan-pose'; the nearest in data/claims.yml: fan-poses"):
        quote("fan-pose", "ours")
    with pytest.raises(ValueError, match="part of a claim: there is no 'our'; did you mean 'ours'"):
        quote("fan-poses", "our")
    save([0.95, 0.96, 0.95])
    with pytest.raises(ValueError, match=r"claim fan-poses: cpu/fan-pose.json: quantity: there is no 'blind'"):
        ledger()


def test_an_unknown_audit_is_refused(write_claims: Write) -> None:
    write_claims({**NEITHER, "audit": "no-such-audit"})
    with pytest.raises(ValueError, match="claim fan-poses: audit: there is no 'no-such-audit'"):
        ledger()


def test_another_unit_is_refused(write_claims: Write, save: Save) -> None:
    write_claims({"unit": "fraction"})
    save([0.95, 0.96, 0.95])
    with pytest.raises(ValueError, match="quantity 'profile over frontal': expected unit 'fraction', got 'ratio'"):
        ledger()


def test_texts_have_the_digits_that_the_interval_allows(write_claims: Write, save: Save) -> None:
    write_claims({})
    save([0.90, 0.94, 0.98])
    entry = ledger()[0]
    assert (entry.text("ours"), entry.text("interval")) == ("0.94", "0.84 to 1.04")
    assert entry.text("paper") == "4.50 % (NME)" and entry.text("claim") == "Poses cost little."
    assert [entry.text(part) for part in ("place", "measured")] == ["table 1", "One error over another."]


@pytest.mark.parametrize(
    ("number", "unit", "width", "text"),
    [
        (0.04123, "fraction", 0.0021, "4.12 %"),
        (0.04123, "fraction", None, "4.123 %"),
        (6250000.0, "count", None, "6,250,000"),
        (1234.5, "milliseconds", 100.0, "1,234 ms"),
        (0.5, "ratio", math.inf, "0.5"),
        (3.6, "pixels", 0.3, "3.60 px"),
        (5.6e-16, "ratio", 1e-16, "5.6e-16"),
    ],
)
def test_numbers_are_shown_with_their_unit(number: float, unit: str, width: float | None, text: str) -> None:
    assert shown(number, unit, width) == text


def test_the_ledger_of_the_book_stands() -> None:
    """Every audit that a claim names is there, every result has what its claims ask for."""
    entries = ledger()
    assert {entry.verdict for entry in entries} <= set(VERDICTS)
    for entry in entries:
        assert (entry.claim.untestable is not None) == (entry.verdict == NOT_TESTABLE)
        if entry.claim.audit is not None:
            assert entry.verdict in (CONFIRMED, REFUTED)
