"""Exercises of the chapter on faces in 3D."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.exercises import EXERCISES, verdict
from facelab.exercises.faces_in_3d import FACES_IN_3D
from facelab.face3d import MorphableModel, builtin_face
from facelab.geometry import rotation_angles, rotation_matrix
from tests.exercises.knowing import assert_knows

KEPT = (10, 40, 100)


@cache
def people() -> tuple[MorphableModel, Tensor]:
    face = builtin_face()
    return face, face.sample(4, torch.Generator().manual_seed(0))[0]


def landmarks(expression: str | None = None) -> Tensor:
    face, _ = people()
    scores = torch.zeros(1, len(face.expression))
    if expression is not None:
        scores[0, face.expression_names.index(expression)] = 1.0
    return face.landmarks_of(face.vertices(expression=scores))[0]


def given(label: str) -> tuple[Any, ...]:
    return {
        "faces-symmetry": lambda: (landmarks("blink_left"),),
        "faces-truncation": lambda: (*people(), KEPT),
        "faces-gimbal": lambda: (0.3, 0.1),
    }[label]()


@pytest.mark.parametrize("label", FACES_IN_3D)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *given(label))


def test_the_mirror_image_of_a_wink_is_a_wink_of_the_other_eye() -> None:
    mirrored = EXERCISES["faces-symmetry"].right(landmarks("blink_left"))
    torch.testing.assert_close(mirrored, landmarks("blink_right"), atol=1e-4, rtol=0)


def test_what_is_left_out_is_the_sum_of_the_other_modes() -> None:
    face, identity = people()
    distances = []
    for kept in KEPT:
        left_out = torch.einsum("nk,kcv->ncv", identity[:, kept:], face.identity[kept:])
        distances.append(10 * left_out.norm(dim=1).mean())
    assert verdict("faces-truncation", distances, face, identity, KEPT) == "Right."


def test_the_roll_gives_the_same_matrix() -> None:
    quarter = torch.tensor(math.pi / 2)
    pitch, roll = given("faces-gimbal")
    first = rotation_matrix(torch.tensor(pitch), quarter, torch.tensor(roll))
    answer = EXERCISES["faces-gimbal"].right(pitch, roll)
    torch.testing.assert_close(rotation_matrix(torch.tensor(0.0), quarter, torch.tensor(answer)), first)
    assert verdict("faces-gimbal", rotation_angles(first)[2], pitch, roll) == "Right."
