"""Verdicts on the claims, computed from what was measured; nobody types one."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scipy.special import stdtrit

from facelab.ledger.audits import Audit, audits
from facelab.ledger.claims import Claim, Measurement, claims
from facelab.ledger.results import UNITS, Quantity, Result, results
from facelab.recipes import nearest

CONFIRMED, REFUTED, NOT_DECIDED = "confirmed", "refuted", "not decided"
NOT_TESTABLE, OPEN = "not testable here", "open"
VERDICTS = (CONFIRMED, REFUTED, NOT_DECIDED, NOT_TESTABLE, OPEN)
LEAST_SEEDS = 3
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number of ours: mean over the seeds and the 95 % t interval of that mean.

    Attributes:
        low, high: ends of the interval; the number itself where it is exact, infinite where seeds are too few.
        seeds: how many; 0 where the number is exact.
    """

    mean: float
    low: float
    high: float
    unit: str
    seeds: int

    @property
    def decides(self) -> bool:
        return self.seeds == 0 or self.seeds >= LEAST_SEEDS

    def show(self, number: float) -> str:
        """As a table has it: fractions in percent, with the digits that the interval allows."""
        return shown(number, self.unit, None if self.low == self.high else self.high - self.low)

    def interval(self) -> str:
        """In words."""
        if self.seeds == 0:
            return "exact"
        if not self.decides:
            return f"none: {_count(self.seeds, 'seed')}, an interval needs {LEAST_SEEDS}"
        return f"{self.show(self.low)} to {self.show(self.high)}"


@dataclass(frozen=True)
class Entry:
    """A claim on trial.

    Attributes:
        ours: what was measured here; None where nothing was or an audit decides.
        control: the same measurement where the claim must not hold. audit: the arithmetic that decides.
        verdict: one of ``VERDICTS``. reason: one sentence.
    """

    claim: Claim
    ours: Estimate | None
    control: Estimate | None
    audit: Audit | None
    verdict: str
    reason: str

    def text(self, part: str) -> str:
        """What prose and tables print.

        Args:
            part: "ours", "interval", "paper", "claim", "place", "measured", "verdict" or "reason".
        Raises:
            ValueError: another part, with the nearest there is.
        """
        return nearest("part of a claim", part, _PARTS)(self)


def ledger(profile: str = "cpu") -> list[Entry]:
    """Every claim with our number, its interval and its verdict, in the order of ``data/claims.yml``.

    Args:
        profile: whose results count.
    Raises:
        ValueError: a claim, result or audit that is not as it should be; the message names it.
    """
    measured, arithmetic = results(profile), {audit.id: audit for audit in audits()}
    return [_entry(claim, measured, arithmetic) for claim in claims()]


def quote(claim: str, part: str, profile: str = "cpu") -> str:
    """One part of one claim as prose prints it: ``quote("fan-large-poses", "ours")``.

    Raises:
        ValueError: an unknown claim or part, with the nearest there are.
    """
    entries = {entry.claim.id: entry for entry in ledger(profile)}
    if claim not in entries:
        near = difflib.get_close_matches(claim, entries, n=3, cutoff=0.3)
        raise ValueError(f"there is no claim '{claim}'; the nearest in data/claims.yml: {', '.join(near) or 'none'}")
    return entries[claim].text(part)


def estimate(quantity: Quantity) -> Estimate:
    """Mean over the seeds with its 95 % t interval; an exact quantity is its own interval."""
    if quantity.value is not None:
        return Estimate(quantity.value, quantity.value, quantity.value, quantity.unit, 0)
    values, count = quantity.values, len(quantity.values)
    mean = math.fsum(values) / count
    half = math.inf
    if count >= LEAST_SEEDS:
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
        half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, quantity.unit, count)


def verdict(measurement: Measurement, ours: Estimate, control: Estimate | None) -> tuple[str, str]:
    """Confirmed if the whole interval meets the predicate within its tolerance, refuted if all of it fails, else not
    decided. A control that meets the predicate too, or that our number cannot be told from, leaves it undecided.

    Returns:
        Verdict and reason.
    """
    predicate, tolerance = measurement.predicate, measurement.tolerance
    if not ours.decides:
        return NOT_DECIDED, f"{_count(ours.seeds, 'seed')}: an interval needs {LEAST_SEEDS}"
    if control is not None and predicate.holds(control.low, control.high, tolerance):
        return NOT_DECIDED, f"the control meets the predicate too: {_with_interval(control)}"
    asked = _asked(measurement, ours)
    number = "the number is" if ours.seeds == 0 else "the whole interval is"
    if predicate.fails(ours.low, ours.high, tolerance):
        return REFUTED, f"{number} not {asked}"
    if not predicate.holds(ours.low, ours.high, tolerance):
        return NOT_DECIDED, f"the interval reaches both sides of what is asked: {asked}"
    if control is not None and control.low <= ours.high and control.high >= ours.low:
        return NOT_DECIDED, f"our number cannot be told from the control: {_with_interval(control)}"
    return CONFIRMED, f"{number} {asked}"


def shown(number: float, unit: str, width: float | None = None) -> str:
    """A number with its unit as tables have it; ``width`` of its interval gives the digits, at most four decimals.

    Numbers that four decimals would make zero keep two digits: identities hold to 1e-15.
    """
    factor, sign = UNITS[unit]
    number *= factor
    if width is None or not math.isfinite(width):
        return f"{_plain(number)}{sign}"
    decimals = 1 - math.floor(math.log10(width * factor)) if width > 0 else 4
    if decimals > 4 and 0 < abs(number) < 5e-5:
        return f"{number:.2g}{sign}"
    return f"{number:,.{min(4, max(0, decimals))}f}{sign}"


def _plain(number: float) -> str:
    """Whole numbers in full, others with four significant digits."""
    return f"{number:,.0f}" if number == round(number) and abs(number) < 1e15 else f"{number:.4g}"


def _entry(claim: Claim, measured: Mapping[str, Result], arithmetic: Mapping[str, Audit]) -> Entry:
    if claim.untestable is not None:
        return Entry(claim, None, None, None, NOT_TESTABLE, claim.untestable)
    if claim.audit is not None:
        audit = nearest(f"claim {claim.id}: audit", claim.audit, arithmetic)
        return Entry(claim, None, None, audit, CONFIRMED if audit.adds_up else REFUTED, audit.why)
    measurement = claim.measurement
    assert measurement is not None, "a claim is decided in one of three ways"
    if measurement.experiment not in measured:
        return Entry(claim, None, None, None, OPEN, f"experiment '{measurement.experiment}' has no result yet")
    result = measured[measurement.experiment]
    ours = _estimate(claim.id, result, measurement.quantity, measurement.unit)
    control = None
    if measurement.control is not None:
        control = _estimate(claim.id, result, measurement.control.quantity, measurement.unit)
    return Entry(claim, ours, control, None, *verdict(measurement, ours, control))


def _estimate(claim: str, result: Result, name: str, unit: str) -> Estimate:
    where = f"claim {claim}: {result.profile}/{result.experiment}.json"
    quantity = nearest(f"{where}: quantity", name, result.quantities)
    if quantity.unit != unit:
        raise ValueError(f"{where}: quantity '{name}': expected unit '{unit}', got '{quantity.unit}'")
    return estimate(quantity)


def _asked(measurement: Measurement, ours: Estimate) -> str:
    within = f", tolerance {shown(measurement.tolerance, ours.unit)}" if measurement.tolerance else ""
    return measurement.predicate.text(lambda number: shown(number, ours.unit)) + within


def _with_interval(number: Estimate) -> str:
    return f"{number.show(number.mean)} ({number.interval()})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _ours(entry: Entry) -> str:
    if entry.audit is not None:
        return entry.audit.computed
    return entry.verdict if entry.ours is None else entry.ours.show(entry.ours.mean)


def _interval(entry: Entry) -> str:
    if entry.audit is not None:
        return "exact"
    return entry.verdict if entry.ours is None else entry.ours.interval()


def _measured(entry: Entry) -> str:
    if entry.audit is not None:
        return f"Arithmetic: {entry.audit.rule}"
    return "nothing" if entry.claim.measurement is None else entry.claim.measurement.measured


def _printed(entry: Entry) -> str:
    return "; ".join(f"{number} ({number.what})" for number in entry.claim.printed) or "no number"


_PARTS: dict[str, Callable[[Entry], str]] = {
    "ours": _ours,
    "interval": _interval,
    "paper": _printed,
    "claim": lambda entry: entry.claim.claim,
    "place": lambda entry: entry.claim.place,
    "measured": _measured,
    "verdict": lambda entry: entry.verdict,
    "reason": lambda entry: entry.reason,
}
