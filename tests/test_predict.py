"""A photograph to landmarks: the portrait that comes with matplotlib."""

import math

import pytest
import torch
from matplotlib import cbook

from facelab import predict, recipes
from facelab.data import read_image


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def test_the_cascade_finds_the_face(portrait: torch.Tensor) -> None:
    squares = predict.detect_faces(portrait)
    assert len(squares) == 1
    torch.testing.assert_close(squares[0], torch.tensor([155.0, 105.0, 377.0, 327.0]), atol=4, rtol=0)
    x0, y0, x1, y1 = predict.landmark_box_of_detection(squares[0]).tolist()
    assert 155 <= x0 < x1 <= 377 and 105 < y0 < y1 < 340


def test_a_photograph_of_many_pixels_has_the_same_face(portrait: torch.Tensor) -> None:
    many = torch.nn.functional.interpolate(portrait[None], scale_factor=3.0, mode="bilinear")[0]
    squares = predict.detect_faces(many)
    assert len(squares) == 1
    torch.testing.assert_close(squares[0] / 3, predict.detect_faces(portrait)[0], atol=12, rtol=0)


def test_no_face_is_no_error() -> None:
    assert predict.detect_faces(torch.full((3, 64, 64), 0.5)).shape == (0, 4)


def test_landmarks_fall_into_the_photograph_whatever_its_size(portrait: torch.Tensor) -> None:
    recipe = recipes.get("fan", "smoke")
    box = predict.landmark_box_of_detection(predict.detect_faces(portrait)[0])
    points = predict.landmarks_of_photograph(recipe, recipe.model(0), portrait, box)
    assert points.shape == (68, 2)
    centre, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    assert float(((points - centre).abs() / side).max()) < 0.75


def test_squares_of_one_face_are_one() -> None:
    """Of the small square 0.6 lies in the large one; of the other two, which share nothing, 0.4 and nothing."""
    boxes = torch.tensor([[8.0, 0, 18, 10], [12.0, 0, 22, 10], [0.0, 0, 14, 14], [40.0, 0, 50, 10]])
    kept = predict.without_doubles(boxes)
    assert kept.tolist() == [boxes[index].tolist() for index in (2, 1, 3)]


def test_a_square_counts_against_those_that_stay_only() -> None:
    """Each lies by 0.6 in the one before it: the second goes, so the third stays."""
    chain = torch.tensor([[0.0, 0, 100, 100], [40.0, 0, 139, 99], [80.0, 0, 178, 98]])
    assert predict.without_doubles(chain).tolist() == chain[[0, 2]].tolist()
    assert predict.without_doubles(torch.zeros(0, 4)).shape == (0, 4)


def test_a_predictor_gives_what_its_network_gives(portrait: torch.Tensor) -> None:
    recipe = recipes.get("fan", "smoke")
    model = recipe.model(0)
    (face,) = predict.Predictor(predict.Network(recipe, model)).faces(portrait)
    torch.testing.assert_close(face.landmarks, predict.landmarks_of_photograph(recipe, model, portrait, face.box))
    with torch.inference_mode():
        plain = recipe.landmarks(model, predict.photograph(portrait, face.box), "quarter")[0]
    (other,) = predict.Predictor(predict.Network(recipe, model), decoder="quarter", mirror=False).faces(portrait)
    torch.testing.assert_close(other.landmarks, plain)
    assert face.detected and not torch.equal(face.landmarks, other.landmarks)
    assert predict.Predictor(predict.Network(recipe, model)).faces(torch.zeros(3, 64, 64)) == ()


def test_views_turn_the_face_as_a_walk_to_the_right_does() -> None:
    """The nose, nearest to the viewer, goes to the left by the sine of the angle; heights stay."""
    landmarks = torch.zeros(68, 3)
    landmarks[0], landmarks[30] = torch.tensor([0.0, 0, -34]), torch.tensor([0.0, 0, 34])
    landmarks[8, 1], landmarks[27, 1] = 34, -34
    face = predict.PredictedFace(landmarks, torch.zeros(4), detected=True)
    figure = predict.draw_faces(torch.ones(3, 40, 400), [face])
    photograph, *views = figure.axes
    drawn = [view.lines[-1].get_xydata() for view in views]
    for points, degrees in zip(drawn, (0, 45, 90), strict=True):
        assert points[30, 0] == pytest.approx(-34 * math.sin(math.radians(degrees)), abs=1e-4)
        assert points[[0, 8, 27, 30], 1].tolist() == pytest.approx([0, 34, -34, 0], abs=1e-4)
    assert all(view.get_ylim()[0] > view.get_ylim()[1] for view in (photograph, *views))


def test_bad_input_is_named(portrait: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"image: expected floating-point \(3, H, W\) in \[0, 1\], got torch.uint8"):
        predict.detect_faces((portrait * 255).byte())
    with pytest.raises(ValueError, match=r"box: expected \(4,\)"):
        predict.photograph(portrait, torch.zeros(2, 4))
