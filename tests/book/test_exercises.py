"""Every exercise of the book has a stub that knows nothing yet, and a folded solution that is right."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from facelab.exercises import EXERCISES
from facelab.exercises.judging import NOTHING, RIGHT
from tools.book.layout import ROOT, notebooks, pages
from tools.book.notebooks import read

PAGES = notebooks()
EXERCISE = re.compile(r"^`{3,}\{exercise\}[^\n]*\n:label: (\S+)", re.MULTILINE)
START = re.compile(r"^`{3,}\{solution-start\} (\S+)", re.MULTILINE)
END = re.compile(r"^`{3,}\{solution-end\}", re.MULTILINE)
MAGIC = re.compile(r"^(\s*)[%!].*", re.MULTILINE)
DIRECTIVE = re.compile(r"^[`:]{3,}\{(?:exercise|solution)", re.MULTILINE)


def labels(notebook: NotebookNode) -> list[str]:
    """Of the exercises, in their order."""
    return [label for cell in notebook.cells if cell.cell_type == "markdown" for label in EXERCISE.findall(cell.source)]


def problems(notebook: NotebookNode) -> list[str]:
    """What is wrong with the exercises of a notebook; an empty list if nothing is."""
    places = [
        (number, label)
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown"
        for label in EXERCISE.findall(cell.source)
    ]
    ends = [number for number, _ in places[1:]] + [len(notebook.cells)]
    found = []
    for (number, label), end in zip(places, ends, strict=True):
        # The next exercise may stand in the cell that ends this one's solution.
        found += [f"{label}: {problem}" for problem in _problems(notebook.cells[number : end + 1], label)]
    known = {label for _, label in places}
    for cell in notebook.cells:
        strangers = {_label(call) for call in _checks(cell)} - known
        found += [f"check of '{stranger}', which is no exercise of this page" for stranger in sorted(strangers)]
    return found + [f"'{name}' is used outside of solutions, and set in one only" for name in _needed(notebook)]


def _needed(notebook: NotebookNode) -> list[str]:
    """Names that code outside of solutions uses, and that solutions alone set: a book without solutions lacks them."""
    used: set[str] = set()
    kept: set[str] = set()
    folded: set[str] = set()
    inside = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            # A cell may end one solution; none ends one and starts another.
            inside = bool(START.search(cell.source)) or (inside and not END.search(cell.source))
        elif cell.cell_type == "code":
            tree = ast.parse(MAGIC.sub(r"\1pass", cell.source))
            (folded if inside else kept).update(_set_in(tree))
            if not inside:
                used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(used & folded - kept)


def _set_in(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def _problems(cells: list[NotebookNode], label: str) -> Iterator[str]:
    start = next((i for i, cell in enumerate(cells) if _is(cell, START) and label in START.findall(cell.source)), None)
    if start is None:
        yield "no solution"
        return
    end = next((i for i, cell in enumerate(cells) if i > start and _is(cell, END)), None)
    if end is None:
        yield "the solution does not end before the next exercise"
        return
    stubs = [cell for cell in cells[:start] if _checks(cell)]
    if len(stubs) != 1:
        yield f"expected one stub before the solution, found {len(stubs)}"
    for stub in stubs:
        yield from _stub_problems(stub, label)
    solutions = [cell for cell in cells[start:end] if label in map(_label, _checks(cell))]
    if not solutions:
        yield "no cell of the solution checks it"
    elif not any(RIGHT in _text(cell).splitlines() for cell in solutions):
        yield f"no output of the solution says '{RIGHT}'"


def _stub_problems(stub: NotebookNode, label: str) -> Iterator[str]:
    calls = _checks(stub)
    if [_label(call) for call in calls] != [label]:
        yield "the stub checks something else, or more than once"
    if _text(stub).splitlines()[-1:] != [NOTHING]:
        yield f"the stub ends with '{_text(stub).strip()}', not with '{NOTHING}'"
    tree = ast.parse(stub.source)
    for call in calls:
        if len(call.args) < 2 or not _is_open(tree, call.args[1]):
            yield "the answer of the stub is neither None nor what a function without a body returns"


def _is(cell: NotebookNode, directive: re.Pattern[str]) -> bool:
    return cell.cell_type == "markdown" and directive.search(cell.source) is not None


def _checks(cell: NotebookNode) -> list[ast.Call]:
    """The calls of ``check`` in a cell."""
    if cell.cell_type != "code" or "check(" not in cell.source:
        return []
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "check" and call.args]


def _label(call: ast.Call) -> str:
    return str(ast.literal_eval(call.args[0]))


def _text(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def _is_open(tree: ast.Module, answer: ast.expr) -> bool:
    """Whether an answer is a name that is bound to None only, or a call of a function whose body is ``...``."""
    if isinstance(answer, ast.Name):
        bound = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and _binds(node, answer.id)]
        return bool(bound) and all(isinstance(value, ast.Constant) and value.value is None for value in bound)
    if not (isinstance(answer, ast.Call) and isinstance(answer.func, ast.Name)):
        return False
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == answer.func.id]
    return len(functions) == 1 and _has_no_body(functions[0])


def _binds(node: ast.Assign, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for target in node.targets for part in ast.walk(target))


def _has_no_body(function: ast.FunctionDef) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    values = [statement.value for statement in body if isinstance(statement, ast.Expr)]
    return len(body) == len(values) == 1 and isinstance(values[0], ast.Constant) and values[0].value is ...


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_exercises_of_a_page(page: Path) -> None:
    assert problems(read(ROOT / page)) == []


def test_every_exercise_that_is_known_stands_in_one_page() -> None:
    standing = Counter(label for page in PAGES for label in labels(read(ROOT / page)))
    assert {label for label, times in standing.items() if times > 1} == set()
    assert set(standing) == set(EXERCISES)


def test_pages_without_code_have_no_exercises() -> None:
    texts = [page for page in pages() if page.suffix == ".md"]
    assert texts
    assert [page for page in texts if DIRECTIVE.search((ROOT / page).read_text(encoding="utf-8"))] == []


STUB = 'answer = None\ncheck("a", answer, 3)'
SOLUTION = 'check("a", 4, 3)\ncheck("a", 5, 3)'
FUNCTION = 'def f(x):\n    """Something."""\n    ...\n\n\ncheck("a", f(3), 3)'


def code(source: str, text: str) -> NotebookNode:
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=text + "\n")]
    return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1)


def exercise(
    stub: str = STUB, before: str = NOTHING, solution: str = SOLUTION, after: str = f"{RIGHT}\nNot right: so."
) -> list[NotebookNode]:
    """The cells of an exercise with the label ``a``."""
    return [
        nbformat.v4.new_markdown_cell("## Exercises\n\n```{exercise}\n:label: a\n\nWhat is it?\n```"),
        code(stub, before),
        nbformat.v4.new_markdown_cell("```{solution-start} a\n:class: dropdown\n```"),
        code(solution, after),
        nbformat.v4.new_markdown_cell("So it is.\n\n```{solution-end}\n```"),
    ]


def notebook(*cells: NotebookNode) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


@pytest.mark.parametrize(
    ("stub", "before"), [(STUB, NOTHING), (FUNCTION, NOTHING), ("print(3)\n" + STUB, f"3\n{NOTHING}")]
)
def test_a_good_exercise_has_no_problems(stub: str, before: str) -> None:
    good = notebook(*exercise(stub, before), code("check_all(3)", "3"))
    assert labels(good) == ["a"]
    assert problems(good) == []


def test_an_exercise_may_stand_where_another_ends() -> None:
    first, second = exercise(), exercise()
    for cell in second:
        cell.source = (
            cell.source.replace('"a"', '"b"').replace("label: a", "label: b").replace("-start} a", "-start} b")
        )
    first[-1].source += "\n\n" + second[0].source
    both = notebook(*first, *second[1:])
    assert labels(both) == ["a", "b"]
    assert problems(both) == []
    del both.cells[-2]
    assert problems(both) == ["b: no cell of the solution checks it"]


BAD = {
    "answer given": (exercise(stub='answer = 4\ncheck("a", answer, 3)'), "neither None nor"),
    "answer bound twice": (exercise(stub='answer = None\nanswer = 4\ncheck("a", answer, 3)'), "neither None nor"),
    "answer from elsewhere": (exercise(stub='check("a", answer, 3)'), "neither None nor"),
    "answer computed": (exercise(stub='check("a", 3 + 1, 3)'), "neither None nor"),
    "function with a body": (exercise(stub=FUNCTION.replace("...", "return 4")), "neither None nor"),
    "stub without an answer": (exercise(stub='check("a")'), "neither None nor"),
    "stub already right": (exercise(before=RIGHT), f"the stub ends with '{RIGHT}'"),
    "stub of another": (exercise(stub=STUB.replace('"a"', '"b"')), "the stub checks something else"),
    "stub without a check": (exercise(stub="answer = None"), "expected one stub before the solution, found 0"),
    "label of no exercise": (exercise(stub=STUB.replace('"a"', '"b"')), "check of 'b', which is no exercise"),
    "solution not right": (exercise(after="Not right: so."), f"no output of the solution says '{RIGHT}'"),
    "solution without a check": (exercise(solution="print(4)"), "no cell of the solution checks it"),
    "no solution": (exercise()[:2], "no solution"),
    "name of a solution": (
        [*exercise(solution="found = 4\n" + SOLUTION), code("print(found)", "4")],
        "'found' is used",
    ),
    "open solution": (exercise()[:-1], "the solution does not end"),
}


@pytest.mark.parametrize(("cells", "message"), BAD.values(), ids=BAD)
def test_a_bad_exercise_is_found(cells: list[NotebookNode], message: str) -> None:
    assert any(message in problem for problem in problems(notebook(*cells)))
