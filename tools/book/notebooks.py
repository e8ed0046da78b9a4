"""Notebooks as data: parameters, a canonical form, outputs moved from a run to its source."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from papermill.parameterize import parameterize_notebook

from tools.book.layout import ROOT, BookError, replace_text

KEPT_CELL_METADATA = ("tags", "mystnb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path: Path) -> NotebookNode:
    """Read a notebook, or raise BookError naming the file."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise BookError(f"{path}: not a readable notebook ({error})") from None


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook in one step: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, nbformat.writes(notebook) + "\n")


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """The cells that carry `tag`."""
    return [cell for cell in notebook.cells if tag in tags(cell)]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells, without the one that papermill injects."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if "injected-parameters" not in tags(cell)]


def parameters(notebook: NotebookNode, name: str) -> dict[str, Any]:
    """Names and defaults in the one cell tagged `parameters`.

    Raises BookError unless there is exactly one such cell and it holds assignments of literals only. Anything computed
    there would keep the value of the default when another one is injected below it.
    """
    cells = tagged(notebook, "parameters")
    if len(cells) != 1:
        raise BookError(f"{name}: expected exactly one cell tagged 'parameters', found {len(cells)}")
    found: dict[str, Any] = {}
    try:
        for statement in ast.parse(cells[0].source).body:
            target, value = _assignment(statement)
            found[target] = ast.literal_eval(value)
    except (SyntaxError, ValueError) as error:
        raise BookError(f"{name}: the 'parameters' cell may hold 'name = literal' only ({error})") from None
    return found


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        raise ValueError(f"line {statement.lineno} is no assignment")
    if not isinstance(target, ast.Name):
        raise ValueError(f"line {statement.lineno} assigns to no plain name")
    return target.id, value


def overrides(notebook: NotebookNode, values: dict[str, Any], name: str) -> dict[str, Any]:
    """Those of `values` that differ from the notebook's defaults.

    Raises BookError for a value that the notebook has no parameter for. Papermill would only warn, and the run would
    quietly use the default.
    """
    known = parameters(notebook, name)
    for key in values:
        if key not in known:
            raise BookError(f"{name}: unknown parameter '{key}'; this notebook has {', '.join(known) or 'none'}")
    return {key: value for key, value in values.items() if known[key] != value}


def injected(notebook: NotebookNode, values: dict[str, Any]) -> NotebookNode:
    """The notebook with `values` set in a cell below its parameters, outputs kept."""
    prepared = notebook.copy()
    prepared["metadata"] = nbformat.from_dict({**METADATA, "papermill": {}})
    prepared["cells"] = [NotebookNode(cell) for cell in notebook.cells]
    for cell in prepared.cells:
        cell["metadata"] = NotebookNode({"tags": [], **cell.metadata})  # papermill expects the key
    return canonical(parameterize_notebook(prepared, values, kernel_name="python3"))


def canonical(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with nothing in it that differs from run to run or from machine to machine.

    Cell ids come from the cells' text, execution counts from their order; metadata of the run is dropped, split
    streams are joined, overwritten progress lines removed, and the checkout's own path is cut from texts.
    """
    result = nbformat.v4.upgrade(notebook.copy())
    seen: Counter[str] = Counter()
    cells, count = [], 0
    for source in result.cells:
        cell = NotebookNode(source)
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[digest] += 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell["metadata"] = NotebookNode({k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA and v})
        if "injected-parameters" in tags(cell):
            cell.metadata["tags"] = ["injected-parameters", "remove-cell"]
        if cell.cell_type == "code":
            ran = cell.get("execution_count") is not None
            count += ran
            cell["execution_count"] = count if ran else None
            cell["outputs"] = _canonical_outputs(cell.outputs, cell["execution_count"])
        cells.append(cell)
    result["cells"] = cells
    result["metadata"] = nbformat.from_dict(METADATA)
    result["nbformat_minor"] = max(result.nbformat_minor, 5)
    return result


def _canonical_outputs(outputs: list[NotebookNode], count: int | None) -> list[NotebookNode]:
    result: list[NotebookNode] = []
    for source in outputs:
        output = NotebookNode(source)
        if "execution_count" in output:
            output["execution_count"] = count
        if "metadata" in output:
            output["metadata"] = NotebookNode()
        last = result[-1] if result else None
        if last is not None and output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            result.append(output)
    cleaned = [_clean(output) for output in result]
    # A progress bar that wiped itself off leaves blanks behind, and the page would show an empty box.
    return [output for output in cleaned if output.output_type != "stream" or output.text.strip()]


def _clean(output: NotebookNode) -> NotebookNode:
    if output.output_type == "stream":
        # Of a progress bar that rewrites its line, the last state stays.
        lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in output.text.split("\n")]
        output["text"] = "\n".join(lines).replace(str(ROOT), ".")
    if "text/plain" in output.get("data", {}):
        output.data["text/plain"] = output.data["text/plain"].replace(str(ROOT), ".")
    return output


def with_outputs(source: NotebookNode, executed: NotebookNode, name: str) -> NotebookNode:
    """`source` with the outputs of a run of the same code. Its prose may have changed since; its code may not.

    Raises BookError when the code cells differ.
    """
    result = source.copy()
    result["cells"] = [NotebookNode(cell) for cell in source.cells]
    ours, theirs = code_cells(result), code_cells(executed)
    if [cell.source for cell in ours] != [cell.source for cell in theirs]:
        raise BookError(f"{name}: the run has other code than the notebook; run it again")
    for cell, ran in zip(ours, theirs, strict=True):
        cell["outputs"], cell["execution_count"] = ran.outputs, ran.execution_count
    return result
