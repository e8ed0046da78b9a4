"""Exercises of the chapters on 3DDFA_V2."""

from __future__ import annotations

from math import pi
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
TOSSES = torch.randint(2, (4, 60), generator=DRAWN)
GIVEN: dict[str, tuple[Any, ...]] = {
    "tddfa-interleaved": (ROWS, SCORES),
    "tddfa-gram-distance": (MODES, torch.randn(5, generator=DRAWN, dtype=torch.float64)),
    "tddfa-three-turns": (10.0, 50.0, 20.0),
    "tddfa-nine-weights": (torch.randn(3, 3, generator=DRAWN), SHAPE, GUESSED),
    "tddfa-coin": ([TOSSES[:2].tolist(), TOSSES[2:].tolist()],),
    "tddfa-rounds": (1600,),
    "tddfa-steady": (0.0524, 0.0276),
    "tddfa-faces-or-bins": (
        torch.tensor([2.75, 3.49, 4.53]),
        torch.tensor([2.63, 3.42, 4.48]),
        torch.tensor([1312.0, 383.0, 305.0]),
    ),
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


def test_the_chance_of_a_coin_by_throwing_it() -> None:
    rows = torch.randint(2, (50_000, 60), generator=torch.Generator().manual_seed(1))
    falls = rows[:, -20:].sum(1) - rows[:, :20].sum(1)
    for kept in TOSSES.tolist():
        fall = sum(kept[-20:]) - sum(kept[:20])
        (right,) = TDDFA["tddfa-coin"].right([[kept]])[0]
        assert float((falls >= fall).double().mean()) == pytest.approx(right, abs=0.01)


def test_rounds_one_by_one() -> None:
    table = []
    for batches in (10, 30, 100):
        rounds, computed, left = 0, 0, 1600
        while left > 0:
            taught = min(batches, left - 1)  # the last batch of the training chooses, too
            rounds, computed, left = rounds + 1, computed + 2 * taught, left - taught - 1
        table.append([rounds, computed])
    assert verdict("tddfa-rounds", table, 1600) == "Right."


def test_independent_errors_by_drawing_them() -> None:
    drawn = torch.randn(20_000, 4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    length, step = drawn.norm(dim=2).mean(), drawn.diff(dim=0).norm(dim=2).mean()
    error, unrest, _ = TDDFA["tddfa-steady"].right(0.05, 0.05 * 2**0.5)
    assert (float(length), float(step)) == pytest.approx((error, unrest), abs=0.01)
    assert error == pytest.approx((pi / 2) ** 0.5)
    assert TDDFA["tddfa-steady"].right(0.05, 0.05 * 2**0.5)[2] == pytest.approx(1)  # nothing but new errors
