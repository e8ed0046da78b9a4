"""The claims of the papers, and what would decide each.

``data/claims.yml`` is a list. Every claim has ``id``, ``paper``, ``place``, ``claim`` and ``printed``, and exactly one
way to be decided:

- measured here: ``measured``, ``experiment``, ``quantity``, ``unit``, ``predicate``, ``tolerance``, ``because`` and
  perhaps a ``control``, the same measurement where the claim must not hold;
- ``audit``: the papers' own arithmetic decides;
- ``untestable``: why nothing here can decide.

There is no key for a verdict: verdicts are computed.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from facelab.ledger.published import PAPERS
from facelab.ledger.results import UNITS
from facelab.places import data_folder

_ALWAYS = ("id", "paper", "place", "claim", "printed")
_MEASURED = ("measured", "experiment", "quantity", "unit", "predicate", "tolerance", "because")
_WORDS = {
    "at_least": "at least {}",
    "at_most": "at most {}",
    "less_than": "less than {}",
    "more_than": "more than {}",
    "equals": "equal to {}",
    "between": "between {} and {}",
}


@dataclass(frozen=True)
class Predicate:
    """Which numbers bear a claim out: those from ``low`` to ``high``, where ``strict`` without the ends.

    ``kind`` and ``numbers`` are as the file has them.
    """

    kind: str
    numbers: tuple[float, ...]

    @property
    def low(self) -> float:
        return -math.inf if self.kind in ("at_most", "less_than") else self.numbers[0]

    @property
    def high(self) -> float:
        return math.inf if self.kind in ("at_least", "more_than") else self.numbers[-1]

    @property
    def strict(self) -> bool:
        return self.kind in ("less_than", "more_than")

    def holds(self, low: float, high: float, tolerance: float) -> bool:
        """Whether every number from ``low`` to ``high`` is at most ``tolerance`` off."""
        return self._above(low, tolerance) and self._below(high, tolerance)

    def fails(self, low: float, high: float, tolerance: float) -> bool:
        """Whether no number from ``low`` to ``high`` is."""
        return not (self._above(high, tolerance) and self._below(low, tolerance))

    def _above(self, number: float, tolerance: float) -> bool:
        least = self.low - tolerance
        return number > least if self.strict else number >= least

    def _below(self, number: float, tolerance: float) -> bool:
        most = self.high + tolerance
        return number < most if self.strict else number <= most

    def text(self, show: Callable[[float], str]) -> str:
        """In words; ``show`` writes a number with its unit."""
        return _WORDS[self.kind].format(*(show(number) for number in self.numbers))


@dataclass(frozen=True)
class Printed:
    """A number of the paper, with the digits as printed."""

    value: Decimal
    unit: str
    what: str

    def __str__(self) -> str:
        return f"{self.value} {self.unit}".rstrip()


@dataclass(frozen=True)
class Control:
    """The same measurement where the claim must not hold: if it meets the predicate too, nothing was shown."""

    quantity: str
    what: str


@dataclass(frozen=True)
class Measurement:
    """What decides a claim here.

    Attributes:
        measured: one sentence. experiment: name of the results file. quantity: name inside it.
        unit: one of ``results.UNITS``. tolerance: how far off the predicate still counts, in the unit of the quantity.
        because: why this predicate and this tolerance.
    """

    measured: str
    experiment: str
    quantity: str
    unit: str
    predicate: Predicate
    tolerance: float
    because: str
    control: Control | None


@dataclass(frozen=True)
class Claim:
    """A claim of a paper in our words; exactly one of ``measurement``, ``audit`` and ``untestable`` is there.

    Attributes:
        place: section, table or figure of the paper. printed: its numbers. audit: name of the audit that decides.
        untestable: why nothing here can decide.
    """

    id: str
    paper: str
    place: str
    claim: str
    printed: tuple[Printed, ...]
    measurement: Measurement | None
    audit: str | None
    untestable: str | None


def claims(path: Path | None = None) -> list[Claim]:
    """All claims, in the order of the file.

    Args:
        path: by default ``data/claims.yml`` of the book.
    Raises:
        ValueError: naming the file, the claim and what is wrong with it.
    """
    path = path or data_folder() / "claims.yml"
    try:
        given = yaml.load(path.read_text(encoding="utf-8"), Loader=_Texts)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(given, list):
        raise ValueError(f"{path}: expected a list of claims")
    found: dict[str, Claim] = {}
    for number, entry in enumerate(given, start=1):
        name = entry.get("id", f"number {number}") if isinstance(entry, dict) else f"number {number}"
        try:
            claim = _claim(entry)
            if claim.id in found:
                raise ValueError("the id is there twice")
        except ValueError as error:
            raise ValueError(f"{path}: claim {name}: {error}") from error
        found[claim.id] = claim
    return list(found.values())


class _Texts(yaml.BaseLoader):
    """Leaves every scalar as it is written, so that 3.50 keeps its digits, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key.value}' twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _claim(given: Any) -> Claim:
    ways = [key for key in ("experiment", "audit", "untestable") if isinstance(given, dict) and key in given]
    if len(ways) > 1:
        raise ValueError(f"expected one way to decide it, got {' and '.join(ways)}")
    own = (ways[0],) if ways in (["audit"], ["untestable"]) else _MEASURED
    _keys(given, (*_ALWAYS, *own), () if len(own) == 1 else ("control",))
    if given["paper"] not in PAPERS:
        raise ValueError(f"paper '{given['paper']}': expected one of {', '.join(PAPERS)}")
    return Claim(
        **{key: _text(given, key) for key in ("id", "paper", "place", "claim")},
        printed=tuple(_printed(number) for number in _list(given["printed"], "printed")),
        measurement=_measurement(given) if own is _MEASURED else None,
        audit=_text(given, "audit") if "audit" in given else None,
        untestable=_text(given, "untestable") if "untestable" in given else None,
    )


def _measurement(given: dict[str, Any]) -> Measurement:
    unit = _text(given, "unit")
    if unit not in UNITS:
        raise ValueError(f"unit '{unit}': expected one of {', '.join(UNITS)}")
    tolerance = _number(given["tolerance"], "tolerance")
    if tolerance < 0:
        raise ValueError(f"tolerance {tolerance:g}: expected 0 or more")
    return Measurement(
        **{key: _text(given, key) for key in ("measured", "experiment", "quantity", "because")},
        unit=unit,
        predicate=_predicate(given["predicate"]),
        tolerance=tolerance,
        control=_control(given["control"]) if "control" in given else None,
    )


def _control(given: Any) -> Control:
    try:
        _keys(given, ("quantity", "what"), ())
        return Control(_text(given, "quantity"), _text(given, "what"))
    except ValueError as error:
        raise ValueError(f"control: {error}") from error


def _predicate(given: Any) -> Predicate:
    expected = f"predicate: expected one of {', '.join(_WORDS)} with its number (between: two, the smaller first)"
    if not isinstance(given, dict) or len(given) != 1:
        raise ValueError(f"{expected}, got {given!r}")
    ((kind, value),) = given.items()
    values = value if isinstance(value, list) else [value]
    if kind not in _WORDS or len(values) != (2 if kind == "between" else 1):
        raise ValueError(f"{expected}, got {given!r}")
    numbers = tuple(_number(number, "predicate") for number in values)
    if numbers[0] > numbers[-1]:
        raise ValueError(f"{expected}, got {given!r}")
    return Predicate(kind, numbers)


def _printed(given: Any) -> Printed:
    _keys(given, ("value", "unit", "what"), ())
    try:
        value = Decimal(given["value"])
    except (InvalidOperation, TypeError) as error:
        raise ValueError(f"printed: {given['value']!r}: expected a number as printed") from error
    return Printed(value, given["unit"], _text(given, "what"))


def _keys(given: Any, needed: Sequence[str], optional: Sequence[str]) -> None:
    if not isinstance(given, dict):
        raise ValueError(f"expected keys and values, got {given!r}")
    for key in given:
        if key not in (*needed, *optional):
            raise ValueError(f"unknown key '{key}'; expected {', '.join((*needed, *optional))}")
    for key in needed:
        if key not in given:
            raise ValueError(f"missing key '{key}'")


def _text(given: dict[str, Any], key: str) -> str:
    if not isinstance(given[key], str) or not given[key].strip():
        raise ValueError(f"{key}: expected text, got {given[key]!r}")
    return " ".join(given[key].split())


def _list(given: Any, key: str) -> list[Any]:
    if not isinstance(given, list):
        raise ValueError(f"{key}: expected a list, got {given!r}")
    return given


def _number(given: Any, key: str) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key}: expected a number, got {given!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"{key}: expected a finite number, got {given!r}")
    return number
