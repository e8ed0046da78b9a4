"""Sphinx extension: keep the built pages free of what does not work from a folder without a network.

Jupyter Book always loads sphinx-thebe. Its launcher fetches code from unpkg, and declares THEBE_JS_URL twice on every
page, which is a SyntaxError in the console. This book has no live cells, so every trace of it is taken out.

The theme asks the browser to load its icon fonts early, across origins. From a file that is refused with an error; the
style sheet loads the same fonts without one.

sphinx-exercise gives every exercise and every solution of a page the same id. An id must be unique; nothing refers to
these, so they become classes.

The button that unfolds a part of the contents in the side bar is an arrow without a name. It gets one.
Parameters of a long signature are a list of definitions without terms; they become plain lines.
A list of references holds anchors beside its entries, which a list may not: it is no list then.

The script of all pages, book/_static/book.js, is added here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')
REPEATED_ID = re.compile(r'<section id="((?:exercise|solution)-content)">')
NAMELESS = '<summary><span class="toctree-toggle"'
NAMED = '<summary aria-label="Pages below this one"><span class="toctree-toggle"'
REFERENCES = '<div role="list" class="citation-list">'
PARAMETERS = re.compile(r'(<span class="sig-paren">\(</span>)\s*<dl>\n((?:<dd>.*</dd>\n)+)</dl>')


def _is_thebe(script: Any) -> bool:
    body = script.attributes.get("body") or ""
    return "thebe" in str(script.filename or "") or "THEBE_JS_URL" in body


def remove_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop thebe's scripts and style from one page."""
    context["script_files"] = [script for script in context["script_files"] if not _is_thebe(script)]
    context["css_files"] = [sheet for sheet in context["css_files"] if "thebe" not in str(sheet.filename)]


def _lines(signature: re.Match[str]) -> str:
    lines = signature[2].replace("<dd>", "<div>").replace("</dd>", "</div>")
    return f'{signature[1]}\n<div class="sig-lines">\n{lines}</div>'


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend every page written: what is wrong stands in templates and writers, not in the context."""
    if error is None and app.builder.format == "html":
        for page in sorted(Path(app.outdir).rglob("*.html")):
            text = page.read_text(encoding="utf-8")
            text = REPEATED_ID.sub(r'<section class="\1">', FONT_PRELOAD.sub("", text))
            text = PARAMETERS.sub(_lines, text.replace(NAMELESS, NAMED))
            text = text.replace(REFERENCES, '<div class="citation-list">')
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", remove_thebe, priority=900)
    app.connect("build-finished", mend_pages)
    app.add_js_file("book.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
