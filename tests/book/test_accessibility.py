"""Every page, checked by axe-core: nothing may shut out who reads by keyboard, by ear or with weak sight."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Route

from tools.book.layout import pages

PAGES = [*pages(), Path("search.html"), Path("genindex.html")]
DRAWN = [Path("book/foundations/landmarks.ipynb"), Path("book/papers/tddfa/method.ipynb")]
CODE = Path("book/papers/fan/method.ipynb")
GRAVE = ("serious", "critical")
LAPTOP, PHONE = 1280, 390
PATIENCE = 60_000  # milliseconds

# Drawing is most of the work of a page, and Plotly's. With this in its place a figure still shows all that is ours.
NO_PLOTLY = "window.Plotly = {newPlot: async () => {}, restyle: () => {}};"
SETTLED = """() => [...document.querySelectorAll("figure.facelab-figure")].every(
  figure => figure.dataset.state && figure.dataset.state !== "waiting")"""
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(details => { details.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach(box => box.classList.remove("toggle-hidden"));
}"""
# Colours that still change from night to day are neither.
NO_TRANSITION = "*, *::before, *::after { transition: none !important; }"
# A page has thousands of coloured words of code, all in the colours of one style: they are checked on one page.
BUT_CODE = {"exclude": [["pre"]]}
# The pages of the API are written by one program in the same colours: one of them is checked for these, too.
COLOURLESS = {page for page in PAGES if page.parent.name == "api" and page.stem != "losses"}
# One style sheet makes all pages dark: some of each kind are checked for the colours of the night.
NIGHT = {Path(f"book/{page}") for page in ("intro.md", "how-to-use.md", "foundations/landmarks.ipynb", "references.md")}
NIGHT |= {Path(f"book/{page}") for page in ("synthesis/ledger.md", "synthesis/benchmark.ipynb", "appendix/glossary.md")}
FIGURES = {"include": [["figure.facelab-figure"]]}

Opening = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, site: Path) -> Iterator[Opening]:
    """Opens a page of the site, with all that is folded in it unfolded, and all figures drawn, by Plotly or not."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)

    def open_page(source: Path, width: int, colours: str, *, plotly: bool = False) -> Page:
        def answer(route: Route) -> None:
            if not plotly and route.request.url.endswith("/plotly.min.js"):
                route.fulfill(body=NO_PLOTLY, content_type="text/javascript")
            elif route.request.url.startswith(("file:", "data:", "blob:")):
                route.continue_()
            else:
                route.abort()

        page.route("**/*", answer)
        show(page, width, colours)
        page.goto((site / source.with_suffix(".html")).as_uri())
        page.add_style_tag(content=NO_TRANSITION)
        page.evaluate(UNFOLD)
        for figure in page.locator("figure.facelab-figure").all():
            figure.scroll_into_view_if_needed()
        page.wait_for_function(SETTLED)
        page.evaluate("window.MathJax?.startup ? MathJax.startup.promise : null")
        page.evaluate(AXE_SCRIPT)
        return page

    yield open_page
    page.close()


def show(page: Page, width: int, colours: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if colours == "dark" else "light")


def faults(page: Page, where: object, *rules: str, colours: bool = True) -> list[str]:
    """What axe-core finds of serious or critical impact: rule, element and reason, one line each."""
    options: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
    options |= {"runOnly": rules} if rules else {"rules": {"color-contrast": {"enabled": colours}}}
    found = page.evaluate(f"axe.run({json.dumps(where)}, {json.dumps(options)})")
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:120]}: {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("source", PAGES, ids=str)
def test_page_shuts_nobody_out(opened: Opening, source: Path) -> None:
    page = opened(source, PHONE, "dark")
    assert faults(page, BUT_CODE, colours=source in NIGHT) == []
    show(page, LAPTOP, "light")
    assert faults(page, BUT_CODE, colours=source not in COLOURLESS) == []


def test_pages_checked_at_night_are_pages() -> None:
    assert set(PAGES) >= NIGHT


def test_code_can_be_read_in_both_colours(opened: Opening) -> None:
    page = opened(CODE, LAPTOP, "dark")
    assert faults(page, "pre", "color-contrast") == []
    show(page, LAPTOP, "light")
    assert faults(page, "pre", "color-contrast") == []


@pytest.mark.parametrize("source", DRAWN, ids=str)
def test_drawn_figures_shut_nobody_out(opened: Opening, source: Path) -> None:
    page = opened(source, LAPTOP, "light", plotly=True)
    assert page.locator("figure.facelab-figure .main-svg").count() > 0
    assert faults(page, FIGURES) == []


def test_faults_are_found(page: Page) -> None:
    page.set_content('<p style="color:#ccc;background:#fff">Too pale</p><img src="face.png"><input>')
    page.evaluate(AXE_SCRIPT)
    assert {fault.split()[0] for fault in faults(page, "body")} >= {"color-contrast", "image-alt", "label"}
