"""Pytest plugin: keeps what nbval's run of a notebook showed, as a notebook below the folder `--keep-outputs`.

A second run is compared with it by `python -m tools.book reproduce`.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from nbformat import NotebookNode

from tools.book.notebooks import canonical, read, write


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder to keep them in."""
    parser.addoption("--keep-outputs", type=Path, help="Folder for the notebooks that nbval has run, with outputs.")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write one notebook for each file whose cells have run."""
    folder = session.config.getoption("--keep-outputs")
    if folder is None:
        return
    cells = [item for item in session.items if getattr(item, "test_outputs", None) is not None]
    for path, items in groupby(cells, key=lambda item: item.path):
        outputs = {item.cell_num: item.test_outputs for item in items}  # type: ignore[attr-defined]
        write(canonical(_filled(read(path), outputs)), folder / path.relative_to(_root(session)))


def _root(session: pytest.Session) -> Path:
    """The folder on the command line, or that of the notebook there."""
    named = Path(session.config.invocation_params.dir, session.config.args[0]).resolve()
    return named.parent if named.is_file() else named


def _filled(notebook: NotebookNode, outputs: dict[int, list[NotebookNode]]) -> NotebookNode:
    """The notebook with the outputs of code cell 0, 1, ...; a cell that did not run has none."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code):
        cell["outputs"] = outputs.get(number, [])
        cell["execution_count"] = number + 1 if number in outputs else None
    return notebook
