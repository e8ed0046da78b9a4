"""The reference of the package: every public name is on a page, and docstrings come out as they are meant."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

import facelab
from tests.test_floors import FLOORS
from tools.book.address import address
from tools.book.layout import ROOT, pages
from tools.book.pages import parse
from tools.sphinx.api_pages import lines_of, public_names, tidied

ROOM = re.compile(r"^```\{room\} (facelab[\w.]*)$", re.MULTILINE)
SOURCES = [page for page in pages() if page.is_relative_to("book/appendix/api") or page.name == "api.md"]
MODULES = {module: page for page in SOURCES for module in ROOM.findall((ROOT / page).read_text(encoding="utf-8"))}
NO_LIBRARY = {"cli", "__main__"}  # commands, not names to import


def test_every_room_has_its_place() -> None:
    rooms = {room for floor in FLOORS for room in floor} - NO_LIBRARY
    assert {f"facelab.{room}" for room in rooms} | {"facelab"} <= MODULES.keys()


def test_every_list_of_public_names_is_in_a_room() -> None:
    for path in sorted(Path(facelab.__file__).parent.rglob("__init__.py")):
        module = ".".join(["facelab", *path.parent.relative_to(Path(facelab.__file__).parent).parts])
        if hasattr(importlib.import_module(module), "__all__"):
            assert module in MODULES, f"{module}: add a page to book/appendix/api and to _toc.yml"


@pytest.mark.parametrize("module", MODULES)
def test_a_page_has_every_name_with_its_source(site: Path, module: str) -> None:
    page = parse(site / MODULES[module].with_suffix(".html"))
    for name in public_names(module):
        described = page.find(id=f"{module}.{name}")
        assert described is not None, f"{module}.{name}"
        thing = getattr(importlib.import_module(module), name)
        if callable(thing) and lines_of(thing) is not None:
            links = [str(link["href"]) for link in described.find_all("a", href=True)]
            assert any(link.startswith(f"{address()}/blob/main/src/lib/facelab/") for link in links), name


def test_search_finds_the_names(site: Path) -> None:
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    objects = json.loads(text.removeprefix("Search.setIndex(").rstrip(";)\n"))["objects"]
    found = {
        f"{prefix}.{entry[4] if isinstance(entry, list) else entry}" for prefix in objects for entry in objects[prefix]
    }
    assert {f"{module}.{name}" for module in MODULES for name in public_names(module)} <= found


@pytest.mark.parametrize("module", ["facelab.metrics", "facelab.losses", "facelab.models"])
def test_parameters_are_a_list_and_no_markup_is_left(site: Path, module: str) -> None:
    page = parse(site / MODULES[module].with_suffix(".html"))
    text = page.get_text()
    assert "Parameters" in text and "Raises" in text
    assert "``" not in text and ":func:" not in text and "Args:" not in text


def test_two_parameters_on_a_line_become_two_entries(site: Path) -> None:
    by_pose = parse(site / MODULES["facelab.metrics"].with_suffix(".html")).find(id="facelab.metrics.by_pose")
    assert by_pose is not None
    names = [strong.get_text() for strong in by_pose.find_next("dl", class_="field-list").find("ul").find_all("strong")]
    assert names == ["errors", "yaw_degrees"]


DOCSTRINGS = {
    "two parameters": (
        "Args:\n    x: ``(N,)`` one. y, z: two.\n",
        "Args:\n    x: ``(N,)`` one.\n    y, z: two.\n",
    ),
    "a word with a colon is no parameter": ("Args:\n    x: one. so: two.\n", "Args:\n    x: one. so: two.\n"),
    "a second line": ("Args:\n    x: one\n        and. y: two.\n", "Args:\n    x: one\n        and.\n    y: two.\n"),
    "two errors": (
        "Raises:\n    ValueError: a. OSError: b.\n",
        "Raises:\n    ValueError: a.\n    OSError: b.\n",
    ),
    "shapes beside names": (
        "Attributes:\n    x ``(N,)``, y ``(M,)``: both.\n",
        "Attributes:\n    x, y: ``(N,)``, ``(M,)``: both.\n",
    ),
    "a hanging source": ("Source: A,\n    p. 2.\n\nMore.\n", "Source: A,\np. 2.\n\nMore.\n"),
    "a bar": ("The sum |x| of ``a | b``.\n", "The sum \\|x\\| of ``a | b``.\n"),
    "prose": ("Does. x: not a field.\n", "Does. x: not a field.\n"),
}


@pytest.mark.parametrize(("written", "read"), DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_a_docstring_is_brought_into_googles_form(written: str, read: str) -> None:
    assert tidied(written.split("\n"), {"x", "y", "z"}) == read.split("\n")


def test_a_room_below_another_leaves_out_what_that_has() -> None:
    assert "SyntheticFaces" in public_names("facelab.data")
    assert "SyntheticFaces" not in public_names("facelab.data.synthetic") and "Scene" in public_names(
        "facelab.data.synthetic"
    )
