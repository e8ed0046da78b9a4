"""The address of the repository: it is set in ``pyproject.toml``, and whatever repeats it is written from there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from nbformat import NotebookNode

from tools.book.layout import ROOT, BookError, replace_text
from tools.book.notebooks import tagged

SOURCE = "pyproject.toml"
FIELD = "project.urls.Repository"
# Around the address, in the files that repeat it. Notebooks do so in their set-up cell.
REPEATED = {
    "_config.yml": r"(?m)^(repository:\n  url: )(\S+)$",
    "CITATION.cff": r'(?m)^(repository-code: ")([^"]+)(?=")',
    "book/how-to-use.md": r'(pip install "git\+)([^"]+)(?=")',
}
_FORM = re.compile(r"https://[\w.-]+(?:/[\w.-]+){2}(?<!\.git)")
_SETUP = """\
# On Colab this installs the package; it replaces nothing that Colab ships. Elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("facelab") is None:
    %pip install --quiet "facelab @ git+{address}"
"""


def address(root: Path = ROOT) -> str:
    """What ``pyproject.toml`` says, as ``https://github.com/owner/name``.

    Raises BookError where it says something else.
    """
    with (root / SOURCE).open("rb") as file:
        found = tomllib.load(file).get("project", {}).get("urls", {}).get("Repository")
    if not isinstance(found, str) or not _FORM.fullmatch(found):
        raise BookError(f"{SOURCE}: {FIELD} is {found!r}; expected one like https://github.com/owner/name")
    return found


def setup_source(where: str) -> str:
    """The set-up cell of a notebook, for the repository at this address."""
    return _SETUP.format(address=where).rstrip("\n")


def setup_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that install the package."""
    return tagged(notebook, "skip-execution")


def with_setup(notebook: NotebookNode, where: str) -> NotebookNode:
    """The notebook, its set-up cell written for this address."""
    for cell in setup_cells(notebook):
        cell["source"] = setup_source(where)
    return notebook


def repeated(name: str, text: str) -> list[str]:
    """The addresses that the text of one of the files in ``REPEATED`` has."""
    return [match.group(2) for match in re.finditer(REPEATED[name], text)]


def write_repeated(root: Path = ROOT) -> list[Path]:
    """Write the address into the files of ``REPEATED``; those that changed are returned.

    Raises BookError for a file that has no place for it.
    """
    where = address(root)
    changed = []
    for name, pattern in REPEATED.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        if not repeated(name, text):
            raise BookError(f"{path}: expected the address of the repository in it")
        new = re.sub(pattern, lambda match: match.group(1) + where, text)
        if new != text:
            replace_text(path, new)
            changed.append(path)
    return changed
