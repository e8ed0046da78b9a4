"""Notebooks without solutions: nothing of a solution is left, and all else is whole."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.book import handout, runner
from tools.book.handout import lost_names, pack, without_solutions
from tools.book.layout import ROOT, BookError, notebooks, short_name
from tools.book.notebooks import canonical, code_cells, read, write

PAGES = notebooks()
SHORT = Path("book/papers/fan/ls3d-w.ipynb")
SOLUTION = re.compile(r"`{3,}\{solution-start\}.*?\{solution-end\}", re.DOTALL)


def page(*cells: str) -> NotebookNode:
    """Cells as text; code begins with `>`."""
    new = nbformat.v4
    made = [new.new_code_cell(c[1:]) if c.startswith(">") else new.new_markdown_cell(c) for c in cells]
    return new.new_notebook(cells=made)


def texts(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def test_a_solution_may_begin_and_end_within_a_cell() -> None:
    whole = page(
        "Before.\n\n```{solution-start} one\n:class: dropdown\n```\n\nSecret.",
        ">answer = 42",
        "More secret.\n\n```{solution-end}\n```\n\n```{exercise}\nNext.\n```\n",
        ">stub = None",
        "````{solution-start} two\n````\nSecret, too.\n````{solution-end}\n````",
        "After.",
    )
    kept = texts(without_solutions(whole, "page"))
    assert kept == ["Before.", "```{exercise}\nNext.\n```", "stub = None", "After."]
    assert len(whole.cells) == 6


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["```{solution-start} a\n```"], "has no {solution-end}"),
        (["```{solution-end}\n```"], "without a {solution-start}"),
        (["```{solution-start} a\n```\n```{solution-start} b\n```"], "inside of a solution"),
    ],
)
def test_fences_that_do_not_match_are_refused(cells: list[str], message: str) -> None:
    with pytest.raises(BookError, match=message):
        without_solutions(page(*cells), "page")


@pytest.mark.parametrize(
    ("solution", "after", "lost"),
    [
        (">x = 1", ">print(x)", ["x"]),
        (">def f(a):\n    return a", ">f(2)", ["f"]),
        (">import math as m", ">m.pi", ["m"]),
        (">x = 1", ">x = 2\nprint(x)", []),
        (">x = 1", ">%pip install x\ny = 3", []),
        (">x = 1", ">print('x')", []),
    ],
)
def test_names_that_only_a_solution_defines_are_found(solution: str, after: str, lost: list[str]) -> None:
    whole = page("```{solution-start} a\n```", solution, "```{solution-end}\n```", after)
    assert lost_names(whole, page(after)) == lost
    if lost:
        with pytest.raises(BookError, match=f"need {lost[0]}, which only a solution defines"):
            without_solutions(whole, "page")


@pytest.mark.parametrize("name", PAGES, ids=str)
def test_no_solution_is_left_and_every_exercise_is(name: Path) -> None:
    whole = read(ROOT / name)
    kept = without_solutions(whole, short_name(name))
    before, after = ("\n".join(c.source for c in n.cells if c.cell_type == "markdown") for n in (whole, kept))
    assert before.count("{solution-start}") == len(SOLUTION.findall(before))
    assert "{solution" not in after
    assert after.count("```{exercise}") == before.count("```{exercise}")
    for solution in SOLUTION.findall(before):
        for line in solution.splitlines()[1:]:
            assert len(line) < 40 or line not in after
    fences = [number for number, cell in enumerate(whole.cells) if "{solution-start}" in cell.source]
    answers = [whole.cells[number + 1] for number in fences if whole.cells[number + 1].cell_type == "code"]
    assert not {cell.source for cell in answers} & {cell.source for cell in code_cells(kept)}


def test_there_are_solutions_to_leave_out() -> None:
    assert sum("{solution-start}" in cell.source for page in PAGES for cell in read(ROOT / page).cells) > 30


def test_the_archive_holds_every_notebook_and_repeats_to_the_byte(tmp_path: Path) -> None:
    first = pack(tmp_path / "one.zip")
    with zipfile.ZipFile(first) as archive:
        assert set(archive.namelist()) == {page.relative_to("book").as_posix() for page in PAGES}
        for name in archive.namelist():
            assert "solution-start" not in archive.read(name).decode()
    assert pack(tmp_path / "two.zip").read_bytes() == first.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_a_handout_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "RUNS", tmp_path / "runs")
    write(canonical(without_solutions(read(ROOT / SHORT), short_name(SHORT))), tmp_path / SHORT)
    run = runner.run_one(SHORT, "smoke", {"profile": "smoke"}, "key", "[1/1] handout")
    assert run.problem == ""


def test_the_pages_are_placed_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / "index.html").write_text(text)
        handout.place(tmp_path / "site", tmp_path / "handout")
    assert (tmp_path / "handout/site/index.html").read_text() == "new"
    assert [path.name for path in (tmp_path / "handout").iterdir()] == ["site"]
