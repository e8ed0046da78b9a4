"""Each chapter says first what it takes and what a reader can do afterwards, and the page shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.book.layout import ROOT, notebooks, short_name
from tools.book.notebooks import read
from tools.book.pages import parse
from tools.book.records import read as records

PAGES = notebooks()


def row(text: str, title: str) -> str:
    """What stands in the first table under a title."""
    table = text[text.index("```{list-table}") :].split("\n```", 1)[0]
    match = re.search(rf"^\* - {title}\n(.*?)(?=^\* - |\Z)", table, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_chapter_begins_with_prerequisites_objectives_and_costs(page: Path) -> None:
    first = read(ROOT / page).cells[0].source
    assert first.startswith("# ")
    assert len(row(first, "Prerequisites").strip(" -\n")) > 10
    goals = re.findall(r"^    - (\w.*)$", row(first, "Objectives"), re.MULTILINE)
    assert 2 <= len(goals) <= 4
    assert all(goal[0].islower() and len(goal) > 20 for goal in goals)  # each goes on from "you can"
    assert row(first, "Reading time")
    assert first.count("```{measured}\n```") == 1


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_rendered_page_shows_costs_and_where_its_outputs_come_from(page: Path, site: Path) -> None:
    soup = parse(site / page.with_suffix(".html"))
    record = records()["outputs"][short_name(page)]
    line = soup.find("p", class_="provenance")
    assert line is not None and line.find_previous_sibling("h1") is not None
    assert record["time"][:10] in line.get_text() and record["commit"][:7] in line.get_text()
    rows = soup.select("div.measured tbody tr")
    assert [row.find("th").get_text() for row in rows] == ["smoke", "quick", "cpu", "gpu"]
    measured = records()["measured"].get(short_name(page), {})
    for found in rows:
        assert ("not measured" in found.get_text()) is (found.find("th").get_text() not in measured)
