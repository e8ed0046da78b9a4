"""Exercises of the chapter that compares all methods."""

from typing import Any

import pytest
import torch

from facelab.exercises import verdict
from facelab.exercises.benchmark import BENCHMARK
from facelab.metrics import bootstrap
from tests.exercises.knowing import assert_knows

_GENERATOR = torch.Generator().manual_seed(0)
FIRST = 0.05 + 0.02 * torch.rand(500, generator=_GENERATOR)
SECOND = FIRST + 0.002 + 0.004 * torch.rand(500, generator=_GENERATOR)
GIVEN: dict[str, tuple[Any, ...]] = {
    "benchmark-which-mean": (
        {"0-30": 4.9, "30-60": 5.1, "60-90": 6.8},
        {"0-30": 1312, "30-60": 383, "60-90": 305},
    ),
    "benchmark-same-faces": (FIRST, SECOND),
    "benchmark-unknowns": (40, 10),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(BENCHMARK)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_the_bootstrap_agrees_about_the_same_faces() -> None:
    """A quarter of the width of the 95 % interval is nearly the deviation."""
    low, high = bootstrap(FIRST - SECOND)
    right = BENCHMARK["benchmark-same-faces"].right(FIRST, SECOND)
    assert (high - low) / (2 * 1.96) == pytest.approx(right, rel=0.1)


def test_twenty_eight_landmarks_are_as_many_equations_as_unknowns() -> None:
    assert verdict("benchmark-unknowns", 28, 40, 10) == "Right."
