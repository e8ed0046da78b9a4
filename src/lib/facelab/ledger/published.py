"""The tables of the five papers, number by number, exactly as printed.

A file ``data/published/<paper>-<table>.csv`` holds one table, one number a line. A number keeps its digits: ``4.20``
was printed with two decimals, so it stands for anything from 4.195 to 4.205, and ``4.2`` for more.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from facelab.places import data_folder

PAPERS = ("two_stage", "fan", "anisotropic", "tddfa", "cln")
COLUMNS = ("paper", "table", "method", "data set", "subset", "metric", "normaliser", "value", "spread", "note")
_FIELDS = tuple(column.replace(" ", "_") for column in COLUMNS)
_KEY = len(COLUMNS) - 3  # all columns before the number, its spread and its note


@dataclass(frozen=True)
class Cell:
    """One printed number and what it is a number of.

    Attributes:
        paper: one of ``PAPERS``. table: ``table-1``; ``text`` for the prose; the README of the folder lists all.
        method, data_set, subset: what was measured on what; empty where a column does not apply.
        metric: with its unit, as ``NME (%)``. normaliser: as in ``facelab.metrics``; empty where the paper says none.
        value: as printed; None for a dash and for what cannot be read. spread: the number after +-.
        note: where the number stands, what could not be read, who is cited.
    """

    paper: str
    table: str
    method: str
    data_set: str
    subset: str
    metric: str
    normaliser: str
    value: Decimal | None
    spread: Decimal | None
    note: str

    @property
    def interval(self) -> tuple[Decimal, Decimal]:
        """Smallest and largest number that is printed like this: half a unit of the last digit to both sides.

        Raises:
            ValueError: the cell holds no number.
        """
        if self.value is None:
            raise ValueError(f"{self.place}: the cell of {self.method} holds no number ({self.note})")
        half = Decimal(5).scaleb(_exponent(self.value) - 1)
        return self.value - half, self.value + half

    @property
    def place(self) -> str:
        """Paper and table, for messages: ``cln table-2``."""
        return f"{self.paper} {self.table}"


def published(paper: str | None = None, table: str | None = None, **equal_to: object) -> list[Cell]:
    """The printed numbers, in the order of the papers and of their tables.

    Args:
        paper: one of ``PAPERS``; None for all.
        table: a table of the paper, as ``table-1``; None for all.
        equal_to: other fields of ``Cell`` and the value each must have, as ``subset="mean"``.
    Raises:
        ValueError: no such paper, table or field; a file that is not as it should be (with its line).
        FileNotFoundError: the folder of the tables is missing.
    """
    folder = data_folder() / "published"
    cells = _read_all(folder)
    if paper is not None:
        cells = _only(cells, "paper", paper)
    if table is not None:
        cells = _only(cells, "table", table)
    for field in equal_to:
        if field not in _FIELDS:
            raise ValueError(f"published: no field {field!r}; expected one of {', '.join(_FIELDS)}")
    return [cell for cell in cells if all(getattr(cell, field) == value for field, value in equal_to.items())]


def _only(cells: tuple[Cell, ...], field: str, wanted: str) -> tuple[Cell, ...]:
    kept = tuple(cell for cell in cells if getattr(cell, field) == wanted)
    if not kept:
        known = dict.fromkeys(getattr(cell, field) for cell in cells)
        raise ValueError(f"published: no {field} {wanted!r}; expected one of {', '.join(known)}")
    return kept


@cache
def _read_all(folder: Path) -> tuple[Cell, ...]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected the folder of the papers' tables, data/published of the book")
    cells = [cell for path in sorted(folder.glob("*.csv")) for cell in read_table(path)]
    return tuple(sorted(cells, key=lambda cell: PAPERS.index(cell.paper)))


def read_table(path: Path) -> list[Cell]:
    """The cells of one file, in its order.

    Raises:
        ValueError: the header is not ``COLUMNS``; a line has too few or too many columns, another paper or table than
            the name of the file, a value that is no number, neither number nor note, or repeats another line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = tuple(next(lines, ()))
        if header != COLUMNS:
            raise ValueError(f"{path}, line 1: expected the columns {', '.join(COLUMNS)}; got {', '.join(header)}")
        first: dict[tuple[str, ...], int] = {}
        cells = []
        for row in lines:
            where = f"{path}, line {lines.line_num}"
            cells.append(_cell(row, path.stem, where))
            key = tuple(row[:_KEY])
            if key in first:
                raise ValueError(f"{where}: repeats line {first[key]} ({', '.join(filter(None, key))})")
            first[key] = lines.line_num
    return cells


def _cell(row: list[str], stem: str, where: str) -> Cell:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{where}: expected {len(COLUMNS)} columns, got {len(row)}")
    paper, table, method, data_set, subset, metric, normaliser, value, spread, note = row
    if f"{paper}-{table}" != stem or paper not in PAPERS:
        raise ValueError(
            f"{where}: expected a paper out of {', '.join(PAPERS)} and the file to be called <paper>-<table>.csv; "
            f"got paper {paper!r} and table {table!r}"
        )
    if not metric or not (value or note):
        raise ValueError(f"{where}: expected a metric, and a value or a note that says why there is none")
    numbers = _number(value, "value", where), _number(spread, "spread", where)
    return Cell(paper, table, method, data_set, subset, metric, normaliser, *numbers, note)


def _number(text: str, column: str, where: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or text != text.strip():
        raise ValueError(f"{where}: expected a number or nothing as {column}, got {text!r}")
    return number


def _exponent(number: Decimal) -> int:
    """Power of ten of the last printed digit."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number, as every Cell holds
    return exponent
