"""Errors along and across contours, in percent of the box, and the face they are drawn on."""

import math

import pytest
import torch
from torch import Tensor

from facelab import viz

RANDOM = torch.Generator().manual_seed(0)
FACE = 100 * torch.rand(68, 2, generator=RANDOM, dtype=torch.float64)
FACE[:17] = torch.arange(17.0)[:, None] * torch.tensor([3.0, 4.0])  # a jaw along (0.6, 0.8)


def box(face: Tensor) -> float:
    return math.sqrt(float((face.amax(0) - face.amin(0)).prod()))


def test_errors_are_split_at_the_contour_and_divided_by_the_box() -> None:
    errors = torch.zeros(1, 68, 2)
    errors[0, 8] = torch.tensor([3.0, 4.0])  # all along
    errors[0, 9] = torch.tensor([-4.0, 3.0])  # all across
    errors[0, 36] = torch.tensor([1.0, 2.0])  # a corner keeps x and y
    found = viz.contour_errors(errors, FACE[None].float(), "68")[0] * box(FACE) / 100
    torch.testing.assert_close(found[8], torch.tensor([5.0, 0.0], dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[9], torch.tensor([0.0, 5.0], dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[36], torch.tensor([1.0, 2.0], dtype=torch.float64), atol=1e-5, rtol=0)


def test_errors_turn_and_grow_with_the_face() -> None:
    errors = torch.randn(1, 68, 2, generator=RANDOM, dtype=torch.float64)
    quarter = torch.tensor([[0.0, 2.0], [-2.0, 0.0]], dtype=torch.float64)  # twice as large, a quarter turned
    curves = [index for index in range(68) if index not in (36, 39, 42, 45, 48, 54, 60, 64)]
    before = viz.contour_errors(errors, FACE[None], "68")
    after = viz.contour_errors(errors @ quarter, FACE[None] @ quarter, "68")
    torch.testing.assert_close(before[:, curves], after[:, curves])


def test_axes_lead_from_the_frame_back_to_the_picture() -> None:
    errors = torch.randn(1, 68, 2, generator=RANDOM, dtype=torch.float64)
    turned = viz.contour_errors(errors, FACE[None], "68")[0]
    back = (viz.contour_axes(FACE, "68") @ turned[..., None])[..., 0] * box(FACE) / 100
    torch.testing.assert_close(back, errors[0])


def test_missing_landmarks_have_no_error() -> None:
    target = FACE[None].clone()
    target[0, 3] = torch.nan
    found = viz.contour_errors(torch.ones(1, 68, 2), target.float(), "68")[0]
    assert found[3].isnan().all() and found.isfinite().all(1).sum() == 67


def test_mean_face_has_a_box_of_100_and_the_shape_of_its_faces() -> None:
    turn = torch.tensor([[0.0, 3.0], [-3.0, 0.0]], dtype=torch.float64)
    missing = FACE.clone()
    missing[0] = torch.nan
    mean = viz.mean_face(torch.stack([FACE, FACE + 50, missing]))
    assert box(mean) == pytest.approx(100)
    torch.testing.assert_close(mean - mean[0], (FACE - FACE[0]) * 100 / box(FACE))
    assert box(viz.mean_face(FACE[None] @ turn)) == pytest.approx(100)


def test_no_complete_face_no_mean() -> None:
    target = FACE[None].clone()
    target[0, 0] = torch.nan
    with pytest.raises(ValueError, match="none among 1"):
        viz.mean_face(target)


def test_errors_and_faces_must_fit() -> None:
    with pytest.raises(ValueError, match="error: expected shape"):
        viz.contour_errors(torch.zeros(2, 68, 2), FACE[None].float(), "68")
