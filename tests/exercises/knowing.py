"""What is asked of each exercise: it knows nothing, right, each usual mistake, and everything else."""

from __future__ import annotations

from typing import Any

from facelab.exercises import EXERCISES, verdict
from facelab.exercises.judging import NOTHING, RIGHT, UNKNOWN


def assert_knows(label: str, *given: Any) -> None:
    """Every answer that the exercise names gets its own words, for what is ``given``."""
    exercise = EXERCISES[label]
    assert exercise.mistakes
    assert verdict(label, None, *given) == NOTHING
    assert verdict(label, exercise.right(*given), *given) == RIGHT
    for told, mistake in exercise.mistakes.items():
        assert verdict(label, mistake(*given), *given) == f"Not right: {told}."
    assert verdict(label, object(), *given).startswith(("Expected", UNKNOWN))
