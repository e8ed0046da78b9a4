"""Interactive figures in a browser: drawing, blending, resetting, and what is left when drawing is impossible."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import plotly
import plotly.graph_objects as go
from playwright.sync_api import Page

from facelab.viz.figure import Blend, InteractiveFigure
from tests.book.waiting import drawn

ALT = "A square that sliders stretch and lift."
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
WIDER = np.array([[-1, 0, 0], [1, 0, 0], [1, 0, 0], [-1, 0, 0]], np.float32)
LIFTED = np.array([[0, 0, 0.5], [0, 0, 1], [0, 0, 1.5], [0, 0, 2]], np.float32)
DRAWN = "figure => figure.dataset.state && figure.dataset.state !== 'waiting'"


def figure() -> InteractiveFigure:
    mesh = go.Mesh3d(x=CORNERS[:, 0], y=CORNERS[:, 1], z=CORNERS[:, 2], i=[0, 0], j=[1, 2], k=[2, 3])
    dots = go.Scatter3d(x=CORNERS[:, 0], y=CORNERS[:, 1], z=CORNERS[:, 2], mode="markers")
    controls = [
        Blend("wider", WIDER, -1, 2),
        Blend("lifted", LIFTED, 0, 2, value=0.5),
        Blend("wider", 2 * WIDER, -1, 2, trace=1),
    ]
    return InteractiveFigure(go.Figure([mesh, dots]), ALT, np.full((40, 40, 3), 200, np.uint8), controls=controls)


def show(page: Page, folder: Path, body: str, *, vendored: bool = True, head: str = "") -> None:
    """Open a page with `body` and, if `vendored`, with plotly.js beside it."""
    if vendored:
        (folder / "vendor").mkdir()
        source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        shutil.copy2(source, folder / "vendor" / "plotly.min.js")
    html = f'<html data-content_root="./"><head>{head}</head><body>{body}</body></html>'
    (folder / "page.html").write_text(html, encoding="utf-8")
    page.goto((folder / "page.html").as_uri())
    for element in page.locator("figure").element_handles():
        page.wait_for_function(DRAWN, arg=element)


def positions(page: Page, trace: int) -> np.ndarray:
    """(V, 3) coordinates of a trace as Plotly holds them now."""
    read = "(plot, index) => ['x', 'y', 'z'].map(axis => Array.from(plot._fullData[index][axis]))"
    return np.array(page.locator(".facelab-plot").first.evaluate(read, trace)).T


def move(page: Page, name: str, value: float) -> None:
    page.get_by_label(name).first.fill(str(value))
    drawn(page)


def test_sliders_blend_and_reset_restores(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, figure().html())
    np.testing.assert_allclose(positions(page, 0), CORNERS + 0.5 * LIFTED, atol=1e-3)
    move(page, "wider", 1.5)
    move(page, "lifted", 1.0)
    np.testing.assert_allclose(positions(page, 0), CORNERS + 1.5 * WIDER + LIFTED, atol=1e-3)
    np.testing.assert_allclose(positions(page, 1), CORNERS + 3.0 * WIDER, atol=1e-3)
    assert page.locator("output").all_text_contents() == ["1.50", "1.00"]
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_function("() => document.querySelector('output').value === '0.00'")
    drawn(page)
    np.testing.assert_allclose(positions(page, 0), CORNERS + 0.5 * LIFTED, atol=1e-3)
    np.testing.assert_allclose(positions(page, 1), CORNERS, atol=1e-3)


def test_sliders_answer_the_keyboard(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, figure().html())
    page.get_by_label("wider").focus()
    page.keyboard.press("End")
    page.wait_for_function("() => document.querySelector('output').value === '2.00'")


def test_poster_gives_way_to_the_plot(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, figure().html())
    assert page.locator("figure").get_attribute("data-state") == "drawn"
    assert page.locator(".facelab-plot").is_visible()
    assert not page.locator(".facelab-poster").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".facelab-poster").is_visible()


def test_two_figures_share_one_download(page: Page, tmp_path: Path) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    show(page, tmp_path, figure().html() + figure().html())
    assert page.locator("figure[data-state=drawn]").count() == 2
    assert sum(url.endswith("plotly.min.js") for url in loaded) == 1


def assert_still(page: Page, reason: str) -> None:
    assert str(page.locator("figure").get_attribute("data-state")).startswith(f"still: {reason}")
    poster = page.locator(".facelab-poster")
    assert poster.is_visible()
    assert poster.get_attribute("alt") == ALT
    assert not page.locator(".facelab-plot").is_visible()
    assert not page.locator(".facelab-controls").is_visible()


def test_without_the_file_the_public_address_is_asked_and_the_poster_stays(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("requestfailed", lambda request: asked.append(request.url))
    show(page, tmp_path, figure().html(), vendored=False)
    assert_still(page, "cannot load https://cdn.plot.ly/plotly-")
    assert asked[0].endswith("/vendor/plotly.min.js")
    assert asked[-1].startswith("https://cdn.plot.ly/plotly-")


def test_without_webgl_the_poster_stays(page: Page, tmp_path: Path) -> None:
    off = "<script>HTMLCanvasElement.prototype.getContext = () => null;</script>"
    show(page, tmp_path, figure().html(), head=off)
    assert_still(page, "WebGL is off")
