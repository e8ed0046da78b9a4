"""A clip in a browser: landmarks and paths of the frame, the plot, playing and stopping."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from facelab import viz

RANDOM = torch.Generator().manual_seed(0)
FRAMES = torch.rand(6, 3, 32, 32, generator=RANDOM)
TRUTH = 32 * torch.rand(6, 68, 2, generator=RANDOM)
TRACKS = {"rough": TRUTH + torch.randn(6, 68, 2, generator=RANDOM), "smooth": TRUTH + 0.5}
FOLLOWED = (30, 8)


@pytest.fixture(autouse=True)
def shown(show_on_phone: Callable[[str], None]) -> None:
    alt = "Noise in which two networks follow landmarks."
    figure = viz.clip_figure(FRAMES, TRACKS, TRUTH, alt, FOLLOWED, rate=20, trail=2)
    show_on_phone(figure.html())


def numbers(path: str) -> np.ndarray:
    """The (x, y) pairs of a path of M and L."""
    return np.array([float(number) for number in re.findall(r"-?\d+\.\d+", path)]).reshape(-1, 2)


def test_slider_shows_landmarks_and_paths_of_its_frame(page: Page) -> None:
    page.locator("input[name=frame]").fill("4")
    assert page.locator("form output").inner_text() == "frame 4"
    assert len(set(page.locator("image").evaluate_all("all => all.map(each => each.getAttribute('href'))"))) == 1
    drawn = page.locator(".clip-networks path").evaluate_all("all => all.map(each => each.getAttribute('d'))")
    for network, track in enumerate(TRACKS.values()):
        _, true_path, path, dots = drawn[4 * network : 4 * network + 4]
        np.testing.assert_allclose(numbers(dots), track[4], atol=0.0101)
        np.testing.assert_allclose(numbers(path), track[2:5, FOLLOWED].transpose(0, 1).reshape(-1, 2), atol=0.0101)
        np.testing.assert_allclose(numbers(true_path), TRUTH[2:5, FOLLOWED].transpose(0, 1).reshape(-1, 2), atol=0.0101)


def lines(page: Page) -> np.ndarray:
    """(3, T) heights of the plot's lines above its bottom, in pixels: truth, then networks."""
    found = page.locator(".clip-plot polyline").evaluate_all("all => all.map(each => each.getAttribute('points'))")
    return -np.array([numbers(each)[:, 1] for each in found])


def test_plot_shows_the_chosen_landmark_and_measure(page: Page) -> None:
    rough, smooth = (track - TRUTH for track in TRACKS.values())
    for landmark, axis in ((30, 0), (8, 1)):
        page.locator("select[name=landmark]").select_option(str(landmark))
        page.locator("select[name=axis]").select_option(str(axis))
        heights = lines(page) - lines(page)[:1]
        scale = heights[2].mean() / 0.5  # pixels of the page for one of the clip
        np.testing.assert_allclose(heights[1] / scale, rough[:, landmark, axis], atol=0.05)
        np.testing.assert_allclose(heights[2] / scale, smooth[:, landmark, axis], atol=0.05)
    page.locator("select[name=measure]").select_option("place")
    truth = lines(page)[0]
    assert np.corrcoef(truth, TRUTH[:, 8, 1])[0, 1] > 0.999
    assert "y (px)" in page.locator(".clip-plot").text_content()


def test_button_plays_and_stops(page: Page) -> None:
    button = page.get_by_role("button", name="play or stop")
    button.click()
    page.wait_for_function("() => document.querySelector('input[name=frame]').value !== '0'")
    button.click()
    stopped = page.locator("input[name=frame]").input_value()
    for _ in range(4):  # a frame is 50 ms, and 300 ms are all of them
        page.wait_for_timeout(70)
        assert page.locator("input[name=frame]").input_value() == stopped


def test_it_fits_a_phone_and_the_printed_page_has_the_still(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator(".clip-plot").is_visible()
