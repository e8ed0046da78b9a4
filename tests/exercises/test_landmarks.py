"""Exercises of the chapter on landmarks."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.exercises import EXERCISES, verdict
from facelab.exercises.landmarks import LANDMARKS
from facelab.face3d import MorphableModel, builtin_face
from facelab.metrics import nme
from tests.exercises.knowing import assert_knows

PITCHES = (-40.0, 40.0)


@cache
def heads() -> tuple[MorphableModel, Tensor]:
    face = builtin_face()
    return face, face.vertices(*face.sample(6, torch.Generator().manual_seed(0), activity=0.22))


def points() -> Tensor:
    face, crowd = heads()
    return face.landmarks_of(crowd)[..., :2]


def given(label: str) -> tuple[Any, ...]:
    return {
        "landmarks-annotators": lambda: (0.01, 0.004),
        "landmarks-normalisers": lambda: (points(),),
        "landmarks-jaw": lambda: (*heads(), PITCHES),
    }[label]()


@pytest.mark.parametrize("label", LANDMARKS)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *given(label))


def test_a_committee_of_the_right_size_is_just_good_enough() -> None:
    members = EXERCISES["landmarks-annotators"].right(0.01, 0.004)
    noise = 0.01 * torch.randn(members, 200_000, 2, generator=torch.Generator().manual_seed(0))
    assert noise.mean(0).norm(dim=1).mean() < 0.004 < noise[1:].mean(0).norm(dim=1).mean()


def test_the_ratios_are_those_of_a_prediction() -> None:
    target = points()
    guess = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    ratios = nme(guess, target, "interpupil") / nme(guess, target, "interocular")
    assert verdict("landmarks-normalisers", (ratios.min(), ratios.max()), target) == "Right."


def test_a_raised_chin_moves_the_outline_of_the_jaw() -> None:
    lowered, raised = EXERCISES["landmarks-jaw"].right(*heads(), PITCHES)
    assert 1 < raised < 3
    assert 0.1 < lowered < 0.5
