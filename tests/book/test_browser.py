"""Every page, opened from disk in a browser that may not ask anybody for anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route

from tools.book.expectation import Expectation, of_page
from tools.book.layout import ROOT, pages

PAGES = pages()
MOVABLE = [page for page in PAGES if of_page(ROOT / page).controls + of_page(ROOT / page).sliders]
PHONE = 390
PATIENCE = 60_000  # milliseconds; WebGL is drawn by the processor here


@dataclass
class Visit:
    """A page in the browser, with what it complained about and what it asked for in vain."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def route(self, route: Route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            self.refused.append(route.request.url)
            route.abort()


def visit(browser: Browser, width: int) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(PATIENCE)
    result = Visit(page)
    page.on("console", lambda message: result.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: result.complaints.append(str(error)))
    page.on("requestfailed", lambda request: result.refused.append(request.url))
    page.route("**/*", result.route)
    yield result
    page.close()


@pytest.fixture
def laptop(browser: Browser) -> Iterator[Visit]:
    yield from visit(browser, 1280)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Visit]:
    yield from visit(browser, PHONE)


def draw_all(page: Page) -> Locator:
    """Scroll to each interactive figure, and wait until it has drawn or given up."""
    figures = page.locator("figure.facelab-figure")
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function(
            "figure => !['waiting', undefined].includes(figure.dataset.state)", arg=figure.element_handle()
        )
    return figures


def typeset(page: Page) -> int:
    """Wait for MathJax where the page has it, and count the equations it has set."""
    page.evaluate("window.MathJax?.startup ? MathJax.startup.promise : null")
    return page.locator("article mjx-container").count()


def picture(page: Page, plot: Locator) -> bytes:
    """The pixels of the plotting area, without sliders and legends around it."""
    plot.scroll_into_view_if_needed()
    page.wait_for_timeout(100)
    clip = plot.evaluate(
        """plot => {
          const box = plot.getBoundingClientRect(), size = plot._fullLayout._size;
          return {x: box.x + size.l, y: box.y + size.t, width: size.w, height: size.h};
        }"""
    )
    return page.screenshot(clip=clip)


def assert_picture_changes(page: Page, plot: Locator, before: bytes, what: str) -> None:
    for _ in range(50):
        if picture(page, plot) != before:
            return
    pytest.fail(f"{what} was moved, and the picture stayed as it was")


@pytest.mark.parametrize("source", PAGES, ids=str)
def test_page_shows_what_its_source_holds(site: Path, laptop: Visit, source: Path) -> None:
    page = laptop.page
    page.goto((site / source.with_suffix(".html")).as_uri())
    states = [figure.get_attribute("data-state") for figure in draw_all(page).all()]
    assert states == ["drawn"] * len(states)
    meshes = "plots => plots.flatMap(plot => plot._fullData).filter(trace => trace.type === 'mesh3d').length"
    shown = Expectation(
        equations=typeset(page),
        figures=len(states),
        meshes=page.locator(".facelab-plot").evaluate_all(meshes),
        controls=page.locator(".facelab-controls input[type=range]").count(),
        sliders=page.locator(".facelab-plot .slider-container > .slider-group").count(),
    )
    expected = of_page(ROOT / source)
    if source.parent.name == "api":
        expected = replace(expected, equations=shown.equations)  # they stand in docstrings
    assert shown == expected
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    texts = page.locator("img").evaluate_all("images => images.map(image => image.alt.trim())")
    assert [text for text in texts if not text or "/" in text] == []
    assert laptop.complaints == []
    assert laptop.refused == []


@pytest.mark.parametrize("source", MOVABLE, ids=str)
def test_sliders_change_the_picture(site: Path, laptop: Visit, source: Path) -> None:
    page = laptop.page
    page.goto((site / source.with_suffix(".html")).as_uri())
    for figure in draw_all(page).all():
        plot = figure.locator(".facelab-plot")
        for control in figure.locator(".facelab-controls input").all():
            before = picture(page, plot)
            control.evaluate(
                """input => {
                  input.value = Number(input.value) < Number(input.max) ? input.max : input.min;
                  input.dispatchEvent(new Event("input", {bubbles: true}));
                }"""
            )
            assert_picture_changes(page, plot, before, f"'{control.get_attribute('aria-label')}'")
        for rail in plot.locator(".slider-rail-touch-rect").all():
            before = picture(page, plot)
            box = rail.bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + box["height"] / 2)
            assert_picture_changes(page, plot, before, "the slider of the figure")
    assert laptop.complaints == []


@pytest.mark.parametrize("source", [*PAGES, Path("search.html"), Path("genindex.html")], ids=str)
def test_page_fits_a_phone(site: Path, phone: Visit, source: Path) -> None:
    page = phone.page
    page.goto((site / source.with_suffix(".html")).as_uri())
    draw_all(page)
    typeset(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE
    wide = page.locator(".facelab-figure").evaluate_all(
        "figures => figures.filter(f => f.scrollWidth > f.clientWidth + 1).map(f => f.id)"
    )
    assert wide == []
    assert phone.complaints == []
    assert phone.refused == []
