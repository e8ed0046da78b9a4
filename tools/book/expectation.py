"""What a rendered page must hold, counted in the page's source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from tools.book.notebooks import read, tags
from tools.book.rules import is_figure

MATH = ("math_inline", "math_inline_double", "math_block", "math_block_label", "amsmath")
CODE_DIRECTIVES = ("code", "code-block", "code-cell", "sourcecode", "literalinclude", "bibliography")
DIRECTIVE = re.compile(r"\{([\w:-]+)\}\s*(.*)")
MATH_ROLE = re.compile(r"\{math\}`[^`]+`")
SPEC = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
NOT_SHOWN = {"remove-cell", "remove-output"}


@dataclass(frozen=True)
class Expectation:
    """Counts of one page. `controls` are range inputs; `sliders` are those inside Plotly."""

    equations: int
    figures: int
    meshes: int
    controls: int
    sliders: int


def of_page(source: Path) -> Expectation:
    """Count the equations, interactive figures, meshes and sliders that a page's source asks for."""
    if source.suffix == ".md":
        return Expectation(equations(source.read_text(encoding="utf-8")), 0, 0, 0, 0)
    notebook = read(source)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    texts += [_caption(cell) for cell in notebook.cells]
    specs = list(figure_specs(notebook))
    return Expectation(
        equations=sum(equations(text) for text in texts),
        figures=len(specs),
        meshes=sum(trace["type"] == "mesh3d" for spec in specs for trace in spec["data"]),
        controls=sum(len({blend["control"] for blend in spec["blends"]}) for spec in specs),
        sliders=sum(len(spec["layout"].get("sliders", [])) for spec in specs),
    )


def _caption(cell: NotebookNode) -> str:
    return str(cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", ""))


def figure_specs(notebook: NotebookNode) -> Iterator[dict]:
    """The Plotly data of each interactive figure that the page shows."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or NOT_SHOWN & set(tags(cell)):
            continue
        for output in cell.outputs:
            if is_figure(output):
                yield from (json.loads(spec) for spec in SPEC.findall(output.data["text/html"]))


def _parser() -> MarkdownIt:
    return (
        MarkdownIt("commonmark")
        .enable("table")
        .use(dollarmath_plugin, double_inline=False)
        .use(amsmath_plugin)
        .use(colon_fence_plugin)
    )


def equations(text: str) -> int:
    """Equations in a piece of MyST Markdown, those inside directives included."""
    count = 0
    for block in _parser().parse(text):
        for token in [block, *(block.children or [])]:
            count += token.type in MATH
        if block.type == "inline":
            count += len(MATH_ROLE.findall(block.content))
        if block.type in ("fence", "colon_fence"):
            count += _in_directive(block.info, block.content)
    return count


def _in_directive(info: str, content: str) -> int:
    match = DIRECTIVE.match(info.strip())
    if match is None or match.group(1) in CODE_DIRECTIVES:
        return 0
    if match.group(1) == "math":
        return 1
    return equations(match.group(2)) + equations(content)
