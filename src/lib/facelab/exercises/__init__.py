"""The exercises of the book: what is right, and what the usual wrong answers are.

A chapter asks, the reader replaces ``None``, and :func:`check` says what it thinks of the answer.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from facelab.exercises.judging import Exercise
from facelab.exercises.tddfa import TDDFA

__all__ = ["EXERCISES", "Exercise", "check", "verdict"]

EXERCISES: Mapping[str, Exercise] = {**TDDFA}
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
