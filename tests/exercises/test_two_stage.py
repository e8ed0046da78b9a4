"""Exercises of the chapters on the two-stage method."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.exercises import verdict
from facelab.exercises.two_stage import TWO_STAGE
from facelab.face3d import builtin_face
from facelab.geometry import rotation_matrix
from tests.exercises.knowing import assert_knows

DRAWN = torch.Generator().manual_seed(0)


def _mean_face() -> Tensor:
    """``(1, 68, 3)`` around its own middle."""
    face = builtin_face()
    points = face.landmarks_of(face.mean.T[None])
    return points - points.mean(1, keepdim=True)


def _cloud(points: Tensor, yaw: float) -> Tensor:
    angle = torch.tensor([yaw]).deg2rad()
    return points @ rotation_matrix(torch.zeros(1), angle, torch.zeros(1)).mT


FACES = 60 * _mean_face() + 3 * torch.randn(4, 68, 3, generator=DRAWN) + torch.tensor([70.0, 60.0, 0.0])
FOUND = FACES + 4 * torch.randn(4, 68, 3, generator=DRAWN)
FOUND[..., 2] = 0.7 * FOUND[..., 2] + 0.1 * FOUND[..., 0] - 5
GIVEN: dict[str, tuple[Any, ...]] = {
    "two-stage-radius": (30 + 60 * torch.rand(1, 66, 2, generator=DRAWN), torch.tensor([2.0, 4.0, 8.0]), 128),
    "two-stage-which-view": (FOUND, torch.stack([_cloud(FACES, yaw) for yaw in (-60, 0, 60)])),
    "two-stage-weak-perspective": (FOUND, FACES),
    "two-stage-share-of-length": (_mean_face(),),
    "two-stage-ratio": (torch.tensor([0.051, 0.053, 0.049]), torch.tensor([0.070, 0.075, 0.071])),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(TWO_STAGE)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_shares_of_discs_that_can_be_counted() -> None:
    # A radius of 1 around the centre of a pixel holds five pixels; of two neighbours, two pixels are in both discs.
    apart, near = torch.tensor([[[2.0, 2.0], [6.0, 6.0]]]), torch.tensor([[[2.0, 2.0], [3.0, 2.0]]])
    radius = torch.tensor([1.0])
    assert verdict("two-stage-radius", [[5 / 100, 0.0]], apart, radius, 10) == "Right."
    assert verdict("two-stage-radius", [[5 / 100, 2 / 8]], near, radius, 10) == "Right."


def test_the_truth_of_every_view_is_one_shape() -> None:
    found, truths = GIVEN["two-stage-which-view"]
    errors = torch.tensor(TWO_STAGE["two-stage-which-view"].right(found, truths))
    assert torch.allclose(errors, errors[0].expand(3), rtol=1e-4)
    assert errors[0] > 0.01


def test_depths_that_four_numbers_repair() -> None:
    leaning = FACES.double().clone()
    leaning[..., 2] = 0.2 * FACES[..., 0] - 0.3 * FACES[..., 1] + 0.5 * FACES[..., 2] + 40
    word, (best_e, best_ce, best_all) = TWO_STAGE["two-stage-weak-perspective"].right(leaning, FACES)
    assert word == "no"
    assert best_e > best_ce > 0.01
    assert best_all < 1e-6


def test_a_turn_by_sine_and_cosine() -> None:
    points = _mean_face().double()
    cosine, sine = torch.tensor([3.0]).deg2rad().cos().double(), torch.tensor([3.0]).deg2rad().sin().double()
    x, _, z = points.unbind(2)
    eyes = (points[0, 36] - points[0, 45]).norm()
    along_x = 100 * (cosine * x - sine * z - x).abs().mean() / eyes
    along_z = 100 * (sine * x + cosine * z - z).abs().mean() / eyes
    front = TWO_STAGE["two-stage-share-of-length"].right(_mean_face())[0]
    assert front == pytest.approx([float(along_x), 0.0, float(along_z), 0.0], abs=0.02)
