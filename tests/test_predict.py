"""A photograph to landmarks: the portrait that comes with matplotlib."""

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


def test_no_face_is_no_error() -> None:
    assert predict.detect_faces(torch.full((3, 64, 64), 0.5)).shape == (0, 4)


def test_landmarks_fall_into_the_photograph_whatever_its_size(portrait: torch.Tensor) -> None:
    recipe = recipes.get("fan", "smoke")
    box = predict.landmark_box_of_detection(predict.detect_faces(portrait)[0])
    points = predict.landmarks_of_photograph(recipe, recipe.model(0), portrait, box)
    assert points.shape == (68, 2)
    centre, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    assert float(((points - centre).abs() / side).max()) < 0.75


def test_bad_input_is_named(portrait: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"image: expected floating-point \(3, H, W\) in \[0, 1\], got torch.uint8"):
        predict.detect_faces((portrait * 255).byte())
    with pytest.raises(ValueError, match=r"box: expected \(4,\)"):
        predict.photograph(portrait, torch.zeros(2, 4))
