"""The exercises of the book: what is right, and what the usual wrong answers are.

A chapter asks, the reader replaces ``None``, and :func:`check` says what it thinks of the answer.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from facelab.exercises.anisotropic import ANISOTROPIC
from facelab.exercises.benchmark import BENCHMARK
from facelab.exercises.cln import CLN
from facelab.exercises.faces_in_3d import FACES_IN_3D
from facelab.exercises.fan import FAN
from facelab.exercises.judging import Exercise
from facelab.exercises.landmarks import LANDMARKS
from facelab.exercises.measuring import MEASURING
from facelab.exercises.tddfa import TDDFA
from facelab.exercises.training import TRAINING
from facelab.exercises.two_stage import TWO_STAGE
from facelab.exercises.your_photograph import YOUR_PHOTOGRAPH

__all__ = ["EXERCISES", "Exercise", "check", "verdict"]

EXERCISES: Mapping[str, Exercise] = {
    **LANDMARKS,
    **MEASURING,
    **FACES_IN_3D,
    **TRAINING,
    **TWO_STAGE,
    **FAN,
    **ANISOTROPIC,
    **TDDFA,
    **CLN,
    **BENCHMARK,
    **YOUR_PHOTOGRAPH,
}
"""By the label that the book gives it."""


def verdict(label: str, answer: Any, *given: Any) -> str:
    """One line about the answer to an exercise.

    Args:
        label: of the exercise in the book, as ``"tddfa-interleaved"``.
        answer: a number, tensor, text or truth value, or several of them; None as long as there is none.
        given: what the exercise starts from, in the order that its chapter shows.
    Raises:
        ValueError: of a label that no exercise has.
    """
    if label not in EXERCISES:
        near = get_close_matches(label, EXERCISES, n=1)
        raise ValueError(f"no exercise '{label}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    return EXERCISES[label].verdict(answer, *given)


def check(label: str, answer: Any, *given: Any) -> None:
    """Print what :func:`verdict` says."""
    print(verdict(label, answer, *given))
