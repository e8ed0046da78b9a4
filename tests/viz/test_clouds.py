"""Landmarks in space: coordinates, names, views."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from facelab import viz
from facelab.markups import markup

ALT = "Landmarks of noise in space, for a test."
POINTS = 100 * torch.rand(68, 3, generator=torch.Generator().manual_seed(0))
OFFSET = torch.tensor([1.0, 2.0, 2.0])


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_y_goes_down_and_nothing_is_mirrored() -> None:
    figure = viz.landmark_cloud(POINTS, POINTS + OFFSET, ALT).figure
    lines, dots, _, true = figure.data
    for trace, cloud in ((dots, POINTS), (true, POINTS + OFFSET)):
        np.testing.assert_allclose(np.stack([trace.x, -trace.y, trace.z], 1), cloud.numpy(), rtol=1e-6)
    camera = figure.layout.scene.camera
    assert (camera.up.y, figure.layout.scene.aspectmode) == (1, "data") and camera.eye.z > abs(camera.eye.x)
    first, second = markup("68").edges()[0]
    assert lines.x[:2].tolist() == [dots.x[first], dots.x[second]] and np.isnan(lines.x[2])
    assert len(lines.x) == 3 * len(markup("68").edges())


def test_pointing_at_a_landmark_tells_name_and_distance() -> None:
    figure = viz.landmark_cloud(POINTS, POINTS + OFFSET, ALT, labels=("ours", "theirs")).figure
    names = viz.landmark_names()
    assert figure.data[1].text[36] == f"{names[36]}: 3.0 px off" and figure.data[3].text[36] == names[36]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["ours", "theirs"]
    alone = viz.landmark_cloud(POINTS, None, ALT).figure
    assert len(alone.data) == 2 and list(alone.data[1].text) == names


def test_views_turn_the_nose_to_the_right() -> None:
    front, half, side = viz.landmark_views(POINTS).axes
    centred = (POINTS - POINTS.mean(0)).numpy()
    x, y, z = centred.T
    for ax, expected in ((front, x), (half, (x + z) / np.sqrt(2)), (side, z)):
        dots = ax.lines[-1]
        np.testing.assert_allclose(dots.get_xdata(), expected, atol=1e-4)
        np.testing.assert_allclose(dots.get_ydata(), y, atol=1e-4)
        assert ax.get_ylim()[0] > ax.get_ylim()[1] and ax.get_xlim() == front.get_xlim()


def test_the_picture_comes_first() -> None:
    figure = viz.landmark_views(POINTS, POINTS + OFFSET, torch.rand(3, 100, 120))
    assert figure.axes[0].get_title() == "picture" and len(figure.axes) == 4
    assert figure.axes[0].images[0].get_array().shape[:2] == (100, 120)
    np.testing.assert_allclose(figure.axes[0].lines[-1].get_xdata(), POINTS[:, 0].numpy())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["predicted", "true"]


@pytest.mark.parametrize(
    ("points", "target", "message"),
    [
        (POINTS[:, :2], None, r"points: expected \(68, 3\) for mark-up 68, got \(68, 2\)"),
        (POINTS, POINTS[:66], r"target: expected \(68, 3\) for mark-up 68, got \(66, 3\)"),
    ],
)
def test_wrong_shapes_are_refused(points: torch.Tensor, target: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.landmark_cloud(points, target, ALT)
    with pytest.raises(ValueError, match=message):
        viz.landmark_views(points, target)


def test_a_cloud_needs_a_text() -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        viz.landmark_cloud(POINTS, None, "")
