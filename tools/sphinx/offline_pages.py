"""Sphinx extension: keep the built pages free of what does not work from a folder without a network.

Jupyter Book always loads sphinx-thebe. Its launcher fetches code from unpkg, and declares THEBE_JS_URL twice on every
page, which is a SyntaxError in the console. This book has no live cells, so every trace of it is taken out.

The theme asks the browser to load its icon fonts early, across origins. From a file that is refused with an error; the
style sheet loads the same fonts without one.

sphinx-exercise gives every exercise and every solution of a page the same id. An id must be unique; nothing refers to
these, so they become classes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')
REPEATED_ID = re.compile(r'<section id="((?:exercise|solution)-content)">')


def _is_thebe(script: Any) -> bool:
    body = script.attributes.get("body") or ""
    return "thebe" in str(script.filename or "") or "THEBE_JS_URL" in body


def remove_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop thebe's scripts and style from one page."""
    context["script_files"] = [script for script in context["script_files"] if not _is_thebe(script)]
    context["css_files"] = [sheet for sheet in context["css_files"] if "thebe" not in str(sheet.filename)]


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Drop font preloads and repeated ids from every page written. They stand in templates, not in the context."""
    if error is None and app.builder.format == "html":
        for page in sorted(Path(app.outdir).rglob("*.html")):
            text = page.read_text(encoding="utf-8")
            text = REPEATED_ID.sub(r'<section class="\1">', FONT_PRELOAD.sub("", text))
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", remove_thebe, priority=900)
    app.connect("build-finished", mend_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
