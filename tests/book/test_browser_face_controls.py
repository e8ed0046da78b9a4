"""A face with inputs in a browser: the numbers told are those of the package, and the drawing is where they put it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from facelab import viz
from facelab.face3d import MorphableModel, builtin_face
from facelab.geometry import WeakPerspective, rotation_matrix
from tests.book.waiting import drawn

PIXELS, SIDE = 240, 120
BLUE = (0.0, 0.0, 1.0)  # no paper and no landmark is as blue


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return builtin_face().subset(("face", "lips", "ears"))


@pytest.fixture(autouse=True)
def shown(show_on_phone: Callable[[str], None], model: MorphableModel) -> None:
    colours = torch.tensor(BLUE).expand(model.mean.shape[1], 3)
    alt = "A blue face with inputs for its parameters."
    figure = viz.parameter_figure(model, colours, alt, identity=(1,), expression=(0,), side=SIDE, pixels=PIXELS)
    show_on_phone(figure.html())


def move(page: Page, **values: float) -> None:
    """Set inputs, named by the first words of their labels, and wait for the drawing."""
    set_value = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }"
    for name, value in values.items():
        page.locator(f"input[aria-label^='{name} ']").evaluate(set_value, value)
    drawn(page)


def told(page: Page) -> np.ndarray:
    """The (3, 4) camera in the table."""
    rows = page.locator(".face-controls-numbers tr").all_inner_texts()[1:4]
    return np.array([[float(number) for number in row.split()] for row in rows])


def covered(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """The box of the blue pixels: left and top, right and bottom."""
    read = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
    picture = np.array(page.locator("canvas").evaluate(read)).reshape(PIXELS, PIXELS, 4)
    y, x = np.nonzero((picture[..., 2] > 60) & (picture[..., 0] < 30))
    return np.array([x.min(), y.min()]), np.array([x.max(), y.max()])


@pytest.mark.parametrize(("pitch", "yaw", "roll"), [(0, 0, 0), (20, -60, 10), (-30, 45, -35)])
def test_camera_and_drawing_are_those_of_the_package(
    page: Page, model: MorphableModel, pitch: float, yaw: float, roll: float
) -> None:
    move(page, pitch=pitch, yaw=yaw, roll=roll, scale=4.0, x=60, y=58, mode=2.0, jaw=0.8)
    angles = torch.tensor([pitch, yaw, roll]).deg2rad()
    camera = WeakPerspective(torch.tensor([4.0]), rotation_matrix(*angles)[None], torch.tensor([[60.0, 58.0]]))
    np.testing.assert_allclose(told(page), camera.matrix()[0], atol=0.0051)
    identity, expression = torch.tensor([0, 2 * model.identity_std[1]]), torch.tensor([0.8])
    seen = camera.project(model.vertices(identity, expression))[0, model.triangles.unique(), :2]
    zoom = PIXELS / SIDE
    expected = ((seen.aminmax(dim=0).min + 0.5) * zoom - 0.5, (seen.aminmax(dim=0).max + 0.5) * zoom - 0.5)
    for found, wanted in zip(covered(page), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2.5)  # a pixel of the drawing, and lines around landmarks


def test_coefficients_are_told_raw_and_reset_restores(page: Page, model: MorphableModel) -> None:
    before = told(page)
    move(page, mode=2.0, jaw=0.5, yaw=30)
    text = page.locator(".face-controls-numbers").inner_text()
    assert f"{2 * float(model.identity_std[1]):.2f}" in text and "0.50" in text
    assert not np.allclose(told(page), before)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("() => document.querySelector(\"input[aria-label^='yaw']\").value === '0'")
    drawn(page)
    np.testing.assert_array_equal(told(page), before)


def test_it_fits_a_phone_and_the_printed_page_has_the_still(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("canvas").is_visible()
