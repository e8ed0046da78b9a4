"""Ellipses in a browser: what the inputs draw is what the weights of the loss say."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from facelab import viz
from facelab.losses import anisotropic_weights

RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 64, 64, generator=RANDOM)
LANDMARKS = 64 * torch.rand(2, 68, 2, generator=RANDOM)
LANDMARKS[1, 5] = torch.nan


@pytest.fixture(autouse=True)
def shown(show_on_phone: Callable[[str], None]) -> None:
    figure = viz.ellipse_figure(IMAGES, LANDMARKS, "68", "Two faces of noise with ellipses.", side=64.0)
    show_on_phone(figure.html())


def drawn(page: Page) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Landmark to the covariance and the place of its ellipse, from the matrices that the page has set."""
    read = "all => all.map(each => [Number(each.dataset.landmark), each.getAttribute('transform')])"
    found = {}
    for landmark, transform in page.locator("circle").evaluate_all(read):
        first, second, third, fourth, x, y = map(float, re.findall(r"-?[\d.]+(?:e-?\d+)?", transform))
        axes = np.array([[first, third], [second, fourth]])
        found[landmark] = (axes @ axes.T, np.array([x, y]))
    return found


def move(page: Page, name: str, value: float) -> None:
    page.locator(f"input[name={name}]").fill(str(value))


@pytest.mark.parametrize(("face", "a", "b"), [(0, 5.0, 3.0), (1, 8.0, 1.5), (1, 2.0, 4.0)])
def test_every_ellipse_is_the_inverse_of_its_weight(page: Page, face: int, a: float, b: float) -> None:
    move(page, "face", face + 1)
    move(page, "a", a)
    move(page, "b", b)
    weights = anisotropic_weights(LANDMARKS[face : face + 1].double(), "68", a, b)[0].numpy()
    found = drawn(page)
    assert set(found) == set(range(68)) - ({5} if face else set())
    for landmark, (covariance, place) in found.items():
        np.testing.assert_allclose(covariance @ weights[landmark], np.eye(2), atol=0.01)
        np.testing.assert_allclose(place, LANDMARKS[face, landmark], atol=0.006)


def test_weights_are_told_and_reset_restores(page: Page) -> None:
    told = page.locator(".ellipses-weights")
    expect(told).to_contain_text("along 1/a² = 0.040, across 1/b² = 0.111")
    expect(told).to_contain_text("corner 1")
    move(page, "a", 10)
    expect(told).to_contain_text("along 1/a² = 0.010")
    assert page.locator("label output").all_inner_texts() == ["10", "3", "1"]
    page.get_by_role("button", name="Reset").click()
    # The browser itself resets the numbers beside the inputs, before the page tells the weights.
    expect(told).to_contain_text("along 1/a² = 0.040")
    assert page.locator("label output").all_inner_texts() == ["5", "3", "1"]


def test_it_fits_a_phone_and_the_printed_page_has_the_still(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("svg").is_visible()
