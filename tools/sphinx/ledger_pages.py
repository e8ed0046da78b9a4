"""Sphinx extension: claims quoted in prose, and the tables of the ledger.

The role ``claim`` prints verdict and number of a claim (``fan-large-poses``), or a part of it
(``fan-large-poses:ours``), and leads to its row, wherever the directive ``ledger-table`` stands. An unknown name is an
error with its line.

Directives: ``ledger-table`` and ``ledger-summary``; ``published-tables`` (all, or those of ``:paper: fan``) and
``published-numbers``; ``audit-table``.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.util.docutils import SphinxDirective, SphinxRole

from facelab.ledger.audits import audits
from facelab.ledger.published import published
from facelab.ledger.results import results
from facelab.ledger.verdicts import Entry, ledger
from facelab.recipes import nearest
from tools.sphinx.ledger_html import claim_anchor, ledger_html, summary_html
from tools.sphinx.published_html import audits_html, numbers_html, published_table_html

SCRIPT, STYLE = "tables.js", "tables.css"


@cache
def entries() -> dict[str, Entry]:
    """The ledger by claim, read once for a build."""
    return {entry.claim.id: entry for entry in ledger()}


class Claim(SphinxRole):
    """A claim, or one part of it, in a sentence."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name, colon, part = self.text.partition(":")
        try:
            entry = nearest("claim", name, entries())
            text = entry.text(part) if colon else _verdict_and_number(entry)
        except (ValueError, FileNotFoundError) as error:
            message = self.inliner.reporter.error(f"{{claim}}`{self.text}`: {error}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        link = pending_xref(
            "", nodes.inline("", text, classes=["claim"]), refdomain="std", reftype="ref", refexplicit=True,
            reftarget=claim_anchor(name), refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        self.set_source_info(link)
        return [link], []


def _verdict_and_number(entry: Entry) -> str:
    if entry.ours is None and entry.audit is None:
        return entry.verdict
    return f"{entry.verdict} ({entry.text('ours')})"


class _Table(SphinxDirective):
    """A directive that is replaced by HTML. The pages that have one load the script and the style."""

    def run(self) -> list[nodes.Node]:
        try:
            return [nodes.raw("", self.html(), format="html", classes=["ledger"])]
        except (ValueError, FileNotFoundError) as error:
            raise self.error(f"{{{self.name}}}: {error}") from error

    def html(self) -> str:
        raise NotImplementedError


class LedgerTable(_Table):
    """All claims of the papers with their verdicts; `audits` is the page with the table of audits."""

    option_spec: ClassVar[dict[str, Any]] = {"audits": directives.unchanged_required}

    def html(self) -> str:
        labels = cast(StandardDomain, self.env.get_domain("std"))
        for name in entries():
            anchor = claim_anchor(name)
            labels.note_hyperlink_target(anchor, self.env.docname, anchor, name)
        return ledger_html(list(entries().values()), results(), self._address(self.options.get("audits", "")))

    def _address(self, page: str) -> str:
        if page and page not in self.env.found_docs:
            raise ValueError(f"audits: there is no page '{page}'; give its path from the root, without a suffix")
        return self.env.app.builder.get_relative_uri(self.env.docname, page) if page else ""


class LedgerSummary(_Table):
    """What held and what did not."""

    def html(self) -> str:
        return summary_html(list(entries().values()))


class PublishedTables(_Table):
    """The published tables one by one, all or those of one paper."""

    option_spec: ClassVar[dict[str, Any]] = {"paper": directives.unchanged_required}

    def html(self) -> str:
        cells = published(self.options.get("paper"))
        tables = groupby(cells, key=lambda cell: (cell.paper, cell.table))
        return "".join(published_table_html(list(group)) for _, group in tables)


class PublishedNumbers(_Table):
    """All published numbers in one list."""

    def html(self) -> str:
        return numbers_html(published())


class AuditTable(_Table):
    """The audits of the papers' arithmetic."""

    def html(self) -> str:
        return audits_html(audits())


def load_script(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give script and style to the pages with a table, and to no other."""
    if doctree is not None and any("ledger" in raw["classes"] for raw in doctree.findall(nodes.raw)):
        app.add_js_file(SCRIPT, loading_method="defer")
        app.add_css_file(STYLE)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("claim", Claim())
    app.add_directive("ledger-table", LedgerTable)
    app.add_directive("ledger-summary", LedgerSummary)
    app.add_directive("published-tables", PublishedTables)
    app.add_directive("published-numbers", PublishedNumbers)
    app.add_directive("audit-table", AuditTable)
    app.connect("builder-inited", lambda app: entries.cache_clear())
    app.connect("html-page-context", load_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
