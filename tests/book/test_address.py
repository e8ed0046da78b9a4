"""The repository's address stands in one place, and everything that repeats it is written from there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.book.address import REPEATED, SOURCE, address, repeated, setup_cells, setup_source, write_repeated
from tools.book.layout import ROOT, BookError, notebooks
from tools.book.notebooks import read
from tools.book.offline import kept
from tools.book.pages import COLAB, parse

FORK = "https://github.com/somebody/their-fork"
FEW = ("book/foundations/measuring.ipynb", "book/papers/cln/method.ipynb")


def test_it_is_the_address_of_a_repository() -> None:
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+", address())


@pytest.mark.parametrize("name", REPEATED)
def test_a_file_repeats_it_once(name: str) -> None:
    assert repeated(name, (ROOT / name).read_text(encoding="utf-8")) == [address()], "run: make tidy"


@pytest.mark.parametrize("page", notebooks(), ids=str)
def test_the_set_up_cell_of_a_notebook_is_written_from_it(page: Path) -> None:
    cells = setup_cells(read(ROOT / page))
    assert [cell.source for cell in cells] == [setup_source(address())], "run: make tidy"
    assert cells[0].metadata["tags"] == ["skip-execution", "nbval-skip", "remove-cell"]


def test_it_stands_nowhere_else() -> None:
    """Another file that has it would keep it in a fork."""
    known = {SOURCE, *REPEATED, *(page.as_posix() for page in notebooks())}
    sought = address().removeprefix("https://").encode()
    others = [path for path in kept(".") if path.as_posix() not in known and sought in (ROOT / path).read_bytes()]
    assert others == []


@pytest.mark.parametrize("page", notebooks(), ids=str)
def test_the_buttons_of_a_page_open_the_notebook_there(site: Path, page: Path) -> None:
    owner_and_name = "/".join(address().split("/")[-2:])
    links = {str(link["href"]) for link in parse(site / page.with_suffix(".html")).find_all("a", href=True)}
    assert f"{COLAB}{owner_and_name}/blob/main/{page.as_posix()}" in links
    assert address() in links


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tools, what the address stands in, and a book of two notebooks."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (SOURCE, *REPEATED, *FEW):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    first, second = (page.removesuffix(".ipynb") for page in FEW)
    (tmp_path / "_toc.yml").write_text(f"root: {first}\nchapters:\n  - file: {second}\n", encoding="utf-8")
    return tmp_path


def _tidy(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tools.book", "tidy"], cwd=folder, capture_output=True, text=True)


def test_a_fork_changes_one_line(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.suffix in (".cff", ".ipynb", ".md", ".yml")}
    source = copy / SOURCE
    source.write_text(source.read_text(encoding="utf-8").replace(address(), FORK), encoding="utf-8")
    done = _tidy(copy)
    assert done.returncode == 0, done.stderr
    old, new = address().encode(), FORK.encode()
    for path in map(Path, (*REPEATED, *FEW)):
        content = (copy / path).read_bytes()
        assert new in content and old not in content
    # Nothing else has changed; of a notebook, the id of the cell follows its text.
    for path, content in before.items():
        if path.suffix != ".ipynb":
            assert path.read_bytes() == content.replace(old, new)
    for name in FEW:
        theirs, ours = read(copy / name).cells, read(ROOT / name).cells
        different = [cell.source for cell, own in zip(theirs, ours, strict=True) if cell != own]
        assert different == [setup_source(FORK)]
    assert _tidy(copy).stdout == ""


@pytest.mark.parametrize("wrong", ["http://github.com/a/b", "https://github.com/a", "https://github.com/a/b.git", ""])
def test_what_is_no_address_is_refused(copy: Path, wrong: str) -> None:
    source = copy / SOURCE
    source.write_text(source.read_text(encoding="utf-8").replace(address(), wrong), encoding="utf-8")
    done = _tidy(copy)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"error: pyproject.toml: project.urls.Repository is {wrong!r}; expected one like" in done.stderr


def test_a_file_without_its_place_is_named(copy: Path) -> None:
    (copy / "CITATION.cff").write_text("cff-version: 1.2.0\n", encoding="utf-8")
    with pytest.raises(BookError, match=r"CITATION\.cff: expected the address of the repository in it"):
        write_repeated(copy)
