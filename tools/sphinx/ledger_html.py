"""The ledger of claims as HTML: every claim with its verdict, and a summary of what held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape

from facelab.ledger.results import Result
from facelab.ledger.verdicts import CONFIRMED, NOT_DECIDED, REFUTED, VERDICTS, Entry, shown
from tools.sphinx.html_tables import Column, Row, table_html
from tools.sphinx.published_html import EMPTY, PAPERS, audit_anchor


def claim_anchor(claim: str) -> str:
    """The id of a claim's row."""
    return f"claim-{claim}"


def verdict_html(verdict: str) -> str:
    """The word, with a class for the sign and the colour that repeat it."""
    return f'<span class="verdict {verdict.replace(" ", "-")}">{escape(verdict)}</span>'


def ledger_html(entries: Sequence[Entry], results: Mapping[str, Result], audits: str = "") -> str:
    """All claims; what decides each, and where our number comes from, is folded into its row.

    Parameters
    ----------
    results
        By experiment, for their provenance.
    audits
        Address of the page with the table of audits; without it, audits are named but not linked.
    """
    columns = [
        Column("Paper", choices=True),
        Column("Claim"),
        Column("Paper says", "number"),
        Column("Measured here", "number"),
        Column("Verdict", choices=True),
    ]
    rows = [
        Row(
            [
                PAPERS[entry.claim.paper],
                _claim_html(entry, results, audits),
                "<br>".join(escape(f"{number} {number.what}") for number in entry.claim.printed) or EMPTY,
                _ours_html(entry),
                verdict_html(entry.verdict),
            ],
            anchor=claim_anchor(entry.claim.id),
        )
        for entry in entries
    ]
    return table_html(
        columns, rows, name="ledger-claims", caption="Claims of the papers", search="Words", layout="cards"
    )


def _claim_html(entry: Entry, results: Mapping[str, Result], audits: str) -> str:
    details = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in _details(entry, results, audits))
    return (
        f'{escape(entry.claim.claim)} <span class="ledger-place">{escape(entry.claim.place)}</span>'
        f"<details><summary>How it is decided</summary><dl>{details}</dl></details>"
    )


def _ours_html(entry: Entry) -> str:
    if entry.ours is None and entry.audit is None:
        return EMPTY
    return f'{escape(entry.text("ours"))}<br><span class="ledger-place">{escape(entry.text("interval"))}</span>'


def _details(entry: Entry, results: Mapping[str, Result], audits: str) -> Iterator[tuple[str, str]]:
    """Terms and what is to say about each, as HTML."""
    claim, measurement = entry.claim, entry.claim.measurement
    yield "Measured", escape(entry.text("measured"))
    if entry.audit is not None and audits:
        address = escape(f"{audits}#{audit_anchor(entry.audit.id)}")
        yield "Decided by", f'<a href="{address}">the audit {escape(entry.audit.id)}</a>'
    if measurement is not None:
        show = partial(shown, unit=measurement.unit)
        tolerance = f", tolerance {show(measurement.tolerance)}" if measurement.tolerance else ""
        yield "Asked for", escape(f"{measurement.predicate.text(show)}{tolerance}: {measurement.because}")
        yield "Control, where it must not hold", escape(_control(entry)) if measurement.control else "none"
    yield "Reason for the verdict", escape(entry.reason)
    if measurement is not None and measurement.experiment in results:
        yield "Result", escape(_provenance(results[measurement.experiment]))
    yield "Name", escape(claim.id)


def _control(entry: Entry) -> str:
    assert entry.claim.measurement is not None and entry.claim.measurement.control is not None
    what, number = entry.claim.measurement.control.what, entry.control
    return what if number is None else f"{what}: {number.show(number.mean)}, {number.interval()}"


def _provenance(result: Result) -> str:
    about = result.provenance
    seeds = f"seeds {', '.join(map(str, about['seeds']))}" if about["seeds"] else "no seeds"
    return (
        f"{result.experiment}, profile {result.profile}, {seeds}, device {about['device']}, {about['seconds']:,.0f} s, "
        f"{about['time'][:10]}, commit {about['commit'][:12]}; repeat with {about['command']}"
    )


def summary_html(entries: Sequence[Entry]) -> str:
    """How many claims of each paper have which verdict, then the claims that were decided and those that tried."""
    titles = [*(verdict.capitalize() for verdict in VERDICTS), "All"]
    columns = [Column("Paper", sorts=False), *(Column(title, "number", sorts=False) for title in titles)]
    rows = [_counts(title, [entry for entry in entries if entry.claim.paper == key]) for key, title in PAPERS.items()]
    caption = f"Verdicts on {_claims(len(entries))}"
    table = table_html(columns, [*rows, _counts("All papers", entries)], name="ledger-counts", caption=caption)
    return table + "".join(_list_html(entries, verdict, words) for verdict, words in _TRIED.items())


def _counts(title: str, entries: Sequence[Entry]) -> Row:
    counts = Counter(entry.verdict for entry in entries)
    return Row([escape(title), *(str(counts[verdict]) for verdict in VERDICTS), str(len(entries))])


_TRIED = {CONFIRMED: "held", REFUTED: "did not hold", NOT_DECIDED: "could not be decided"}


def _list_html(entries: Sequence[Entry], verdict: str, words: str) -> str:
    chosen = [entry for entry in entries if entry.verdict == verdict]
    if not chosen:
        return ""
    items = "".join(f"<li>{_sentence_html(entry)}</li>\n" for entry in chosen)
    return f"<p><strong>{_claims(len(chosen))} {words}.</strong></p>\n<ul>\n{items}</ul>\n"


def _sentence_html(entry: Entry) -> str:
    link = f'<a href="#{claim_anchor(entry.claim.id)}">{escape(PAPERS[entry.claim.paper])}</a>'
    interval = f" ({entry.text('interval')})" if entry.ours is not None else ""
    found = f"Here: {entry.text('ours')}{interval}. {entry.reason[:1].upper()}{entry.reason[1:].rstrip('.')}."
    return f'{link}: {escape(entry.claim.claim)} <span class="ledger-place">{escape(found)}</span>'


def _claims(count: int) -> str:
    return f"{count} claim{'' if count == 1 else 's'}"
