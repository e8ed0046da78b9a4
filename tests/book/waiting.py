"""Waiting for a page in a browser, by what it has done and not by the clock."""

from playwright.sync_api import Page

_DRAWN = """() => new Promise(done => window.setTimeout(
    () => requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 0))"""


def drawn(page: Page) -> None:
    """Waits until the page has drawn what was done to it: scripts wait for a timer, then for a frame."""
    page.evaluate(_DRAWN)
