"""The notebooks obey the rules, and the rules catch what they are for."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.book.layout import BOOK, ROOT, notebooks
from tools.book.notebooks import canonical, read
from tools.book.rules import LARGEST, file_problems, problems, shows_something

PAGES = notebooks()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_notebook_obeys_the_rules(page: Path) -> None:
    assert file_problems(ROOT / page) == []


def test_every_notebook_in_book_is_a_page() -> None:
    found = {path.relative_to(ROOT) for path in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    assert found == set(PAGES)


def code(source: str, *tags: str, outputs: tuple[NotebookNode, ...] = (), **metadata: object) -> NotebookNode:
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=1 if outputs else None)
    cell.metadata.update({"tags": list(tags)} if tags else {}, **metadata)
    return cell


def text(value: str) -> NotebookNode:
    return nbformat.v4.new_output("stream", name="stdout", text=value)


def picture(**data: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data={"image/png": "AAAA", "text/plain": "<Figure>", **data})


def notebook(*cells: NotebookNode) -> NotebookNode:
    """A notebook that obeys every rule, with `cells` at its end."""
    setup = code("%pip install facelab", "skip-execution", "nbval-skip")
    parameters = code('profile = "cpu"\nseed = 0\ndevice = "auto"', "parameters")
    first = code("print(1)", outputs=(text("1\n"),))
    built = nbformat.v4.new_notebook(cells=[setup, parameters, first, *cells])
    return canonical(built)


def test_a_good_notebook_has_no_problems() -> None:
    described = {"image": {"alt": "A curve that falls as the training goes on"}}
    assert problems(notebook(code("plt.show()", outputs=(picture(),), mystnb=described))) == []


BAD = {
    "no output": (code("print(2)"), "has no output"),
    "never ran": (
        nbformat.v4.new_code_cell("print(2)", outputs=[nbformat.v4.new_output("stream", name="stdout", text="2\n")]),
        "has outputs, but no execution count",
    ),
    "no value": (code("x = 1\nx"), "has no output"),
    "error": (
        code("1/0", outputs=(nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[]),)),
        "error output E",
    ),
    "path in source": (code('open("/home/me/x.png")'), "absolute path /home/me"),
    "path in output": (code("print(p)", outputs=(text("/tmp/abc/x\n"),)), "absolute path /tmp/abc"),
    "no Python": (code("x = ("), "not Python"),
    "tag": (code("x = 1", "remove_cell"), "unknown tag 'remove_cell'"),
    "injected": (code("seed = 1", "injected-parameters"), "unknown tag 'injected-parameters'"),
    "second parameters": (code("a = 1", "parameters"), "exactly one cell tagged 'parameters', found 2"),
    "picture": (code("plt.show()", outputs=(picture(),)), "picture without alternative text"),
    "short text": (
        code("plt.show()", outputs=(picture(),), mystnb={"image": {"alt": "curve"}}),
        "picture without alternative text",
    ),
    "widget": (
        code("w", outputs=(picture(**{"application/vnd.jupyter.widget-view+json": "{}"}),)),
        "dead in the page",
    ),
}


@pytest.mark.parametrize(("cell", "message"), BAD.values(), ids=BAD)
def test_a_bad_cell_is_found(cell: NotebookNode, message: str) -> None:
    assert any(message in problem for problem in problems(notebook(cell)))


def test_stripped_outputs_are_found() -> None:
    stripped = notebook(code("x = 1"))
    for cell in stripped.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    assert any("no cell has an output" in problem for problem in problems(stripped))


@pytest.mark.parametrize("source", ['profile = "cpu"\nseed = 2 * 3', 'profile = "cpu"\nprint(profile)', "profile = ("])
def test_parameters_must_be_literals(source: str) -> None:
    changed = notebook()
    changed.cells[1].source = source
    assert any("'name = literal' only" in problem for problem in problems(changed))


def test_missing_parameter_other_profile_and_missing_setup_are_found() -> None:
    changed = notebook()
    changed.cells[1].source = 'profile = "quick"\nseed = 0'
    del changed.cells[0]
    found = " | ".join(problems(changed))
    assert "no parameter 'device'" in found
    assert "profile is 'quick'" in found
    assert "no set-up cell" in found


def test_equal_and_random_ids_are_found() -> None:
    changed = notebook()
    changed.cells[2]["id"] = changed.cells[1]["id"]
    found = problems(changed)
    assert "two cells have the same id" in found
    assert "not in canonical form; run 'make tidy'" in found


def test_a_large_file_is_found(tmp_path: Path) -> None:
    large = notebook(code("print(2)", outputs=(text("x" * LARGEST),)))
    nbformat.write(large, tmp_path / "large.ipynb")
    assert "more than 3 MB" in file_problems(tmp_path / "large.ipynb")[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", False),
        ("x = 1", False),
        ("x.append(1)", False),
        ("x;", False),
        ("%matplotlib inline\nx = 1", False),
        ("x", True),
        ("print(x)\ny = 2", True),
        ("plt.show()", True),
        ("viz.InteractiveFigure(a, b)", True),
    ],
)
def test_cells_that_show_something(source: str, expected: bool) -> None:
    assert shows_something(source) is expected


def test_reading_what_is_no_notebook_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("{")
    with pytest.raises(Exception, match=r"x\.ipynb: not a readable notebook"):
        read(tmp_path / "x.ipynb")
