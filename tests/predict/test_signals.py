"""What is measured of a photograph, against photographs whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch

from facelab.data.photometry import gaussian_blur
from facelab.face3d.parameters import compose, pack
from facelab.markups import convert
from facelab.predict import PredictedFace, distances, measure, median_landmarks

BOX = torch.tensor([20.0, 10.0, 83.0, 93.0])


def _points(shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    """Points in a box of 100 x 100 pixels, its corners among them."""
    points = 100 * torch.rand(68, 2, generator=torch.Generator().manual_seed(seed))
    points[0], points[16] = torch.tensor([0.0, 0.0]), torch.tensor([100.0, 100.0])
    return points + torch.tensor([shift, 0.0])


def _face(shift: float = 0.0, **changes: object) -> PredictedFace:
    return replace(PredictedFace(_points(shift), BOX, False), **changes)  # type: ignore[arg-type]


def _noise(height: int = 120, width: int = 110) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def test_the_box_is_measured() -> None:
    signals = measure({"fan": _face()}, _noise())
    assert signals.side == 83
    assert signals.inside == 1
    assert signals.yaw is None and signals.peak is None and signals.disagreement is None


def test_what_of_the_box_is_inside() -> None:
    """The photograph ends at x = 51.5: the box begins at 20 and is 63 wide."""
    assert measure({"fan": _face()}, _noise(width=52)).inside == pytest.approx(31 / 63)


def test_light_is_that_of_the_box_alone() -> None:
    image = torch.zeros(3, 120, 110)
    image[:, 10:94, 20:84] = 0.25
    image[:, 10:94, 20:36] = 1.0
    signals = measure({"fan": _face()}, image)
    assert signals.white == pytest.approx(0.25)
    assert signals.brightness == pytest.approx(0.25 * 1 + 0.75 * 0.25, abs=1e-3)


def test_blur_takes_sharpness_and_light_does_not() -> None:
    image = 0.5 * gaussian_blur(_noise()[None], torch.tensor([0.8]))[0]
    sharp = measure({"fan": _face()}, image).sharpness
    assert measure({"fan": _face()}, 1.5 * image + 0.1).sharpness == pytest.approx(sharp, rel=1e-3)
    blurred = [gaussian_blur(image[None], torch.tensor([sigma]))[0] for sigma in (1.0, 3.0)]
    little, much = (measure({"fan": _face()}, one).sharpness for one in blurred)
    assert sharp > 1.5 * little > 15 * much


def test_yaw_is_the_mean_of_those_who_know() -> None:
    cameras = [
        compose(torch.ones(1), torch.tensor([[0.1, math.radians(a), 0.2]]), torch.zeros(1, 3)) for a in (-30, 50)
    ]
    known = [pack(camera, torch.zeros(1, 40), torch.zeros(1, 10))[0] for camera in cameras]
    faces = {"fan": _face(peak=0.7), "tddfa": _face(parameters=known[0]), "cln": _face(parameters=known[1])}
    signals = measure(faces, _noise())
    assert signals.yaw == pytest.approx(40, abs=0.01)
    assert signals.peak == 0.7


def test_distances_are_to_the_median_of_the_others() -> None:
    """One of four is 12 to the right, in a box of 100 x 100."""
    faces = {"a": _face(), "b": _face(), "c": _face(), "d": _face(12.0)}
    assert distances(faces) == pytest.approx({"a": 0, "b": 0, "c": 0, "d": 0.12}, abs=1e-6)
    assert measure(faces, _noise()).disagreement == pytest.approx(0.03)
    assert distances({"a": _face()}) == {"a": 0}


def test_the_median_is_over_what_all_methods_find() -> None:
    short = PredictedFace(convert(_points(4.0), "68", "66"), BOX, False, "66")
    middle = median_landmarks({"a": _face(), "b": short, "c": _face(30.0)})
    torch.testing.assert_close(middle, convert(_points(4.0), "68", "66"))


def test_bad_faces_are_named() -> None:
    with pytest.raises(ValueError, match="at least one method"):
        measure({}, _noise())
    with pytest.raises(ValueError, match="one box for all methods"):
        measure({"a": _face(), "b": _face(box=BOX + 1)}, _noise())
