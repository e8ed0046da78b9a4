"""What an exercise says to answers of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facelab.exercises import check, verdict
from facelab.exercises.judging import NOTHING, RIGHT, UNKNOWN, Exercise

NUMBER = Exercise(lambda: 4.0, {"that is half": lambda: 2.0})
TABLE = Exercise(lambda start: start + 1, {"nothing was added": lambda start: start})
SEVERAL = Exercise(lambda: ("impossible", 3, True), {"the count is off by one": lambda: ("impossible", 2, True)})
NAMED = Exercise(lambda: {"x": 1.0, "y": 2.0}, {"x and y are exchanged": lambda: {"x": 2.0, "y": 1.0}})


@pytest.mark.parametrize("answer", [None, ..., (), (None, 3, True), {}, {"x": None, "y": 1.0}])
def test_nothing_there(answer: Any) -> None:
    assert NUMBER.verdict(answer) == NOTHING


@pytest.mark.parametrize("answer", [4, 4.0, np.float32(4), np.array(4), torch.tensor(4), torch.tensor(4.00001)])
def test_a_number_may_come_as_anything_numeric(answer: Any) -> None:
    assert NUMBER.verdict(answer) == RIGHT


def test_mistakes_have_names_and_others_have_none() -> None:
    assert NUMBER.verdict(2) == "Not right: that is half."
    assert NUMBER.verdict(3) == UNKNOWN
    assert NUMBER.verdict(float("nan")) == UNKNOWN


def test_what_is_given_decides() -> None:
    start = torch.arange(6.0).view(2, 3)
    assert TABLE.verdict(start + 1, start) == RIGHT
    assert TABLE.verdict((start + 1).numpy(), start) == RIGHT
    assert TABLE.verdict(start, start) == "Not right: nothing was added."


@pytest.mark.parametrize(
    ("exercise", "answer", "told"),
    [
        (NUMBER, torch.zeros(2), "Expected a number, found numbers of shape (2,)."),
        (NUMBER, "four", "Expected a number, found a text."),
        (NUMBER, {1}, "Expected a number, found a set."),
        (SEVERAL, ("impossible", 3), "Expected 3 values, found 2 values."),
        (NAMED, {"x": 1.0}, "Expected a dictionary with 'x', 'y', found a dictionary with 'x'."),
    ],
)
def test_another_form_is_told(exercise: Exercise, answer: Any, told: str) -> None:
    assert exercise.verdict(answer) == told


def test_several_values() -> None:
    assert SEVERAL.verdict(("Impossible ", 3, True)) == RIGHT
    assert SEVERAL.verdict(["impossible", 2, True]) == "Not right: the count is off by one."
    assert SEVERAL.verdict(("possible", 3, True)) == UNKNOWN
    assert NAMED.verdict({"y": 2.0, "x": 1.0}) == RIGHT
    assert NAMED.verdict({"y": 1.0, "x": 2.0}) == "Not right: x and y are exchanged."


@pytest.mark.parametrize("answer", [[[1, 2], [3, 4]], torch.tensor([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])])
def test_lists_may_come_as_tables(answer: Any) -> None:
    table = Exercise(lambda: [[1.0, 2.0], [3.0, 4.0]], {"rows are columns": lambda: [[1.0, 3.0], [2.0, 4.0]]})
    assert table.verdict(answer) == RIGHT
    assert table.verdict(np.asarray(answer).T) == "Not right: rows are columns."
    assert table.verdict(torch.tensor(1.0)) == "Expected 2 values, found a number."


def test_answers_may_be_off_by_what_the_exercise_allows() -> None:
    rough = Exercise(lambda: 100.0, {"that is half": lambda: 50.0}, relative=0.05)
    assert rough.verdict(104.0) == RIGHT
    assert rough.verdict(106.0) == UNKNOWN


def test_an_unknown_label_says_which_is_near() -> None:
    with pytest.raises(ValueError, match=r"no exercise 'tddfa-three-turn'; did you mean 'tddfa-three-turns'\?"):
        verdict("tddfa-three-turn", 1)


def test_check_prints(capsys: pytest.CaptureFixture[str]) -> None:
    check("tddfa-three-turns", None, 1.0, 2.0, 3.0)
    assert capsys.readouterr().out == f"{NOTHING}\n"
