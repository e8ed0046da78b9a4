"""The published tables as HTML: each table by itself, all numbers in one list, and the audits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import ascii_lowercase

from facelab.ledger.audits import Audit
from facelab.ledger.published import Cell
from tools.sphinx.html_tables import Column, Row, table_html

# Short names of the papers, in the order of the book.
PAPERS = {
    "two_stage": "Two-stage",
    "fan": "FAN",
    "anisotropic": "Anisotropic",
    "tddfa": "3DDFA_V2",
    "cln": "CLN",
}
EMPTY = "–"
# What is said of a number besides its method, and the heading it gets where it becomes a column.
PARTS = {"data_set": "Data set", "subset": "Subset", "metric": "Metric", "normaliser": "Normaliser"}
WIDEST = 8  # numbers side by side; a table with more is turned into lines

Lines = list[tuple[tuple[str, ...], dict[str, Cell]]]


def number(cell: Cell) -> str:
    """The number with the digits that the paper prints, the spread in brackets."""
    value = EMPTY if cell.value is None else f"{cell.value:f}"
    return value if cell.spread is None else f"{value} ({cell.spread:f})"


def table_name(table: str) -> str:
    """``main-table-1`` becomes ``main table 1``."""
    return table.replace("-", " ")


def table_anchor(paper: str, table: str) -> str:
    """The id of a published table on its page."""
    return f"published-{paper}-{table}".replace("_", "-")


def numbers_html(cells: Sequence[Cell]) -> str:
    """Every number in one list; each names its table and leads there."""
    columns = [
        Column("Paper", choices=True),
        Column("Table", choices=True),
        Column("Method"),
        Column("Data set", choices=True),
        Column("Subset"),
        Column("Metric", choices=True),
        Column("Normaliser"),
        Column("Value", "number"),
    ]
    rows = []
    for cell in cells:
        link = f'<a href="#{table_anchor(cell.paper, cell.table)}">{escape(table_name(cell.table))}</a>'
        rest = [cell.method, *(getattr(cell, part) for part in PARTS), number(cell)]
        rows.append(Row([PAPERS[cell.paper], link, *(escape(text) for text in rest)]))
    caption = "Every number of the published tables"
    return table_html(
        columns, rows, name="ledger-numbers", caption=caption, search="Method or other words", layout="tall"
    )


def published_table_html(cells: Sequence[Cell]) -> str:
    """One published table, with its notes under it.

    Methods stand below each other and what was measured side by side, as papers print it. Where that is too wide the
    metric moves to the front of the line, and where the rest is too wide or mostly empty, each number gets a line.
    """
    varying = [part for part in PARTS if len({getattr(cell, part) for cell in cells}) > 1]
    fixed = [getattr(cells[0], part) for part in PARTS if part not in varying]
    front, titles, lines = _fitting(cells, varying)
    columns = [Column(PARTS[part]) for part in front]
    if front and len({cell.method for cell in cells}) == 1:
        fixed.insert(0, cells[0].method)  # a list of numbers needs no column for the one method that all are of
    else:
        columns.append(Column("Method"))
    notes = _Notes(cells)
    rows = [Row(_line_html(key[: len(columns)], slots, titles, notes)) for key, slots in lines]
    columns += [Column(title, "number") for title in titles]
    paper, table = cells[0].paper, cells[0].table
    about = ", ".join(filter(None, fixed))
    caption = f"{PAPERS[paper]}, {table_name(table)}" + (f": {about}" if about else "")
    return table_html(columns, rows, name=table_anchor(paper, table), caption=caption) + notes.html()


def _fitting(cells: Sequence[Cell], varying: Sequence[str]) -> tuple[list[str], list[str], Lines]:
    """What stands at the front of a line, the headings of the numbers, and the lines."""
    metric = [part for part in varying if part == "metric"]
    for front in ([], metric):
        titles, lines = _arranged(cells, front, [part for part in varying if part not in front])
        if len(titles) <= WIDEST and 2 * len(cells) > len(lines) * len(titles):
            return front, titles, lines
    return list(varying), *_arranged(cells, varying, [])


def _arranged(cells: Sequence[Cell], front: Sequence[str], across: Sequence[str]) -> tuple[list[str], Lines]:
    """Headings of the numbers, and lines of them; a heading that a line has already starts another line."""
    titles: list[str] = []
    lines: Lines = []
    for cell in cells:
        title = ", ".join(filter(None, (getattr(cell, part) for part in across))) or "Value"
        key = (*(getattr(cell, part) for part in front), cell.method)
        if title not in titles:
            titles.append(title)
        slots = next((slots for other, slots in lines if other == key and title not in slots), None)
        if slots is None:
            slots = {}
            lines.append((key, slots))
        slots[title] = cell
    return titles, lines


def _line_html(key: Sequence[str], slots: dict[str, Cell], titles: Sequence[str], notes: _Notes) -> list[str]:
    """A note that all numbers of a line share stands once, before them."""
    shared = _common(slots.values())
    *front, last = (escape(text) for text in key)
    html = [*front, (last or EMPTY) + notes.marks(shared)]
    for title in titles:
        cell = slots.get(title)
        html.append("" if cell is None else escape(number(cell)) + notes.marks(_noted(cell) - shared))
    return html


def _noted(cell: Cell) -> set[str]:
    return {note for note in cell.note.split("; ") if note}


def _common(cells: Iterable[Cell]) -> set[str]:
    return set.intersection(*(_noted(cell) for cell in cells))


class _Notes:
    """The notes of a table, each once. Those of every number carry no letter."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        everywhere = _common(cells)
        self.everywhere = [note for note in dict.fromkeys(cells[0].note.split("; ")) if note in everywhere]
        self.lettered: list[str] = []

    def marks(self, notes: set[str]) -> str:
        """Letters of the notes, given out in the order in which they are asked for."""
        wanted = sorted(notes - set(self.everywhere))
        self.lettered += [note for note in wanted if note not in self.lettered]
        return f"<sup>{' '.join(self._letter(note) for note in wanted)}</sup>" if wanted else ""

    def _letter(self, note: str) -> str:
        rounds, index = divmod(self.lettered.index(note), len(ascii_lowercase))
        return ascii_lowercase[index] * (rounds + 1)

    def html(self) -> str:
        items = [f"<li>{escape(note)}</li>" for note in self.everywhere]
        items += [f"<li><sup>{self._letter(note)}</sup>&nbsp;{escape(note)}</li>" for note in self.lettered]
        return f'<ul class="ledger-notes">{"".join(items)}</ul>\n' if items else ""


def audit_anchor(audit: str) -> str:
    """The id of an audit's row."""
    return f"audit-{audit}"


def audits_html(audits: Sequence[Audit]) -> str:
    """The papers' own arithmetic, rule by rule."""
    columns = [
        Column("Paper", choices=True),
        Column("Rule"),
        Column("Printed"),
        Column("Computed"),
        Column("Adds up", choices=True),
    ]
    rows = []
    for audit in audits:
        place = escape(audit.place.replace("table-", "table "))
        rule = f'{escape(audit.rule)} <span class="ledger-place">{place}</span><p>{escape(audit.why)}</p>'
        outcome = '<span class="verdict adds-up">yes</span>' if audit.adds_up else '<span class="verdict off">no</span>'
        cells = [PAPERS[audit.paper], rule, escape(audit.printed), escape(audit.computed), outcome]
        rows.append(Row(cells, anchor=audit_anchor(audit.id)))
    right = sum(audit.adds_up for audit in audits)
    caption = f"{len(audits)} audits: {right} add up, {len(audits) - right} do not"
    return table_html(columns, rows, name="ledger-audits", caption=caption, search="Words", layout="cards")
