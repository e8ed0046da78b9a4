"""Tables of the ledger in a browser: filtering, sorting, links to rows, paper, a phone, and no script at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tools.book.layout import ROOT
from tools.sphinx.html_tables import Column, Row, table_html

STATIC = ROOT / "book" / "_static"
PHONE = 390
COLUMNS = [
    Column("Paper", choices=True),
    Column("Claim"),
    Column("Number", "number"),
    Column("Verdict", choices=True),
    Column("Remark", sorts=False),
]
WIDE = "averyveryverylongwordthatcannotbebroken" * 3
FOLD = "<details><summary>How</summary><p>folded</p></details>"
ROWS = [
    Row(["FAN", "Large poses cost little." + FOLD, "10.5 %", "confirmed", WIDE], anchor="claim-a"),
    Row(["FAN", "Size matters.", "9 (1)", "open", ""], anchor="claim-b"),
    Row(["CLN", "Shuffling helps.", "–", "open", ""], anchor="claim-c"),
    Row(["CLN", "large gains", "-2.5", "refuted", ""], anchor="claim-d"),
    Row(["CLN", "Thumbnails help.", "1,200", "confirmed", ""], anchor="claim-e"),
]

Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a page from disk with the table above in a layout, and another table without filters."""
    opened: list[Page] = []
    errors: list[str] = []

    def run(layout: str = "cards", *, fragment: str = "", width: int = 1000, script: bool = True) -> Page:
        for name in ("tables.js", "tables.css"):
            shutil.copy2(STATIC / name, tmp_path / name)
        first = table_html(COLUMNS, ROWS, name="claims", caption="Claims", search="Words", layout=layout)  # type: ignore[arg-type]
        second = table_html([Column("A", "number")], [Row(["2"]), Row(["10"])], name="other", caption="Numbers")
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        head += '<link rel="stylesheet" href="tables.css"><script defer src="tables.js"></script>'
        gap = '<div style="height: 3000px"></div>'
        (tmp_path / "page.html").write_text(f"<!doctype html><head>{head}</head><body>{second}{gap}{first}</body>")
        page = browser.new_page(viewport={"width": width, "height": 600}, java_script_enabled=script)
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri() + fragment)
        opened.append(page)
        return page

    yield run
    for page in opened:
        page.close()
    assert errors == []


def seen(page: Page) -> str:
    """The letters of the rows that are shown, in their order."""
    rows = page.locator("#claims tbody tr:visible").all()
    return "".join(str(row.get_attribute("id")).removeprefix("claim-") for row in rows)


def test_rows_are_chosen_by_paper_verdict_and_words(show: Show) -> None:
    page = show()
    assert seen(page) == "abcde"
    page.get_by_label("Paper").select_option("CLN")
    assert seen(page) == "cde"
    page.get_by_label("Verdict").select_option("open")
    assert seen(page) == "c"
    expect(page.get_by_role("status")).to_have_text("1 of 5 rows")
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("status")).to_have_text("5 of 5 rows")
    page.get_by_label("Words").fill("LARGE  gai")
    assert seen(page) == "d"
    page.get_by_label("Words").fill("none of these")
    expect(page.get_by_role("status")).to_have_text("0 of 5 rows")


def test_choices_that_would_leave_nothing_are_off(show: Show) -> None:
    page = show()
    page.get_by_label("Paper").select_option("FAN")
    options = page.get_by_label("Verdict").locator("option")
    assert options.all_inner_texts() == ["all", "confirmed", "open", "refuted"]
    assert [option.is_enabled() for option in options.all()] == [True, True, True, False]


def test_a_heading_sorts_up_down_and_back(show: Show) -> None:
    page = show()
    heading = page.get_by_role("columnheader", name="Number").last
    orders = []
    for _ in range(3):
        heading.get_by_role("button").click()
        orders.append((heading.get_attribute("aria-sort"), seen(page)))
    assert orders == [("ascending", "dbaec"), ("descending", "eabdc"), ("none", "abcde")]


def test_the_keyboard_sorts(show: Show) -> None:
    page = show()
    page.get_by_role("columnheader", name="Claim").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert seen(page) == "dacbe"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert seen(page) == "dbaec"
    states = page.locator("#claims th").evaluate_all("cells => cells.map(cell => cell.getAttribute('aria-sort'))")
    assert states == ["none", "none", "ascending", "none", None]


def test_sorting_keeps_the_choice_of_rows(show: Show) -> None:
    page = show()
    page.get_by_label("Paper").select_option("CLN")
    page.get_by_role("columnheader", name="Number").last.get_by_role("button").click()
    assert seen(page) == "dec"


def test_a_table_without_filters_sorts_only(show: Show) -> None:
    page = show()
    assert page.locator("#other form").count() == 0
    page.locator("#other th button").click()
    page.locator("#other th button").click()
    assert page.locator("#other td").all_inner_texts() == ["10", "2"]


def test_the_address_remembers_the_choice(show: Show) -> None:
    page = show()
    page.get_by_label("Verdict").select_option("open")
    page.get_by_label("Words").fill("a b")
    fragment = page.evaluate("location.hash")
    assert fragment == "#claims?Verdict=open&text=a+b"
    again = show(fragment="#claims?Paper=CLN&Verdict=confirmed&Verdict2=x")
    assert seen(again) == "e"
    assert again.get_by_label("Paper").input_value() == "CLN"
    assert seen(show(fragment="#claims?Paper=nobody")) == "abcde"


def test_a_link_shows_its_row_unfolded(show: Show) -> None:
    expect(show().get_by_text("folded")).to_be_hidden()
    page = show(fragment="#claim-a")
    expect(page.locator("#claim-a")).to_be_in_viewport()
    expect(page.get_by_text("folded")).to_be_visible()


def test_a_link_to_a_row_that_is_filtered_away_brings_it_back(show: Show) -> None:
    page = show()
    page.get_by_label("Paper").select_option("CLN")
    page.evaluate("location.hash = '#claim-a'")
    expect(page.locator("#claim-a")).to_be_in_viewport()
    assert seen(page) == "abcde"


def test_paper_has_everything_unfolded_and_no_controls(show: Show) -> None:
    page = show()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.get_by_text("folded")).to_be_visible()
    expect(page.get_by_label("Paper")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.get_by_text("folded")).to_be_hidden()


def test_without_the_script_the_table_stands_in_full(show: Show) -> None:
    page = show(script=False)
    assert seen(page) == "abcde"
    assert page.locator("#claims :is(button, input, select)").count() == 0


@pytest.mark.parametrize("layout", ["plain", "cards", "tall"])
def test_no_layout_widens_the_page_of_a_phone(show: Show, layout: str) -> None:
    page = show(layout, width=PHONE)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE
    page.get_by_label("Paper").select_option("CLN")
    assert seen(page) == "cde"


def test_cards_keep_the_roles_of_a_table(show: Show) -> None:
    page = show("cards", width=PHONE)
    row = page.get_by_role("table", name="Claims").get_by_role("row").filter(has_text="Size matters.")
    assert row.get_by_role("cell").count() == len(COLUMNS)
    assert row.evaluate("row => getComputedStyle(row).display") == "grid"


def test_the_ledger_of_the_book_is_filtered_and_sorted(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((site / "book" / "synthesis" / "ledger.html").as_uri())
    rows = page.locator("#ledger-claims tbody tr")
    paper = page.locator("#ledger-claims select").first
    whole = rows.count()
    for choice in paper.locator("option").all_inner_texts()[1:]:
        paper.select_option(choice)
        chosen = page.locator("#ledger-claims tbody tr:visible")
        assert 0 < chosen.count() < whole
        assert set(chosen.locator("td:first-child").all_inner_texts()) == {choice}
    page.get_by_role("button", name="Show all").click()
    page.locator("#ledger-claims th button").filter(has_text="Verdict").click()
    verdicts = rows.locator(".verdict").all_inner_texts()
    assert verdicts == sorted(verdicts)
    page.close()
