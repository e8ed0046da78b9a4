"""Sphinx extension: how a page was made, and what making it again costs.

Below the title of a notebook page stands the run that its outputs come from. The directive ``measured`` prints a table
of time and memory by profile. Both come from data/results/notebooks.json, written by ``make reference`` and
``make measure``.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.book import records
from tools.book.layout import TIME_LIMITS
from tools.book.notebooks import read
from tools.book.runner import duration
from tools.book.trace import of_shown

ALONE = 0.2  # cores that other work may take, and the clock still counts as ours


class Measured(SphinxDirective):
    """Time and memory of this page's runs, by profile."""

    def run(self) -> list[nodes.Node]:
        by_profile = records.read()["measured"].get(_name(self.env.docname), {})
        return [nodes.raw("", measured_html(by_profile), format="html", classes=["measured"])]


def measured_html(by_profile: dict[str, records.Record]) -> str:
    """The table, one row for each profile, and below it a note on each machine."""
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Profile", "Time", "Processor", "Memory"))
    rows = "".join(_row(profile, by_profile.get(profile)) for profile in TIME_LIMITS)
    notes = "".join(f"<p>{escape(note)}</p>" for note in _notes(by_profile))
    return (
        '<div class="measured"><table class="table">\n<caption>What a run of this page takes</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody>\n</table>\n{notes}</div>\n"
    )


def _row(profile: str, record: records.Record | None) -> str:
    name = f'<th scope="row"><code>{profile}</code></th>'
    if record is None:
        return f'<tr>{name}<td colspan="3">not measured</td></tr>\n'
    shared = "*" * _is_shared(record)
    cells = (
        f"{duration(record['seconds'])}{shared}",
        duration(record["processor_seconds"]),
        f"{record['peak_mb'] / 1000:.1f} GB",
    )
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _is_shared(record: records.Record) -> bool:
    return bool(record["others"] > ALONE)


def _notes(by_profile: dict[str, records.Record]) -> list[str]:
    """Machines, each with its profiles; what a star means."""
    machines: dict[str, list[str]] = {}
    for profile in TIME_LIMITS:
        if profile in by_profile:
            machines.setdefault(_machine(by_profile[profile]), []).append(profile)
    notes = [f"{', '.join(profiles)}: {machine}." for machine, profiles in machines.items()]
    if len(machines) == 1:
        notes = [f"{machine}." for machine in machines]
    shared = [record["others"] for record in by_profile.values() if _is_shared(record)]
    if shared:
        notes.append(f"* Other work kept up to {max(shared):.1f} cores busy meanwhile; alone, it takes less.")
    return notes


def _machine(record: records.Record) -> str:
    known = record["machine"]
    threads = known["threads"]["torch"]
    where = f"{known['processor']}, {known['cores']} cores, {threads} thread{'s' * (threads > 1)}"
    device = "" if known["device"] == "cpu" else f", {known['device']}"
    return f"{where}{device}, torch {known['versions'].get('torch', '?')}, {record['time'][:10]}"


def provenance(record: records.Record) -> str:
    """One line: when, from which commit, profile, device, seed and time."""
    commit = record["commit"][:7] + "+" * record["commit"].endswith("+")
    day = record["time"][:10]
    how = f"run on {day} at commit {commit}" if record["source"] == "run" else f"committed on {day} with {commit}"
    words = [how, f"profile {record['profile']}", f"device {record['device']}", f"seed {record['seed']}"]
    words += [duration(record["seconds"])] if record["seconds"] is not None else []
    return f"Outputs: {', '.join(words)}"


def add_provenance(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line below the title of a notebook page whose run is known."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    record = of_shown(Path(app.env.docname).with_suffix(".ipynb"), read(source))
    title = next(iter(doctree.findall(nodes.title)), None)
    if record is not None and title is not None:
        line = nodes.paragraph("", provenance(record), classes=["provenance"])
        title.parent.insert(title.parent.index(title) + 1, line)


def _name(docname: str) -> str:
    return docname.removeprefix("book/")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("measured", Measured)
    app.connect("doctree-read", add_provenance)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
