"""The laboratory in a browser: the number that is shown is the one that was computed for these rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page

from facelab.viz import Laboratory, Switch

SWITCHES = (
    Switch("divided by", ("box", "eyes")),
    Switch("points", ("68", "51", "17"), start=1),
    Switch("measure", ("NME", "AUC")),
)
VALUES = 3 + np.arange(12.0).reshape(2, 3, 2)
NUMBERS = np.stack([VALUES, VALUES - 1, VALUES + 1, np.full_like(VALUES, 2.5)], -1)


@pytest.fixture(autouse=True)
def shown(show_on_phone: Callable[[str], None]) -> None:
    laboratory = Laboratory(
        SWITCHES, NUMBERS, "two annotators", "Rules of measuring, chosen with switches.", best_at_100=("AUC",)
    )
    show_on_phone(laboratory.html())


def said(page: Page) -> str:
    return page.locator("output").inner_text()


@pytest.mark.parametrize("divided", [0, 1])
@pytest.mark.parametrize("points", [0, 1, 2])
@pytest.mark.parametrize("measure", [0, 1])
def test_every_setting_shows_its_own_number(page: Page, divided: int, points: int, measure: int) -> None:
    for name, choice in (("divided by", divided), ("points", points), ("measure", measure)):
        page.get_by_label(name).select_option(str(choice))
    value = VALUES[divided, points, measure]
    assert said(page).startswith(f"{SWITCHES[2].options[measure]} {value:.2f} %")
    assert f"from {value - 1:.2f} % to {value + 1:.2f} %" in said(page)
    assert "two annotators, 2.50 %" in said(page)
    change = value - VALUES[0, 1, measure]
    assert ("as at the start" if change == 0 else f"{'+' if change > 0 else '−'}{abs(change):.2f} against") in said(
        page
    )


def test_what_was_tried_is_kept_until_the_measure_changes_or_all_starts_again(page: Page) -> None:
    page.get_by_label("divided by").select_option("1")
    page.get_by_label("points").select_option("2")
    tried = page.locator("li").all_inner_texts()
    assert [" ".join(line.split()) for line in tried] == ["11.00 % with eyes", "5.00 % with the rules of the start"]
    assert page.locator("circle").count() == 3
    page.get_by_role("button", name="Start again").click()
    page.wait_for_function("() => document.querySelectorAll('li').length === 0")
    assert said(page).startswith("NME 5.00 %")
    page.get_by_label("points").select_option("0")
    page.get_by_label("measure").select_option("1")
    assert page.locator("li").count() == 0


def test_the_shade_lies_where_labels_are_no_better(page: Page) -> None:
    shade, dot = page.locator("rect").bounding_box(), page.locator("circle").last.bounding_box()
    assert shade and dot and shade["x"] + shade["width"] < dot["x"]
    page.get_by_label("measure").select_option("1")
    shade, dot = page.locator("rect").bounding_box(), page.locator("circle").last.bounding_box()
    assert shade and dot and shade["x"] < dot["x"] < shade["x"] + shade["width"]  # from 2.5 % up to 100 %


def test_it_fits_a_phone_and_can_be_read(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    heights = page.locator("svg text").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert min(heights) > 10
    assert not page.locator("img").is_visible()


def test_printed_page_has_the_still(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("select").first.is_visible()
