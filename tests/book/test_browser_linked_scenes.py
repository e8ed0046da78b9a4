"""Two scenes in a browser: turning one turns both, and they stay turned when the slider moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly
import pytest
import torch
from playwright.sync_api import Page

from facelab import viz
from tests.book.waiting import drawn

TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
GUESS = torch.stack([SQUARE + 0.1, SQUARE * 1.2])


@pytest.fixture(autouse=True)
def shown(page: Page, show_on_phone: Callable[[str], None], tmp_path: Path) -> None:
    """With plotly.js beside the page."""
    alt = "Two squares beside squares that are off."
    figure = viz.mesh_error_figure(GUESS, SQUARE.expand(2, 4, 3), TRIANGLES, alt)
    (tmp_path / "vendor").mkdir()
    shutil.copy2(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", tmp_path / "vendor")
    show_on_phone(figure.html())
    drawn(page)


def eyes(page: Page) -> np.ndarray:
    """(2, 3) where both cameras are."""
    read = "plot => ['scene', 'scene2'].map(name => plot._fullLayout[name]._scene.getCamera().eye)"
    return np.array([[eye[axis] for axis in "xyz"] for eye in page.locator(".facelab-plot").evaluate(read)])


def at_rest(page: Page, gone_from: np.ndarray | None = None) -> np.ndarray:
    """The same, once they move no more: a camera comes to where it was dragged over some frames.

    gone_from: where they are before they begin to move.
    """
    before = eyes(page)
    for _ in range(50):
        page.wait_for_timeout(100)
        drawn(page)
        now = eyes(page)
        if np.array_equal(now, before) and (gone_from is None or not np.array_equal(now, gone_from)):
            return now
        before = now
    raise AssertionError("the cameras do not come to rest elsewhere")


@pytest.mark.parametrize("side", [0.25, 0.75])
def test_turning_one_scene_turns_both_for_good(page: Page, side: float) -> None:
    before = at_rest(page)
    np.testing.assert_allclose(before[0], before[1])
    box = page.locator(".facelab-plot").bounding_box()
    assert box
    x, y = box["x"] + side * box["width"], box["y"] + 0.4 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 10, steps=4)
    page.mouse.up()
    turned = at_rest(page, gone_from=before)
    np.testing.assert_allclose(turned[0], turned[1], atol=1e-6)
    assert np.abs(turned - before).max() > 0.1
    page.locator(".facelab-plot").evaluate("plot => window.Plotly.animate(plot, ['1'], {frame: {redraw: true}})")
    page.wait_for_timeout(500)  # nothing turns them back afterwards
    np.testing.assert_allclose(at_rest(page), turned, atol=1e-6)
    shown = page.locator(".facelab-plot").evaluate("plot => Array.from(plot._fullData[1].x)")
    expected = GUESS[1, :, 0].double().numpy()
    np.testing.assert_allclose(np.diff(shown) / np.ptp(shown), np.diff(expected) / np.ptp(expected), atol=1e-3)
