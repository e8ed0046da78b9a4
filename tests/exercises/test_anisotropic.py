"""Exercises of the chapters on the anisotropic loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facelab.exercises import verdict
from facelab.exercises.anisotropic import ANISOTROPIC
from facelab.ledger import published
from facelab.losses import anisotropic, anisotropic_weights
from facelab.metrics import auc
from tests.exercises.knowing import assert_knows

DRAWN = torch.Generator().manual_seed(0)
FACE = 100 * torch.rand(68, 2, generator=DRAWN, dtype=torch.float64)
TRUE = 100 * torch.rand(3, 68, 2, generator=DRAWN)
FOUND = 0.8 * TRUE + 5 * torch.randn(2, 3, 68, 2, generator=DRAWN) + torch.tensor([3.0, 4.0])
OURS, THEIRS = torch.tensor([6.1, 6.4, 6.2]), torch.tensor([5.9, 6.2, 6.0])
GIVEN: dict[str, tuple[Any, ...]] = {
    "anisotropic-turned": (FACE, FACE + torch.randn(68, 2, generator=DRAWN, dtype=torch.float64), 40),
    "anisotropic-same-minimum": (),
    "anisotropic-points": (FOUND, TRUE),
    "anisotropic-once": (torch.tensor([9, 120, 400, 90, 12]),),
    "anisotropic-bound": (0.0315, 0.08, 0.5687),
    "anisotropic-seeds": (0.10, 0.34, OURS + torch.tensor([0.02, -0.03, 0.01]), THEIRS),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(ANISOTROPIC)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_the_loss_of_a_turned_face_is_that_of_the_upright_one() -> None:
    face, guess, degrees = GIVEN["anisotropic-turned"]
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    upright = anisotropic(guess[None], face[None], "68")
    turned = anisotropic((guess @ turn.T)[None], (face @ turn.T)[None], "68")
    back = turn.T @ anisotropic_weights(face[None], "68")[0] @ turn  # the same as to turn the error
    fixed = ((guess - face)[:, None] @ back @ (guess - face)[..., None]).mean()
    assert verdict("anisotropic-turned", [upright, turned, fixed], *GIVEN["anisotropic-turned"]) == "Right."


def test_ten_steps_of_descent() -> None:
    tangent, normal = torch.eye(2, dtype=torch.float64)
    left = []
    for weight in (torch.eye(2, dtype=torch.float64), torch.diag(torch.tensor([1 / 25, 1 / 9], dtype=torch.float64))):
        answer = torch.tensor([6.0, -8.0], dtype=torch.float64, requires_grad=True)
        for _ in range(10):
            (slope,) = torch.autograd.grad(answer @ weight @ answer, answer)
            answer = (answer - 0.1 * slope).detach().requires_grad_()
        answer = answer.detach()
        left.append([float(answer @ tangent) / 6, float(answer @ normal) / -8])
    assert verdict("anisotropic-same-minimum", ("same", left)) == "Right."


def test_no_four_faces_have_a_smaller_area() -> None:
    _, least = ANISOTROPIC["anisotropic-bound"].right(0.0315, 0.08, 0.5687)
    drawn = torch.rand(200, 4, generator=DRAWN, dtype=torch.float64)
    areas = [auc(0.0315 * faces / faces.mean(), 0.08) for faces in drawn]
    assert min(areas) == pytest.approx(least, abs=1e-9)
    assert max(areas) > least + 0.01


def test_the_printed_numbers_of_the_seeds() -> None:
    cells = published("anisotropic", "table-6", data_set="300W")
    printed = {cell.method: cell.value for cell in cells}
    assert 4.04 - float(printed["Anisotropic"] or 0) == pytest.approx(0.10)
