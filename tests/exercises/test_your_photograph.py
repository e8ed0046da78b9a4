"""Exercises of the chapter on the reader's own photograph."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facelab.exercises import verdict
from facelab.exercises.your_photograph import YOUR_PHOTOGRAPH
from tests.exercises.knowing import assert_knows

GIVEN: dict[str, tuple[Any, ...]] = {
    "photograph-album": (0.9, 0.2, torch.tensor([0.3, 0.02])),
    "photograph-pixel": (300.0, 1.3, 64, 4),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(YOUR_PHOTOGRAPH)


@pytest.mark.parametrize("label", GIVEN)
def test_right_and_wrong_answers_are_told_apart(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_answers_by_hand() -> None:
    """Of 1000 photographs 20 are bad: 18 of them are found, and 196 of the 980 others cause a false alarm."""
    assert verdict("photograph-album", torch.tensor([27 / 41, 18 / 214]), *GIVEN["photograph-album"]) == "Right."
    assert verdict("photograph-pixel", (24.375, 8.125), *GIVEN["photograph-pixel"]) == "Right."
