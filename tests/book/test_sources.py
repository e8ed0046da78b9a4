"""The index from papers to code to tests is that of today's docstrings, and nothing in it lacks a test."""

from __future__ import annotations

import pytest

from tools.book.layout import ROOT
from tools.book.sources import PAGE, entries, page, source_of

FOUND = entries()


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tools.book sources"


@pytest.mark.parametrize("entry", FOUND, ids=lambda entry: f"{entry.path}:{entry.name}")
def test_every_entry_is_named_by_a_test(entry: object) -> None:
    assert entry.tests  # type: ignore[attr-defined]


def test_all_sources_of_public_code_are_found() -> None:
    """Those of methods and classes, too."""
    written = sum(
        path.read_text(encoding="utf-8").count("    Source: ") for path in (ROOT / "src/lib/facelab").rglob("*.py")
    )
    assert 0.8 * written <= len(FOUND) <= written


@pytest.mark.parametrize(
    ("docstring", "source"),
    [
        ("Does.\n\nSource: A 2020,\n    eq. 3.\nRaises:\n    ValueError: no.", "A 2020, eq. 3."),
        ("Does.\n\nArgs:\n    x: a.\n    Source: B,\n    p. 2, ``f`` of :func:`a.b.c`.", "B, p. 2, `f` of `c`."),
        ("Does.\n\nSource: C.\n\nMore.", "C."),
        ("Does.", ""),
    ],
)
def test_a_source_is_a_paragraph(docstring: str, source: str) -> None:
    assert source_of(docstring) == source
