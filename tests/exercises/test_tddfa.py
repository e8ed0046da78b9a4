"""Exercises of the chapters on 3DDFA_V2."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facelab.exercises import verdict
from facelab.exercises.tddfa import TDDFA
from facelab.geometry import rotation_matrix
from tests.exercises.knowing import assert_knows

DRAWN = torch.Generator().manual_seed(0)
ROWS, SCORES = torch.randn(5, 21, generator=DRAWN), torch.randn(5, generator=DRAWN)
MODES = torch.randn(5, 3, 7, generator=DRAWN, dtype=torch.float64)
SHAPE, GUESSED = torch.randn(2, 3, 7, generator=DRAWN)
GIVEN: dict[str, tuple[Any, ...]] = {
    "tddfa-interleaved": (ROWS, SCORES),
    "tddfa-gram-distance": (MODES, torch.randn(5, generator=DRAWN, dtype=torch.float64)),
    "tddfa-three-turns": (10.0, 50.0, 20.0),
    "tddfa-nine-weights": (torch.randn(3, 3, generator=DRAWN), SHAPE, GUESSED),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(TDDFA)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_the_right_turns_are_those_of_the_library() -> None:
    degrees = GIVEN["tddfa-three-turns"]
    answer = rotation_matrix(*torch.tensor(degrees).deg2rad())
    assert verdict("tddfa-three-turns", answer, *degrees) == "Right."
