"""The bibliography: no doubled, unused or unknown key, and enough in each entry to find the paper."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from pybtex.database import parse_file

from tools.book.layout import BOOK, ROOT, pages
from tools.book.notebooks import read

BIBLIOGRAPHY = BOOK / "references.bib"
KEYS = re.findall(r"^@\w+\{([^,\s]+),", BIBLIOGRAPHY.read_text(encoding="utf-8"), flags=re.MULTILINE)
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def cited() -> set[str]:
    texts = []
    for page in pages():
        if page.suffix == ".md":
            texts.append((ROOT / page).read_text(encoding="utf-8"))
        else:
            texts += [cell.source for cell in read(ROOT / page).cells if cell.cell_type == "markdown"]
    return {key.strip() for text in texts for group in CITATION.findall(text) for key in group.split(",")}


def test_no_key_is_used_twice() -> None:
    assert [key for key, count in Counter(KEYS).items() if count > 1] == []


def test_every_entry_is_cited_and_every_citation_has_an_entry() -> None:
    assert cited() == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_entry_says_who_what_when_and_where(key: str) -> None:
    entry = parse_file(str(BIBLIOGRAPHY)).entries[key]
    assert entry.persons.get("author")
    assert {"title", "year"} <= set(entry.fields)
    assert {"doi", "eprint", "booktitle", "journal", "url"} & set(entry.fields)
