"""The library's own source in a page: the code that is read is the code that runs."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from IPython.display import Markdown


def show_source(*objects: type | Callable[..., Any]) -> Markdown:
    """The source of functions and classes of the package, without their docstrings, as the output of a cell."""
    sources = [_without_docstring(textwrap.dedent(inspect.getsource(item))) for item in objects]
    return Markdown("```python\n" + "\n\n".join(sources) + "\n```")


def _without_docstring(source: str) -> str:
    """Drops the lines of the docstring of the outermost function or class; all other lines stay as they are."""
    (definition,) = ast.parse(source).body
    lines = source.rstrip().splitlines()
    body = getattr(definition, "body", [])
    if len(body) > 1 and ast.get_docstring(definition) is not None:  # type: ignore[arg-type]
        end = body[0].end_lineno
        following = end + 1 if end < len(lines) and not lines[end].strip() else end
        lines = lines[: body[0].lineno - 1] + lines[following:]
    return "\n".join(lines)
