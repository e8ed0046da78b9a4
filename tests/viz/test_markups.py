"""The figures of mark-ups and of the two jaws."""

import numpy as np
import pytest
import torch

from facelab import viz
from facelab.face3d import builtin_face
from facelab.markups import convert, markup, names
from facelab.viz.markups import along, placed


@pytest.fixture(scope="module")
def frontal() -> torch.Tensor:
    """(68, 2) pixels of the mean face, seen from the front."""
    face = builtin_face()
    camera = viz.portrait_camera(face, torch.zeros(1, 3))
    return camera.project(face.landmarks_of(face.vertices()))[0, :, :2]


@pytest.mark.parametrize("name", names())
def test_placed_points_keep_the_symmetry_of_the_mark_up(frontal: torch.Tensor, name: str) -> None:
    points = placed(frontal, name)
    assert points.shape == (markup(name).points, 2)
    middle = (frontal[36] + frontal[45])[0] / 2
    mirrored = points[list(markup(name).mirror)]
    mirrored = torch.stack([2 * middle - mirrored[:, 0], mirrored[:, 1]], 1)
    torch.testing.assert_close(mirrored, points, atol=0.05, rtol=0)


def test_placed_98_meets_the_68_where_the_mark_ups_share_points(frontal: torch.Tensor) -> None:
    points = placed(frontal, "98")
    shared = {0: 0, 32: 16, 33: 17, 46: 26, 51: 27, 54: 30, 55: 31, 60: 36, 64: 39, 68: 42, 72: 45, 76: 48, 95: 67}
    torch.testing.assert_close(points[list(shared)], frontal[list(shared.values())], atol=1e-3, rtol=0)
    back = convert(points, "98", "68")
    size = (frontal.amax(0) - frontal.amin(0)).prod().sqrt()
    assert (back - frontal).norm(dim=1).max() < 0.05 * size


def test_placed_brows_are_thick_and_lids_surround_the_pupil(frontal: torch.Tensor) -> None:
    many, few = placed(frontal, "98"), placed(frontal, "29")
    for upper, lower in ((many[[34, 35, 36]], many[[41, 40, 39]]), (few[[4, 6]], few[[5, 7]])):
        assert (upper[:, 1] < lower[:, 1] - 0.5).all()
    assert few[12, 1] < few[16, 1] < few[13, 1] and few[8, 0] < few[16, 0] < few[10, 0]
    assert few[24, 1] < few[25, 1] <= few[26, 1] < few[27, 1] < few[28, 1]


def test_a_mark_up_without_a_place_is_refused(frontal: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="convert 68 -> 7: expected one of"):
        placed(frontal, "7")


def test_along_steps_evenly_and_keeps_the_ends() -> None:
    curve = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    found = along(curve, 5)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 0], [3, 1]]))


def test_explorer_has_a_step_a_mark_up_and_names_its_points(frontal: torch.Tensor) -> None:
    schemes = ("68", "98", "19")
    shown = viz.markup_explorer(torch.rand(3, 200, 200), frontal, schemes, "A face with three mark-ups for a test.")
    figure = shown.figure
    assert [step.label for step in figure.layout.sliders[0].steps] == list(schemes)
    for frame, name in zip(figure.frames, schemes, strict=True):
        line, dots = frame.data
        assert list(frame.traces) == [1, 2]
        assert len(dots.x) == len(dots.text) == markup(name).points
        assert line.x.count(None) == len(markup(name).edges())
    assert "98 points" in figure.frames[1].data[1].name and figure.frames[1].data[1].text[97].startswith("97, pupil")


def test_jaws_are_drawn_on_the_picture_of_their_yaw() -> None:
    face = builtin_face()
    yaws = [-60.0, 0.0, 60.0]
    angles = torch.tensor([[0.0, yaw, 0.0] for yaw in yaws])
    picture = viz.portraits(face, angles, size=64)
    shown = viz.jaw_explorer(
        list(picture.image), picture.landmarks, picture.contour, yaws, "A head that turns, for a test."
    )
    assert [step.label for step in shown.figure.layout.sliders[0].steps] == ["-60°", "0°", "60°"]
    assert list(shown.figure.frames[2].traces) == [0, 1, 2, 3, 4]
    sources = {frame.data[0].source for frame in shown.figure.frames}
    assert len(sources) == 3 and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    dots = shown.figure.frames[2].data[4]
    np.testing.assert_allclose(dots.x, picture.contour[2, :, 0].numpy(), atol=0.006)


def test_slides_refuse_what_does_not_go_together() -> None:
    overlay = viz.Overlay(torch.zeros(1, 2), [], "red", "dots", ["dot"])
    with pytest.raises(ValueError, match="expected 1 or 3 pictures"):
        viz.slides([torch.zeros(3, 8, 8)] * 2, [[overlay]] * 3, list("abc"), "A figure that cannot be.")
    with pytest.raises(ValueError, match="as many overlays a step"):
        viz.slides([torch.zeros(3, 8, 8)], [[overlay], []], list("ab"), "A figure that cannot be.")
