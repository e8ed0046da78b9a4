"""Self-shuffling in a browser: where tiles are at each time, the thumbnail, what is told, playing and stopping."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from playwright.sync_api import Page

from facelab import viz
from facelab.data import SelfShuffle, self_shuffle

SIDE, TILES = 32, 4
CELL = SIDE // TILES
RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=RANDOM)
POINTS = SIDE * torch.rand(2, 68, 2, generator=RANDOM) - 0.5
SHUFFLED = self_shuffle(IMAGES, SelfShuffle(TILES, swaps=(3, 4)), torch.Generator().manual_seed(1))
SHUFFLED.covered[1] = -1  # the second has no thumbnail


@pytest.fixture(autouse=True)
def shown(show_on_phone: Callable[[str], None]) -> None:
    alt = "Noise in four times four tiles that change places."
    show_on_phone(viz.shuffle_figure(IMAGES, SHUFFLED, POINTS, alt, seconds=1.0).html())


def corner(place: int) -> list[float]:
    return [float(CELL * (place % TILES)), float(CELL * (place // TILES))]


def places(page: Page) -> dict[str, list[float]]:
    """Corner of each tile and of the thumbnail."""
    read = "all => all.map(each => [each.dataset.tile, Number(each.getAttribute('x')), Number(each.getAttribute('y'))])"
    return {name: at for name, *at in page.locator("svg svg").evaluate_all(read)}


def go(page: Page, time: int) -> None:
    page.locator("input[name=time]").fill(str(time))


def test_tiles_go_to_their_places_and_back(page: Page) -> None:
    held, covered = SHUFFLED.held[0].tolist(), int(SHUFFLED.covered[0])
    home = {str(tile): corner(tile) for tile in range(TILES**2)}
    there = {str(tile): corner(place) for place, tile in enumerate(held)}
    go(page, 0)
    assert places(page) == home | {"thumbnail": [0, 0]}
    assert page.locator("[data-tile=thumbnail]").get_attribute("opacity") == "0.000"
    go(page, 200)
    now = places(page)
    for tile, (x, y) in now.items():
        if tile == "thumbnail":
            continue
        for value, ends in zip((x, y), zip(home[tile], there[tile], strict=True), strict=True):
            assert min(ends) <= value <= max(ends) and (value not in ends or ends[0] == ends[1])
    go(page, 600)
    assert places(page) == there | {"thumbnail": corner(covered)}
    thumbnail = page.locator("[data-tile=thumbnail]")
    assert float(thumbnail.get_attribute("width")) == CELL and thumbnail.get_attribute("opacity") == "1.000"
    assert page.locator(f"[data-tile='{held[covered]}']").get_attribute("opacity") == "0"
    go(page, 1000)
    assert places(page) == home | {"thumbnail": corner(held[covered])}
    assert page.locator(".tiles-stage").inner_text() == "put back"


def test_it_tells_how_far_pixels_are_from_their_landmarks(page: Page) -> None:
    moved, gone = viz.travelled(POINTS, SHUFFLED)
    far = (moved - POINTS).norm(dim=2)
    go(page, 600)
    for picture in (0, 1):
        page.locator("select[name=picture]").select_option(index=picture)
        kept = far[picture][~gone[picture]]
        told = page.locator(".tiles-told").inner_text()
        assert f"the pixels of {int((kept > 0).sum())}, on average of all {100 * kept.mean() / SIDE:.1f} %" in told
        assert f"Covered: those of {int(gone[picture].sum())}." in told
    assert page.locator("[data-tile=thumbnail]").count() == 0
    go(page, 0)
    assert "the pixels of 0," in page.locator(".tiles-told").inner_text()


def test_landmarks_can_be_hidden(page: Page) -> None:
    marks = page.locator("figure > svg > g")
    assert marks.get_attribute("visibility") == "visible"
    page.locator("input[name=label]").uncheck()
    assert marks.get_attribute("visibility") == "hidden"


def test_button_plays_to_the_end_and_again(page: Page) -> None:
    button, slider = page.get_by_role("button", name="play or stop"), page.locator("input[name=time]")
    button.click()
    page.wait_for_function("() => document.querySelector('input[name=time]').value === '1000'")
    assert button.inner_text() == "▶"
    button.click()
    page.wait_for_function("() => document.querySelector('input[name=time]').value < 900")
    button.click()
    stopped = slider.input_value()
    for _ in range(3):
        page.wait_for_timeout(60)
        assert slider.input_value() == stopped


def test_it_fits_a_phone_and_the_printed_page_has_the_still(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("form").is_visible()
