"""Claims quoted in prose and the tables of the ledger, rendered by small books of their own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from facelab.ledger import Quantity, save_result
from facelab.ledger.audits import Audit, audits
from facelab.ledger.published import Cell, published
from facelab.places import data_folder
from tools.book.layout import ROOT
from tools.sphinx.html_tables import Column, Row, table_html
from tools.sphinx.published_html import audits_html, number, numbers_html, published_table_html

CLAIMS = """\
- id: fan-large-poses
  paper: fan
  place: abstract
  claim: Large poses cost <little>.
  printed:
    - {value: "4.50", unit: "%", what: NME}
  measured: One error over another.
  experiment: fan-pose
  quantity: profile over frontal
  unit: ratio
  predicate: {at_least: 0.9}
  tolerance: 0.02
  because: A tenth is little.
  control: {quantity: shuffled, what: labels of other faces}
- id: fan-blocks
  paper: fan
  place: figure 2
  claim: The block is better.
  printed: []
  measured: One error over another.
  experiment: fan-pose
  quantity: block
  unit: ratio
  predicate: {less_than: 1}
  tolerance: 0
  because: The sign counts.
- id: cln-streams
  paper: cln
  place: table 4
  claim: Two streams help.
  printed: []
  measured: One error over another.
  experiment: cln-streams
  quantity: both over one
  unit: ratio
  predicate: {less_than: 1}
  tolerance: 0
  because: The sign counts.
- id: cln-generalises
  paper: cln
  place: figure 7
  claim: It works elsewhere.
  printed: []
  untestable: There are no numbers.
"""
LEDGER = "# Ledger\n\n```{ledger-table}\n```\n"


@dataclass(frozen=True)
class Built:
    """A rendered book: whether it passed, what it complained about, its pages."""

    passed: bool
    complaints: str
    folder: Path

    def page(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.folder / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``data/`` of a checkout with four claims, one experiment, and the book's published tables."""
    folder = tmp_path / "checkout" / "data"
    folder.mkdir(parents=True)
    (folder / "published").symlink_to(data_folder() / "published")
    (folder / "claims.yml").write_text(CLAIMS)
    monkeypatch.setenv("FACELAB_BOOK", str(folder.parent))
    quantities = {
        "profile over frontal": Quantity("A ratio.", "ratio", values=(0.95, 0.96, 0.97)),
        "shuffled": Quantity("A ratio.", "ratio", values=(0.1, 0.2, 0.15)),
        "block": Quantity("A ratio.", "ratio", values=(1.2, 1.21, 1.22)),
    }
    save_result("fan-pose", "cpu", quantities, seeds=(3, 4, 5), seconds=81.0, command="make reference ONLY=fan")
    return folder


def build(folder: Path, **pages: str) -> Built:
    """Render pages of Markdown with warnings as errors, as the book is rendered."""
    source = folder / "source"
    source.mkdir()
    for name, text in pages.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    return rendered(source, folder / "html")


def rendered(source: Path, target: Path) -> Built:
    others = "\n".join(sorted(path.stem for path in source.iterdir()))
    (source / "index.md").write_text(f"# Index\n\n```{{toctree}}\n{others}\n```\n", encoding="utf-8")
    complaints = io.StringIO()
    settings = {
        "extensions": ["myst_nb", "tools.sphinx.ledger_pages"],
        "html_theme": "basic",
        "html_static_path": [str(ROOT / "book" / "_static")],
        "nb_execution_mode": "off",
        "nitpicky": True,
    }
    with docutils_namespace():
        app = Sphinx(
            source, None, target, target / ".doctrees", "html", settings, status=None, warning=complaints,
            warningiserror=True, keep_going=True,
        )  # fmt: skip
        app.build(force_all=True)
    return Built(app.statuscode == 0, complaints.getvalue(), target)


def test_a_claim_is_quoted_and_leads_to_its_row(tmp_path: Path, data: Path) -> None:
    prose = (
        "# Prose\n\n{claim}`fan-large-poses` | {claim}`fan-large-poses:ours` | {claim}`fan-large-poses:interval` | "
        "{claim}`fan-large-poses:paper` | {claim}`fan-large-poses:verdict` | {claim}`cln-streams`\n"
    )
    book = build(tmp_path, prose=prose, ledger=LEDGER)
    assert book.complaints == ""
    assert book.passed
    paragraph = book.page("prose").find("p")
    assert paragraph is not None
    assert paragraph.text == "confirmed (0.960) | 0.960 | 0.935 to 0.985 | 4.50 % (NME) | confirmed | open"
    links = {str(link["href"]) for link in paragraph.find_all("a")}
    assert links == {"ledger.html#claim-fan-large-poses", "ledger.html#claim-cln-streams"}
    for link in links:
        assert book.page("ledger").find("tr", id=link.split("#")[1]) is not None


def test_a_claim_is_quoted_in_a_notebook(tmp_path: Path, data: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "ledger.md").write_text(LEDGER)
    cells = [nbformat.v4.new_markdown_cell("# A notebook\n\nIt is {claim}`fan-blocks`, as said.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source / "notebook.ipynb")
    book = rendered(source, tmp_path / "html")
    assert book.complaints == ""
    assert "It is refuted (1.210), as said." in book.page("notebook").text


@pytest.mark.parametrize(
    ("quoted", "message"),
    [
        ("fan-large-pose", "fan-large-poses"),
        ("fan-large-poses:our", "ours"),
        ("fan-large-poses:", "verdict"),
    ],
)
def test_an_unknown_name_fails_with_its_line_and_what_is_near(
    tmp_path: Path, data: Path, quoted: str, message: str
) -> None:
    book = build(tmp_path, prose=f"# Prose\n\nText.\n\nAs {{claim}}`{quoted}` says.\n", ledger=LEDGER)
    assert not book.passed
    assert f"{tmp_path}/source/prose.md:5: ERROR: {{claim}}`{quoted}`:" in book.complaints
    assert message in book.complaints


def test_every_unknown_name_is_listed(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, prose="# Prose\n\n{claim}`one`\n\n{claim}`two`\n", ledger=LEDGER)
    assert "prose.md:3" in book.complaints
    assert "prose.md:5" in book.complaints


def test_a_quoted_claim_needs_the_ledger(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, prose="# Prose\n\n{claim}`fan-blocks`\n")
    assert not book.passed
    assert "undefined label: 'claim-fan-blocks'" in book.complaints


def test_the_ledger_says_everything_about_a_claim(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, ledger=LEDGER)
    assert book.complaints == ""
    rows = book.page("ledger").select("#ledger-claims tbody tr")
    verdicts = {str(row["id"]): row.select(".verdict")[0].text for row in rows}
    assert verdicts == {
        "claim-fan-large-poses": "confirmed",
        "claim-fan-blocks": "refuted",
        "claim-cln-streams": "open",
        "claim-cln-generalises": "not testable here",
    }
    text = rows[0].text
    for expected in (
        "Large poses cost <little>.", "abstract", "4.50 % NME", "0.960", "0.935 to 0.985", "One error over another.",
        "at least 0.9, tolerance 0.02: A tenth is little.", "labels of other faces: 0.15", "profile cpu",
        "seeds 3, 4, 5", "make reference ONLY=fan", "fan-large-poses",
    ):  # fmt: skip
        assert expected in text
    assert "experiment 'cln-streams' has no result yet" in rows[2].text
    assert "There are no numbers." in rows[3].text


def test_the_summary_counts_and_lists(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, ledger=LEDGER + "\n```{ledger-summary}\n```\n")
    page = book.page("ledger")
    rows = [[cell.text for cell in row.find_all("td")] for row in page.select("#ledger-counts tbody tr")]
    assert rows[1] == ["FAN", "1", "1", "0", "0", "0", "2"]
    assert rows[-1] == ["All papers", "1", "1", "0", "1", "1", "4"]
    headings = [strong.text for strong in page.find_all("strong")]
    assert headings == ["1 claim held.", "1 claim did not hold."]
    assert [str(link["href"]) for link in page.select("li a[href^='#claim-']")] == [
        "#claim-fan-large-poses",
        "#claim-fan-blocks",
    ]


def test_the_audits_of_claims_are_linked(tmp_path: Path, data: Path) -> None:
    audit = audits()[0]
    claim = "- {id: by-audit, paper: cln, place: table 2, claim: It adds up., printed: [], audit: NAME}\n"
    (data / "claims.yml").write_text(claim.replace("NAME", audit.id))
    ledger = LEDGER.replace("}\n", "}\n:audits: audits\n", 1)
    book = build(tmp_path, ledger=ledger, audits="# Audits\n\n```{audit-table}\n```\n")
    assert book.complaints == ""
    link = book.page("ledger").find("a", string=f"the audit {audit.id}")
    assert link is not None
    assert link["href"] == f"audits.html#audit-{audit.id}"
    assert book.page("audits").find("tr", id=f"audit-{audit.id}") is not None


def test_an_unknown_page_of_audits_fails(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, ledger=LEDGER.replace("}\n", "}\n:audits: audit\n", 1))
    assert not book.passed
    assert "ledger.md:3: ERROR: {ledger-table}: audits: there is no page 'audit'" in book.complaints


def test_a_result_without_provenance_fails(tmp_path: Path, data: Path) -> None:
    path = data / "results" / "cpu" / "fan-pose.json"
    path.write_text(path.read_text().replace('"commit"', '"omitted"'))
    book = build(tmp_path, prose="# Prose\n\n{claim}`fan-blocks`\n", ledger=LEDGER)
    assert not book.passed
    for page in ("prose", "ledger"):
        assert f"{page}.md:3: ERROR" in book.complaints
    assert f"{path}: provenance needs" in book.complaints


def test_script_and_style_are_loaded_where_there_is_a_table(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, ledger=LEDGER, prose="# Prose\n\n{claim}`fan-blocks`\n")
    for page, count in (("ledger", 1), ("prose", 0)):
        assert len(book.page(page).select('script[src*="tables.js"]')) == count
        assert len(book.page(page).select('link[href*="tables.css"]')) == count


def test_tables_of_one_paper_and_all_numbers(tmp_path: Path, data: Path) -> None:
    tables = "# Tables\n\n```{published-tables}\n:paper: cln\n```\n\n```{published-numbers}\n```\n"
    book = build(tmp_path, tables=tables)
    assert book.complaints == ""
    page = book.page("tables")
    names = {f"published-cln-{cell.table}" for cell in published("cln")}
    assert {str(box["id"]) for box in page.select(".ledger-plain")} == names
    rows = page.select("#ledger-numbers tbody tr")
    assert len(rows) == len(published())


def test_an_unknown_paper_fails(tmp_path: Path, data: Path) -> None:
    book = build(tmp_path, tables="# Tables\n\n```{published-tables}\n:paper: cnl\n```\n")
    assert not book.passed
    assert "tables.md:3: ERROR: {published-tables}: published: no paper 'cnl'" in book.complaints


def cell(method: str, value: str, spread: str = "", **others: str) -> Cell:
    fields = {"data_set": "AFLW", "subset": "mean", "metric": "NME (%)", "normaliser": "bbox", "note": "", **others}
    return Cell("cln", "table-1", method, value=Decimal(value), spread=Decimal(spread) if spread else None, **fields)


def lines(html: str) -> list[list[str]]:
    """The texts of headings and cells, row by row."""
    table = BeautifulSoup(html, "html.parser").find("table")
    assert table is not None
    return [[entry.text for entry in row.find_all(["th", "td"])] for row in table.find_all("tr")]


def test_digits_stay_as_printed() -> None:
    assert number(cell("CLN", "4.20", "0.10")) == "4.20 (0.10)"
    assert number(cell("CLN", "0.00000010")) == "0.00000010"


def test_methods_stand_below_each_other_and_subsets_side_by_side() -> None:
    cells = [cell(method, value, subset=subset) for method, subset, value in (
        ("A", "0-30", "1.0"), ("A", "30-60", "2.00"), ("B", "0-30", "3.0"), ("B", "30-60", "4.0"))]  # fmt: skip
    assert lines(published_table_html(cells)) == [
        ["Method", "0-30", "30-60"],
        ["A", "1.0", "2.00"],
        ["B", "3.0", "4.0"],
    ]


def test_a_metric_moves_to_the_front_where_the_table_is_too_wide() -> None:
    subsets = [f"part {index}" for index in range(6)]
    cells = [cell("A", "1.0", subset=subset, metric=metric) for metric in ("NME (%)", "FR (%)") for subset in subsets]
    assert lines(published_table_html(cells)) == [
        ["Metric", *subsets],
        ["NME (%)", *["1.0"] * 6],
        ["FR (%)", *["1.0"] * 6],
    ]


def test_what_does_not_fit_side_by_side_becomes_a_list() -> None:
    cells = [cell("A", "1.0", data_set="AFLW"), cell("B", "2.0", data_set="300W", metric="faces", normaliser="")]
    assert lines(published_table_html(cells)) == [
        ["Data set", "Metric", "Normaliser", "Method", "Value"],
        ["AFLW", "NME (%)", "bbox", "A", "1.0"],
        ["300W", "faces", "", "B", "2.0"],
    ]


def test_a_number_printed_twice_gets_a_second_line() -> None:
    cells = [cell("A", "1.0", note="own run"), cell("A", "2.0")]
    assert lines(published_table_html(cells)) == [["Method", "Value"], ["Aa", "1.0"], ["A", "2.0"]]


def test_a_note_stands_where_it_applies() -> None:
    cells = [
        cell("A", "1.0", subset="x", note="recalled; in 2017"),
        cell("A", "2.0", subset="y", note="recalled; in 2017; a slip"),
        cell("B", "3.0", subset="x", note="recalled"),
        cell("B", "4.0", subset="y", note="recalled"),
    ]
    html = published_table_html(cells)
    assert lines(html)[1:] == [["Aa", "1.0", "2.0b"], ["B", "3.0", "4.0"]]
    notes = [item.text for item in BeautifulSoup(html, "html.parser").select(".ledger-notes li")]
    assert notes == ["recalled", "a\u00a0in 2017", "b\u00a0a slip"]


def test_no_number_of_the_published_tables_is_lost() -> None:
    for (paper, table), group in groupby(published(), key=lambda cell: (cell.paper, cell.table)):
        cells = list(group)
        soup = BeautifulSoup(published_table_html(cells), "html.parser")
        for mark in soup.find_all("sup"):
            mark.extract()
        shown = sorted(entry.text for entry in soup.select("td.number") if entry.text)
        assert shown == sorted(map(number, cells)), f"{paper} {table}"


def test_the_list_leads_to_the_tables() -> None:
    links = BeautifulSoup(numbers_html(published()), "html.parser").find_all("a")
    tables = groupby(published(), key=lambda cell: (cell.paper, cell.table))
    soup = BeautifulSoup("".join(published_table_html(list(group)) for _, group in tables), "html.parser")
    assert {str(link["href"])[1:] for link in links} == {str(box["id"]) for box in soup.select(".ledger-box")}


def test_audits_say_their_outcome_in_words() -> None:
    outcomes = [
        Audit("cln-a", "cln", "table 1", "A < B.", "1", "1", True, "It shows the rule."),
        Audit("cln-b", "cln", "table 2", "C", "2", "3", False, "Others copy it."),
    ]
    html = audits_html(outcomes)
    assert "<caption>2 audits: 1 add up, 1 do not</caption>" in html
    rows = lines(html)
    assert [row[-1] for row in rows] == ["Adds up", "yes", "no"]
    assert all(part in rows[1][1] for part in ("A < B.", "table 1", "It shows the rule."))


def test_a_row_that_does_not_fit_its_headings_is_refused() -> None:
    with pytest.raises(ValueError, match="table 'x': 2 cells under 1 columns"):
        table_html([Column("A")], [Row(["1", "2"])], name="x", caption="X")


def test_text_is_escaped() -> None:
    html = table_html([Column("<A>")], [], name="x", caption="a < b", search='"words"')
    assert "&lt;A&gt;" in html
    assert 'data-search="&quot;words&quot;"' in html
    assert "<caption>a &lt; b</caption>" in html
