"""HTML of the tables that book/_static/tables.js filters and sorts; each stands in full without the script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal


@dataclass(frozen=True)
class Column:
    """A heading.

    `kind`, "text" or "number", says how its cells are set and sorted; `choices` gives it a list to choose rows by.
    """

    title: str
    kind: Literal["text", "number"] = "text"
    choices: bool = False
    sorts: bool = True

    def html(self, attributes: str) -> str:
        """The heading's cell; `attributes` go into its tag."""
        marks = f' data-sort="{self.kind}"' * self.sorts + " data-filter" * self.choices
        return f'<th scope="col"{self.class_html()}{marks}{attributes}>{escape(self.title)}</th>'

    def class_html(self) -> str:
        """The class of all cells of the column, as an attribute."""
        return ' class="number"' if self.kind == "number" else ""


@dataclass(frozen=True)
class Row:
    """Cells as HTML, one for each column, and the anchor of the row if it has one."""

    cells: Sequence[str]
    anchor: str = ""


def table_html(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    name: str,
    caption: str,
    search: str = "",
    layout: Literal["plain", "cards", "tall"] = "plain",
) -> str:
    """A table in a box of its own, which scrolls where the page is narrow.

    Parameters
    ----------
    name
        Id of the box, unique in the page; the state of the filters is kept under it.
    caption
        What the table shows, as plain text.
    search
        Label of the field for text; none if empty.
    layout
        "cards": on a phone each row is a card, its cells below each other. The roles of the table are then written out,
        since a browser forgets them where a row is not laid out as one. "tall": many rows, which scroll below their
        headings.

    Raises
    ------
    ValueError
        A row has more or fewer cells than there are columns.
    """
    for row in rows:
        if len(row.cells) != len(columns):
            raise ValueError(f"table '{name}': {len(row.cells)} cells under {len(columns)} columns: {row.cells}")
    cards = layout == "cards"
    head = "".join(column.html(_role("columnheader", cards)) for column in columns)
    body = "\n".join(_row_html(row, columns, cards) for row in rows)
    attributes = f' data-search="{escape(search)}"' if search else ""
    rowgroup, table = _role("rowgroup", cards), _role("table", cards)
    return (
        f'<div class="ledger-box ledger-{layout}" id="{escape(name)}"{attributes}>\n'
        f'<div class="ledger-scroll" tabindex="0" role="region" aria-label="{escape(caption)}">\n'
        f'<table class="ledger-table"{table}>\n<caption>{escape(caption)}</caption>\n'
        f"<thead{rowgroup}><tr{_role('row', cards)}>{head}</tr></thead>\n"
        f"<tbody{rowgroup}>\n{body}\n</tbody>\n</table>\n</div>\n</div>\n"
    )


def _role(name: str, cards: bool) -> str:
    return f' role="{name}"' if cards else ""


def _row_html(row: Row, columns: Sequence[Column], cards: bool) -> str:
    anchor = f' id="{escape(row.anchor)}"' if row.anchor else ""
    cells = "".join(_cell_html(cell, column, cards) for cell, column in zip(row.cells, columns, strict=True))
    return f"<tr{anchor}{_role('row', cards)}>{cells}</tr>"


def _cell_html(cell: str, column: Column, cards: bool) -> str:
    label = f' data-label="{escape(column.title)}"' if cards else ""
    return f"<td{column.class_html()}{_role('cell', cards)}{label}>{cell}</td>"
