"""Sphinx extension: the pages of ``appendix/api``, one a room, from the docstrings of the package.

The directive ``room`` lists the public names of a module, but for those that a module above it makes public too.

Docstrings are in Google's style, with habits that napoleon does not know, and that are brought into its form here:
several parameters, or several errors, on one line (``x: one. y: two.``); shapes beside the names; a source whose second
line is indented. References to functions by the module that defines them lead to where the name is public. A reference
to something that does not exist is an error.

Every name links to its lines in the repository, whose address is that of ``_config.yml``.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import isroutine

PACKAGE = "facelab"
SOURCES = "src/lib"
LONGEST_VALUE = 200  # characters of a constant that is shown
SHAPES = "Shapes"  # a section of our own
_SECTION = re.compile(rf"^(Args|Attributes|Raises|Returns|{SHAPES}|Yields):\s*$")
_FIELD = re.compile(r"(?<=[.;:)`]) (?=(?:\*{0,2}[a-z]\w*(?:, \*{0,2}[a-z]\w*)*): )")
_ERROR = re.compile(r"(?<=[.;]) (?=(?:[A-Z]\w*(?:Error|Exception|Interrupt)): )")
_NAMES = re.compile(r"\s*((?:\*{0,2}[a-z]\w*(?:, )?)+): ")
_WITH_SHAPES = re.compile(r"(\s+)((?:\w+ ``[^`]+``(?:, )?)+): ")
_LITERAL = re.compile(r"(``.+?``)")


def tidied(lines: list[str], names: set[str]) -> list[str]:
    """A docstring as napoleon and docutils expect it: see the head of this module.

    Args:
        lines: of the docstring, its indentation taken off. names: of the parameters or attributes.
    """
    flat = _without_hanging_source(lines)
    return [
        _escaped(new) for line, section, indent in _with_sections(flat) for new in _split(line, section, indent, names)
    ]


def _without_hanging_source(lines: list[str]) -> list[str]:
    """Two lines of which the second is indented would be a term and its definition."""
    result, source = [], False
    for line in lines:
        source = line.startswith("Source:") or (source and bool(line.strip()))
        result.append(line.strip() if source else line)
    return result


def _escaped(line: str) -> str:
    """A bar would begin the name of a substitution."""
    return "".join(part if number % 2 else part.replace("|", "\\|") for number, part in enumerate(_LITERAL.split(line)))


def _with_sections(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    """Each line, the section that it stands in, and how far the fields of that section are indented."""
    section, indent = "", 0
    for line in lines:
        if header := _SECTION.match(line):
            section, indent = header.group(1), 0
        elif line.strip() and not line.startswith(" "):
            section = ""
        elif line.strip() and not indent:
            indent = len(line) - len(line.lstrip())
        yield line, "" if _SECTION.match(line) else section, indent


def _split(line: str, section: str, indent: int, names: set[str]) -> list[str]:
    if section in ("Args", "Attributes"):
        parts = [_shapes_behind(part) for part in _of_names(_FIELD.split(line), names)]
    elif section == "Raises":
        parts = _ERROR.split(line)
    else:
        return [line]
    return [parts[0], *(" " * indent + part for part in parts[1:])]


def _of_names(parts: list[str], names: set[str]) -> list[str]:
    """What was split at a word that names no parameter is joined again."""
    joined = parts[:1]
    for part in parts[1:]:
        found = _NAMES.match(part)
        if found and {name.strip(" *") for name in found.group(1).split(",")} <= names:
            joined.append(part)
        else:
            joined[-1] += " " + part
    return joined


def _shapes_behind(part: str) -> str:
    """``a (3,), b (4,): text`` as ``a, b: (3,), (4,): text``."""
    found = _WITH_SHAPES.match(part)
    if found is None:
        return part
    pairs = [re.match(r"(\w+) (``[^`]+``)", pair) for pair in re.split(r"(?<=`), ", found.group(2))]
    names, shapes = zip(*(pair.groups() for pair in pairs if pair), strict=True)
    return f"{found.group(1)}{', '.join(names)}: {', '.join(shapes)}: {part[found.end() :]}"


def _names_of(thing: object) -> set[str]:
    """Of the parameters of a function, or of the parameters and fields of a class."""
    try:
        names = set(inspect.signature(thing).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        names = set()
    return names | set(getattr(thing, "__annotations__", {}))


def public_names(module: str) -> list[str]:
    """What ``__all__`` says, or else the functions and classes that the module defines; without those of a room above.

    As ``facelab.data.synthetic`` is below ``facelab.data``.
    """
    here = importlib.import_module(module)
    above = module.rpartition(".")[0]
    taken = getattr(importlib.import_module(above), "__all__", ()) if above else ()
    defined = (
        name
        for name, thing in vars(here).items()
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == module and name[0] != "_"
    )
    return sorted(set(getattr(here, "__all__", defined)) - set(taken))


class Room(SphinxDirective):
    """Docstring of a module, signature and docstring of its public functions and classes, then its constants."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        names = public_names(module)
        if not names:
            raise self.error(f"{{room}}: {module} makes no name public")
        here = importlib.import_module(module)
        code = [name for name in names if inspect.isclass(vars(here)[name]) or isroutine(vars(here)[name])]
        text = f"```{{eval-rst}}\n.. automodule:: {module}\n   :members: {', '.join(code)}\n   :imported-members:\n"
        for name in sorted(set(names) - set(code)):
            hidden = "   :no-value:\n" if len(repr(vars(here)[name])) > LONGEST_VALUE else ""
            text += f"\n.. autodata:: {module}.{name}\n{hidden}"
        holder = nodes.Element()
        self.state.nested_parse(StringList([*text.splitlines(), "```"], source=module), self.content_offset, holder)
        return holder.children


def is_nameless_field(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """A field of a named tuple says nothing of itself; the class does."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def mend_docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Before napoleon reads it. A constant has no docstring of its own; Python gives that of its type."""
    of_type = what == "data" and "\n".join(lines).strip() == (inspect.getdoc(type(thing)) or "").strip()
    lines[:] = [] if of_type else tidied(lines, _names_of(thing))


def lead_to_public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement
) -> nodes.Node | None:
    """For a reference that Sphinx does not find: where the name is public, or plain text if it is only internal.

    None, which is a warning, if there is no such thing in the package.
    """
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target.startswith(f"{PACKAGE}."):
        return None
    parts = target.split(".")
    domain = env.get_domain("py")
    assert isinstance(domain, PythonDomain)
    for depth in range(1, len(parts)):
        for rest in range(1, len(parts) - depth + 1):
            public = ".".join([*parts[:depth], *parts[-rest:]])
            if public in domain.objects and _located(public) is _located(target):
                return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], public, node, contents)
    return contents if _located(target) is not None else None


def _located(name: str) -> object | None:
    """What a dotted name stands for; None if there is nothing."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:]:
            of_class = inspect.get_annotations(found).get(part) if isinstance(found, type) else None
            found = getattr(found, part, of_class)
        return found
    return None


def lines_of(thing: object) -> tuple[Path, int, int] | None:
    """File below the source root, first and last line of a function or class; None if Python does not know."""
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(thing))  # type: ignore[arg-type]
        path = Path(inspect.getsourcefile(inspect.unwrap(thing)) or "")  # type: ignore[arg-type]
    except (OSError, TypeError):
        return None
    root = Path(importlib.import_module(PACKAGE).__file__ or "").resolve().parents[1]
    if not path.is_relative_to(root):
        return None
    return path.relative_to(root), first, first + len(lines) - 1


def link_to_lines(app: Sphinx) -> None:
    """Tell ``sphinx.ext.linkcode`` where the source of a name is."""
    theme = app.config.html_theme_options
    base = f"{theme['repository_url']}/blob/{theme['repository_branch']}/{SOURCES}"

    def resolve(domain: str, info: dict[str, str]) -> str | None:
        known = domain == "py" and info["module"] and info["fullname"]
        found = lines_of(_located(f"{info['module']}.{info['fullname']}")) if known else None
        return f"{base}/{found[0].as_posix()}#L{found[1]}-L{found[2]}" if found else None

    app.config.linkcode_resolve = resolve


def setup(app: Sphinx) -> dict[str, Any]:
    for extension in ("autodoc", "napoleon", "linkcode"):
        app.setup_extension(f"sphinx.ext.{extension}")
    app.add_directive("room", Room)
    app.connect("autodoc-skip-member", is_nameless_field)
    app.connect("autodoc-process-docstring", mend_docstring, priority=400)
    app.connect("missing-reference", lead_to_public)
    app.connect("builder-inited", link_to_lines, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
