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


def entry_of(key: str) -> dict[str, str]:
    """The fields of an entry."""
    return dict(parse_file(str(BIBLIOGRAPHY)).entries[key].fields)


def identity_problems(fields: dict[str, str]) -> list[str]:
    """What is wrong with a DOI, an arXiv id, or, where there is neither, with the URL and the note that says why."""
    found = []
    doi, arxiv = fields.get("doi"), fields.get("eprint")
    if doi is not None and not re.fullmatch(r"10\.\d{4,9}/[^\s{},]+", doi):
        found.append(f"doi '{doi}' is not of the form 10.NNNN/...")
    if arxiv is not None:
        found += arxiv_problems(arxiv, fields)
    if doi is None and arxiv is None:
        if not re.fullmatch(r"https://\S+", fields.get("url", "")):
            found.append("neither DOI nor arXiv id, and no URL")
        if "DOI" not in fields.get("note", ""):
            found.append("neither DOI nor arXiv id, and no note that says why")
    return found


def arxiv_problems(arxiv: str, fields: dict[str, str]) -> list[str]:
    """A preprint comes before its paper, or at most in the year after; ids have five digits since 2015."""
    found = [] if fields.get("archiveprefix") == "arXiv" else ["an eprint without archiveprefix = {arXiv}"]
    form = re.fullmatch(r"(\d{2})(0[1-9]|1[0-2])\.(\d{4,5})", arxiv)
    if form is None:
        return [*found, f"arXiv id '{arxiv}' is not of the form YYMM.NNNNN"]
    year = 2000 + int(form.group(1))
    if len(form.group(3)) != (5 if year >= 2015 else 4):
        found.append(f"arXiv id '{arxiv}' has {len(form.group(3))} digits behind the point")
    if not int(fields["year"]) - 3 <= year <= int(fields["year"]) + 1:
        found.append(f"arXiv id '{arxiv}' is of {year}, the paper of {fields['year']}")
    return found


@pytest.mark.parametrize("key", KEYS)
def test_entry_is_named_for_good(key: str) -> None:
    assert identity_problems(entry_of(key)) == []


def test_no_identity_is_used_twice() -> None:
    names = [name for key in KEYS for field in ("doi", "eprint") if (name := entry_of(key).get(field))]
    assert [name for name, count in Counter(names).items() if count > 1] == []


ARXIV = {"archiveprefix": "arXiv", "year": "2016"}
WRONG = {
    "form of the DOI": ({"doi": "https://doi.org/10.1109/X", "year": "2016"}, "not of the form 10.NNNN/"),
    "form of the id": ({"eprint": "arXiv:1609.09545", **ARXIV}, "not of the form YYMM.NNNNN"),
    "month": ({"eprint": "1613.09545", **ARXIV}, "not of the form YYMM.NNNNN"),
    "digits": ({"eprint": "1609.0954", **ARXIV}, "has 4 digits"),
    "too late": ({"eprint": "1809.09545", **ARXIV}, "is of 2018, the paper of 2016"),
    "too early": ({"eprint": "1209.0954", **ARXIV}, "is of 2012, the paper of 2016"),
    "no archive": ({"eprint": "1609.09545", "year": "2016"}, "without archiveprefix"),
    "nothing": ({"year": "2016", "note": "No DOI"}, "and no URL"),
    "no reason": ({"year": "2016", "url": "https://example.org/a.pdf"}, "no note that says why"),
}


@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_identity_is_found(fields: dict[str, str], message: str) -> None:
    assert any(message in problem for problem in identity_problems(fields))


@pytest.mark.parametrize("key", KEYS)
def test_entry_says_who_what_when_and_where(key: str) -> None:
    entry = parse_file(str(BIBLIOGRAPHY)).entries[key]
    assert entry.persons.get("author")
    assert {"title", "year"} <= set(entry.fields)
    assert {"doi", "eprint", "booktitle", "journal", "url"} & set(entry.fields)
