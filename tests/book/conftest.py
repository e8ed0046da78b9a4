"""The rendered site and a browser that cannot reach a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tools.book.layout import BookError
from tools.book.site import COMMITTED, build, committed

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the pages, rendered from the committed outputs. Nothing is rendered twice."""
    try:
        return build(COMMITTED, committed).parent
    except BookError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """An installed Chromium or Chrome."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        executable = found or (str(own) if own.exists() else None)
        if executable is None:
            pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may ask for nothing but files."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    yield page
    page.close()


@pytest.fixture
def show_on_phone(page: Page, tmp_path: Path) -> Callable[[str], None]:
    """Shows the HTML of one figure on the page, as narrow as a phone, and waits until the figure moves.

    The page lies in ``tmp_path``, where Plotly's figures look for plotly.js, in ``vendor``.
    """

    def show(figure: str) -> None:
        html = f'<html data-content_root="./"><meta charset="utf-8"><body>{figure}</body></html>'
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("figure[data-state=live], figure[data-state=drawn]")

    return show
