"""Two scenes in a browser: turning one turns both, and they stay turned when the slider moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plotly
import pytest
import torch
from playwright.sync_api import Browser, Page

from facelab import viz

TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
GUESS = torch.stack([SQUARE + 0.1, SQUARE * 1.2])


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page with one figure and plotly.js beside it; nothing else may be asked for."""
    alt = "Two squares beside squares that are off."
    figure = viz.mesh_error_figure(GUESS, SQUARE.expand(2, 4, 3), TRIANGLES, alt)
    (tmp_path / "vendor").mkdir()
    shutil.copy2(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", tmp_path / "vendor")
    html = f'<html data-content_root="./"><meta charset="utf-8"><body>{figure.html()}</body></html>'
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 600, "height": 800})
    page.set_default_timeout(60_000)
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("figure[data-state=drawn]")
    page.wait_for_timeout(300)
    yield page
    page.close()


def eyes(page: Page) -> np.ndarray:
    """(2, 3) where both cameras are."""
    read = "plot => ['scene', 'scene2'].map(name => plot._fullLayout[name]._scene.getCamera().eye)"
    return np.array([[eye[axis] for axis in "xyz"] for eye in page.locator(".facelab-plot").evaluate(read)])


@pytest.mark.parametrize("side", [0.25, 0.75])
def test_turning_one_scene_turns_both_for_good(page: Page, side: float) -> None:
    before = eyes(page)
    np.testing.assert_allclose(before[0], before[1])
    box = page.locator(".facelab-plot").bounding_box()
    assert box
    x, y = box["x"] + side * box["width"], box["y"] + 0.4 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 10, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    turned = eyes(page)
    np.testing.assert_allclose(turned[0], turned[1], atol=1e-6)
    assert np.abs(turned - before).max() > 0.1
    page.locator(".facelab-plot").evaluate("plot => window.Plotly.animate(plot, ['1'], {frame: {redraw: true}})")
    page.wait_for_timeout(500)
    np.testing.assert_allclose(eyes(page), turned, atol=1e-6)
    shown = page.locator(".facelab-plot").evaluate("plot => Array.from(plot._fullData[1].x)")
    expected = GUESS[1, :, 0].double().numpy()
    np.testing.assert_allclose(np.diff(shown) / np.ptp(shown), np.diff(expected) / np.ptp(expected), atol=1e-3)
