"""Arithmetic on printed numbers: a number with two decimals is an interval, and two numbers agree if theirs meet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from facelab.ledger.published import Cell, published

_SAID = ("method", "data_set", "subset", "metric", "normaliser")  # what tells one number from another


@dataclass(frozen=True)
class Audit:
    """One rule that printed numbers must obey, and whether they do.

    Attributes:
        id: name, starting with the paper where it fits. paper: a key of the five. place: where the numbers stand.
        rule: one sentence, what must hold. printed, computed: the numbers of the paper, and what follows from them.
        adds_up: whether the rule holds within rounding. why: what it means to a reader.
    """

    id: str
    paper: str
    place: str
    rule: str
    printed: str
    computed: str
    adds_up: bool
    why: str


def audit_of(paper: str, id_: str, place: str, rule: str, text: tuple[str, str], adds_up: bool, why: str) -> Audit:
    """An audit of one paper, its id without the paper; ``text`` is what is printed and what is computed."""
    return Audit(f"{paper}-{id_}", paper, place, rule, *text, adds_up, why)


@dataclass(frozen=True)
class Interval:
    """All numbers from ``low`` to ``high``, exactly; what a printed number may stand for."""

    low: Fraction
    high: Fraction

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"Interval: expected low <= high, got {float(self.low)} and {float(self.high)}")

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: "Interval") -> "Interval":
        return Interval(self.low - other.high, self.high - other.low)

    def __mul__(self, factor: Fraction | int) -> "Interval":
        """Times a number of at least 0."""
        return Interval(self.low * factor, self.high * factor)

    def __truediv__(self, other: "Interval") -> "Interval":
        """By an interval above 0.

        Raises:
            ValueError: the divisor reaches 0, or a dividend below 0, where the ends would swap.
        """
        if other.low <= 0 or self.low < 0:
            raise ValueError(f"Interval: expected a quotient of positive numbers, got ({self}) / ({other})")
        return Interval(self.low / other.high, self.high / other.low)

    def meets(self, other: "Interval") -> bool:
        """Whether one number lies in both."""
        return self.low <= other.high and other.low <= self.high

    def __str__(self) -> str:
        low, high = f"{float(self.low):.4g}", f"{float(self.high):.4g}"
        return low if low == high else f"{low} to {high}"


def exactly(number: int) -> Interval:
    return Interval(Fraction(number), Fraction(number))


def printed(cell: Cell) -> Interval:
    """What the number of a cell stands for, given the digits printed."""
    low, high = cell.interval
    return Interval(Fraction(low), Fraction(high))


def number(cell: Cell) -> Decimal:
    """The number of a cell that must hold one.

    Raises:
        ValueError: the cell is empty.
    """
    if cell.value is None:
        raise ValueError(f"{cell.place}: the cell of {cell.method} holds no number ({cell.note})")
    return cell.value


def one(paper: str, table: str, **equal_to: object) -> Cell:
    """The one cell of a table with these fields.

    Raises:
        ValueError: none or several have them.
    """
    cells = published(paper, table, **equal_to)
    if len(cells) != 1:
        raise ValueError(f"{paper} {table}: expected one cell with {equal_to}, got {len(cells)}")
    return cells[0]


def pooled(parts: Sequence[tuple[Interval, int]]) -> Interval:
    """Mean over all faces of sets with these means and counts: the larger set weighs more."""
    total = Interval(Fraction(0), Fraction(0))
    for mean, count in parts:
        total += mean * count
    return total * Fraction(1, sum(count for _, count in parts))


def mean(parts: Sequence[Interval]) -> Interval:
    """The plain mean, each part once."""
    return pooled([(part, 1) for part in parts])


def least_area(error: Interval, threshold: int) -> Interval:
    """The least area under the error curve up to a threshold that a mean error allows, as a fraction.

    The area is 1 - mean(min(e, t)) / t, and min(e, t) <= e: so it is at least 1 - mean(e) / t, whatever the errors.
    """
    return exactly(1) - error * Fraction(1, threshold)


def reaches(area: Interval, least: Interval) -> bool:
    """Whether an area may be as large as it must."""
    return area.high >= least.low


def whole_faces(percent: Interval, faces: int) -> bool:
    """Whether a whole number of faces makes this percentage."""
    share = percent * Fraction(faces, 100)
    return math.ceil(share.low) <= share.high


def fall(before: Interval, after: Interval) -> Interval:
    """By how many percent a number fell."""
    return exactly(100) - (after / before) * 100


def beyond_chance(gap: Decimal, spread: Decimal, runs: int) -> bool:
    """Whether a gap is wider than two standard errors of a mean of ``runs``: 2 * spread / sqrt(runs)."""
    return gap > 0 and gap * gap * runs > 4 * spread * spread


def listed(cells: Sequence[Cell]) -> str:
    """Cells in words, method and subset said once where all share them: ``Wing: common 3.27 %, full 4.04 %``."""
    names = {field: list(dict.fromkeys(_words(cell, field) for cell in cells)) for field in _SAID}
    shared = " ".join(names[field][0] for field in ("method", "subset") if len(names[field]) == 1)
    varying = [field for field in _SAID if len(names[field]) > 1]
    items = [" ".join(filter(None, [*(_words(cell, field) for field in varying), _amount(cell)])) for cell in cells]
    return f"{shared.strip()}: {', '.join(items)}" if shared.strip() else ", ".join(items)


def _words(cell: Cell, field: str) -> str:
    text: str = getattr(cell, field)
    return text.partition(" (")[0] if field == "metric" else text


def _amount(cell: Cell) -> str:
    unit = cell.metric.rpartition(" (")[2].removesuffix(")") if cell.metric.endswith(("(%)", "(M)", "(ms)")) else ""
    spread = "" if cell.spread is None else f" ± {cell.spread}"
    return f"{cell.value}{spread} {unit}".rstrip()


def tally(cells: Sequence[Cell], holds: Callable[[Cell], bool], what: str) -> tuple[str, bool]:
    """``5 of 7 <what>, not <the others>``, or ``1 of 7 <what>: <that one>``; and whether all do."""
    good = [cell for cell in cells if holds(cell)]
    bad = [cell for cell in cells if cell not in good]
    text = f"{len(good)} of {len(cells)} {what}"
    if bad and good:
        text += f", not {listed(bad)}" if len(bad) < len(good) else f": {listed(good)}"
    return text, not bad
