"""Rules for the notebooks in book/, each broken rule as one sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.book.layout import TIME_LIMITS, BookError
from tools.book.notebooks import canonical, code_cells, parameters, read, tagged, tags

LARGEST = 3 * 2**20
SHORTEST_ALT = 20
EXPECTED_PARAMETERS = ("profile", "seed", "device")
REFERENCE_PROFILE = "cpu"
ALLOWED_TAGS = {
    "parameters",
    "skip-execution", "nbval-skip", "nbval-ignore-output", "nbval-check-output", "measures-time",
    "hide-input", "hide-output", "hide-cell", "remove-input", "remove-output", "remove-cell",
    "full-width", "margin", "scroll-output",
}  # fmt: skip
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/~])/(?:home|root|Users|tmp|work|mnt|opt|usr|var)/\S*|\b[A-Z]:\\\\?Users\S*")
ENCODED = re.compile(r'data:[\w/+-]+;base64,[A-Za-z0-9+/=]+|"bdata":"[^"]*"')
WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = 'class="facelab-figure"'
SPEAKING = (
    FIGURE,
    'class="facelab-laboratory"',
    'class="facelab-ellipses"',
    'class="facelab-face-controls"',
    'class="facelab-clip"',
    'class="facelab-tiles"',
)
"""Outputs that carry a text of their own."""


def file_problems(path: Path) -> list[str]:
    """What is wrong with the notebook at `path`; an empty list if nothing is."""
    size = path.stat().st_size
    found = [f"{size / 2**20:.1f} MB, more than {LARGEST / 2**20:.0f} MB"] if size > LARGEST else []
    return found + problems(read(path))


def problems(notebook: NotebookNode) -> list[str]:
    """What is wrong with a notebook, apart from its size on disk."""
    found = [*_parameter_problems(notebook), *_whole_problems(notebook)]
    for number, cell in enumerate(notebook.cells):
        found += [f"cell {number}: {problem}" for problem in _cell_problems(cell)]
    return found


def _parameter_problems(notebook: NotebookNode) -> Iterator[str]:
    try:
        values = parameters(notebook, "parameters")
    except BookError as error:
        yield str(error)
        return
    for name in EXPECTED_PARAMETERS:
        if name not in values:
            yield f"no parameter '{name}'"
    profile = values.get("profile", REFERENCE_PROFILE)
    if profile not in TIME_LIMITS or profile != REFERENCE_PROFILE:
        yield f"profile is '{profile}', but the committed outputs are those of '{REFERENCE_PROFILE}'"


def _whole_problems(notebook: NotebookNode) -> Iterator[str]:
    if not any({"skip-execution", "nbval-skip"} <= set(tags(cell)) for cell in tagged(notebook, "skip-execution")):
        yield "no set-up cell for Colab, tagged 'skip-execution' and 'nbval-skip'"
    if not any(cell.outputs for cell in code_cells(notebook)):
        yield "no cell has an output; run 'make reference'"
    ids = [cell.get("id") for cell in notebook.cells]
    if len(set(ids)) != len(ids):
        yield "two cells have the same id"
    if notebook != canonical(notebook):
        yield "not in canonical form; run 'make tidy'"


def _cell_problems(cell: NotebookNode) -> Iterator[str]:
    for tag in sorted(set(tags(cell)) - ALLOWED_TAGS):
        yield f"unknown tag '{tag}'"
    yield from _path_problems(cell.source)
    if cell.cell_type != "code":
        return
    if cell.outputs and cell.execution_count is None:
        yield "has outputs, but no execution count; run 'make reference'"
    if not cell.outputs and "skip-execution" not in tags(cell):
        yield from _missing_output(cell.source)
    for output in cell.outputs:
        yield from _output_problems(cell, output)


def _missing_output(source: str) -> Iterator[str]:
    try:
        if shows_something(source):
            yield "shows something, but has no output; run 'make reference'"
    except SyntaxError as error:
        yield f"not Python: {error}"


def _output_problems(cell: NotebookNode, output: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        yield f"error output {output.ename}: {output.evalue}"
        return
    data = output.get("data", {})
    yield from _path_problems(output.get("text", ""))
    for kind in ("text/plain", "text/html"):
        yield from _path_problems(data.get(kind, ""))
    if WIDGET in data:
        yield "widget output, which is dead in the page; turn widgets and tqdm.notebook off"
    if any(kind.startswith("image/") for kind in data) and not has_text(output) and len(alt(cell)) < SHORTEST_ALT:
        yield (
            "picture without alternative text; use InteractiveFigure, or set mystnb.image.alt in the cell's metadata "
            f"({SHORTEST_ALT} characters at least)"
        )


def _path_problems(text: str) -> Iterator[str]:
    match = ABSOLUTE_PATH.search(ENCODED.sub("", text))
    if match:
        yield f"absolute path {match.group(0)[:60]}"


def has_text(output: NotebookNode) -> bool:
    """Whether an output says itself what its picture shows."""
    return any(name in output.get("data", {}).get("text/html", "") for name in SPEAKING)


def is_figure(output: NotebookNode) -> bool:
    """Whether an output is an interactive figure, which carries its own text."""
    return FIGURE in output.get("data", {}).get("text/html", "")


def alt(cell: NotebookNode) -> str:
    """The alternative text that a cell's metadata gives to its pictures."""
    return str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")).strip()


def shows_something(source: str) -> bool:
    """Whether a cell surely has an output: it prints, displays, or ends with a value.

    A last line that calls a function may return None, so it does not count; one that makes an object does.
    """
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    statements = ast.parse("\n".join(lines)).body
    if not statements:
        return False
    if any(_prints(statement) for statement in statements):
        return True
    last = statements[-1]
    if not isinstance(last, ast.Expr) or source.rstrip().endswith(";") or isinstance(last.value, ast.Constant):
        return False
    if isinstance(last.value, ast.Call):
        return _called(last.value).split(".")[-1][:1].isupper()
    return True


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _prints(statement: ast.stmt) -> bool:
    calls = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    return calls and _called(statement.value) in ("print", "display", "plt.show")  # type: ignore[attr-defined]
