"""The index from papers to code to tests, made from the docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tools.book.layout import BOOK, ROOT

PAGE = BOOK / "appendix" / "sources.md"
PACKAGE = ROOT / "src" / "lib" / "facelab"
_HEAD = """# From equation to code to test

What of the code stands in a paper, and where: every public function or class whose docstring names a source. Behind
the name is the file it lives in, then what it is taken from and what of it is ours, then the tests that name it. The
page is made from the docstrings by `python -m tools.book sources`.
"""
_Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Entry:
    """A function, method or class, its file, its source, and the tests that name it."""

    name: str
    path: Path
    source: str
    tests: tuple[Path, ...]


def entries() -> list[Entry]:
    """All of the package, by file and by their order there."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for name, definition in _public(ast.parse(path.read_text(encoding="utf-8"))):
            source = source_of(ast.get_docstring(definition) or "")
            if source:
                found.append(Entry(name, path.relative_to(PACKAGE), source, tests_of(name)))
    return found


def page() -> str:
    """The page, as it should lie in ``PAGE``."""
    rooms: dict[str, list[str]] = {}
    for entry in entries():
        tests = ", ".join(f"`{path.as_posix()}`" for path in entry.tests)
        line = f"`{entry.name}` (`{entry.path.as_posix()}`)\n: {entry.source}\n\n  Tests: {tests}.\n"
        rooms.setdefault(entry.path.parts[0].removesuffix(".py"), []).append(line)
    parts = [f"## {room}\n\n" + "\n".join(lines) for room, lines in rooms.items()]
    return "\n".join([_HEAD, *parts])


def source_of(docstring: str) -> str:
    """The paragraph after ``Source:``, on one line and in Markdown; empty if there is none."""
    lines = docstring.splitlines()
    for number, line in enumerate(lines):
        if not line.strip().startswith("Source:"):
            continue
        indent = len(line) - len(line.lstrip())
        rest = list(_same_paragraph(lines[number + 1 :], indent))
        text = " ".join([line.strip().removeprefix("Source:").strip(), *rest])
        text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
        return text.replace("``", "`")
    return ""


def _same_paragraph(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        headed = re.match(r"\s*[A-Z]\w*:($|\s)", line) and len(line) - len(line.lstrip()) <= indent
        if not line.strip() or headed:
            return
        yield line.strip()


def _public(tree: ast.Module) -> Iterator[tuple[str, _Definition]]:
    for node in tree.body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def tests_of(name: str) -> tuple[Path, ...]:
    """Test files in which the name, or the last part of it, stands as a word."""
    word = name.rpartition(".")[2]
    return tuple(path for path, words in _words().items() if word in words)


@lru_cache(maxsize=1)
def _words() -> dict[Path, frozenset[str]]:
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return {path.relative_to(ROOT): frozenset(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in paths}
