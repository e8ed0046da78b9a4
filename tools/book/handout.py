"""The book without the solutions of its exercises, for a course."""

from __future__ import annotations

import ast
import os
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.book.layout import BUILD, ROOT, BookError, notebooks, short_name
from tools.book.notebooks import code_cells, read
from tools.book.offline import zipped

FOLDER = BUILD / "handout"
ARCHIVE = "notebooks.zip"
START, END = re.compile(r"`{3,}\{solution-start\}"), re.compile(r"(`{3,})\{solution-end\}")
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)  # commands of IPython, which are no Python


def without_solutions(notebook: NotebookNode, name: str) -> NotebookNode:
    """The notebook without what stands between the start and the end of a solution, in whatever cells that is.

    Raises BookError where a solution has no end or an end no start, and where a cell that stays needs a name that only
    a solution defines.
    """
    result, kept, inside = notebook.copy(), [], False
    for source in notebook.cells:
        cell = NotebookNode(source)
        if cell.cell_type == "markdown":
            cell["source"], inside = _cut(cell.source, inside, name)
            if cell.source.strip():
                kept.append(cell)
        elif not inside:
            kept.append(cell)
    if inside:
        raise BookError(f"{name}: the last solution has no {{solution-end}}")
    result["cells"] = kept
    lost = lost_names(notebook, result)
    if lost:
        raise BookError(f"{name}: cells outside of solutions need {', '.join(lost)}, which only a solution defines")
    return result


def _cut(text: str, inside: bool, name: str) -> tuple[str, bool]:
    """The lines outside of solutions, and whether a solution is open at the end of the text."""
    kept, closing = [], ""
    for line in text.split("\n"):
        end = END.match(line)
        if closing:  # the fence of solution-end is open
            closing = "" if line.strip() == closing else closing
        elif end:
            if not inside:
                raise BookError(f"{name}: a {{solution-end}} without a {{solution-start}}")
            inside, closing = False, end.group(1)
        elif START.match(line):
            if inside:
                raise BookError(f"{name}: a {{solution-start}} inside of a solution")
            inside = True
        elif not inside:
            kept.append(line)
    return "\n".join(kept).strip("\n"), inside


def lost_names(whole: NotebookNode, stripped: NotebookNode) -> list[str]:
    """Names that cells of `stripped` read, and that only cells missing there define."""
    staying = [cell.source for cell in code_cells(stripped)]
    missing = [cell.source for cell in code_cells(whole)]
    for source in staying:
        missing.remove(source)
    bound = {name for source in staying for name in _names(source, stored=True)}
    gone = {name for source in missing for name in _names(source, stored=True)} - bound
    return sorted(gone & {name for source in staying for name in _names(source, stored=False)})


def _names(source: str, stored: bool) -> set[str]:
    """Names that a cell defines, or those that it reads."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MAGIC.sub(r"\1pass", source))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) is stored:
            found.add(node.id)
        elif stored and isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif stored and isinstance(node, ast.arg):
            found.add(node.arg)
        elif stored and isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return found


def stripped(page: Path, source: NotebookNode) -> NotebookNode:
    """What the site of the handout shows of a notebook page."""
    return without_solutions(source, short_name(page))


def pack(target: Path) -> Path:
    """Write all notebooks without solutions into one zip file; nothing half-written is left."""
    contents = (
        (page.relative_to("book").as_posix(), nbformat.writes(stripped(page, read(ROOT / page))).encode())
        for page in notebooks()
    )
    return zipped(contents, target)


def place(site: Path, folder: Path = FOLDER) -> None:
    """Copy the rendered pages to the handout, in place of older ones."""
    fresh = folder / ".site.part"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(site, fresh)
    shutil.rmtree(folder / "site", ignore_errors=True)
    os.replace(fresh, folder / "site")
