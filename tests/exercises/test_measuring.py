"""Exercises of the chapter on measuring."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facelab.exercises import EXERCISES, verdict
from facelab.exercises.measuring import MEASURING
from facelab.metrics import auc
from tests.exercises.knowing import assert_knows

GIVEN: dict[str, tuple[Any, ...]] = {
    "measuring-bound-of-a-table": (3.15, 0.5687, 8.0),
    "measuring-full-set": ((554, 135), (3.12, 6.25), 0.01),
    "measuring-noise-floor": (),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(MEASURING)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_a_larger_error_than_the_bound_is_possible() -> None:
    assert verdict("measuring-bound-of-a-table", (3.45, "possible"), 3.5, 0.5687, 8.0) == "Right."


def test_equal_errors_reach_the_bound() -> None:
    errors = torch.full((600,), 0.034504, dtype=torch.float64)
    bound, _ = EXERCISES["measuring-bound-of-a-table"].right(3.15, auc(errors, 0.08), 8.0)
    assert bound == pytest.approx(100 * float(errors.mean()))


def test_the_full_set_is_a_mean_over_faces() -> None:
    errors = torch.cat([torch.full((554,), 3.125), torch.full((135,), 6.255)]).double()
    assert verdict("measuring-full-set", errors.mean(), *GIVEN["measuring-full-set"]) == "Right."


def test_the_factor_is_that_of_drawn_annotators() -> None:
    one, other = torch.randn(2, 100_000, 2, generator=torch.Generator().manual_seed(0))
    factor = (one - other).norm(dim=1).mean() / one.norm(dim=1).mean()
    assert verdict("measuring-noise-floor", factor) == "Right."
