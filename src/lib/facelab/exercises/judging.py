"""What an exercise of the book knows: the right answer, and the wrong ones that people usually give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

NOTHING = "Nothing there yet."
RIGHT = "Right."
UNKNOWN = "Not right, and none of the usual mistakes."


@dataclass(frozen=True)
class Exercise:
    """An exercise that can judge answers.

    Answers are numbers, tensors, texts, truth values, or tuples, lists and dictionaries of those. Texts are compared
    without regard to case.

    Attributes:
        right: computes the answer from what the exercise gives.
        mistakes: what a reader is told, to the function that makes the mistake, called as ``right`` is.
        relative, absolute: how far numbers may be from the right ones, as of :func:`torch.isclose`.
    """

    right: Callable[..., Any]
    mistakes: Mapping[str, Callable[..., Any]]
    relative: float = 1e-4
    absolute: float = 1e-6

    def verdict(self, answer: Any, *given: Any) -> str:
        """One line about ``answer``: nothing there, right, the mistake that it is, or none of the usual ones."""
        if _is_empty(answer):
            return NOTHING
        right = self.right(*given)
        if self._same(answer, right):
            return RIGHT
        for told, mistake in self.mistakes.items():
            if self._same(answer, mistake(*given)):
                return f"Not right: {told}."
        return _other_form(answer, right) or UNKNOWN

    def _same(self, answer: Any, other: Any) -> bool:
        if isinstance(other, Mapping):
            same_keys = isinstance(answer, Mapping) and set(answer) == set(other)
            return same_keys and all(self._same(answer[key], other[key]) for key in other)
        if isinstance(other, str):
            return isinstance(answer, str) and answer.strip().lower() == other.strip().lower()
        if isinstance(other, tuple | list):
            parts = answer.tolist() if isinstance(answer, Tensor | np.ndarray) else answer
            same_length = isinstance(parts, tuple | list) and len(parts) == len(other)
            return same_length and all(map(self._same, parts, other))
        answer, other = _numbers(answer), _numbers(other)
        if answer is None or other is None or answer.shape != other.shape:
            return False
        return torch.allclose(answer, other, rtol=self.relative, atol=self.absolute, equal_nan=True)


def _is_empty(answer: Any) -> bool:
    """Whether a part of the answer is still to be written."""
    if isinstance(answer, Mapping):
        return not answer or any(map(_is_empty, answer.values()))
    if isinstance(answer, tuple | list):
        return not answer or any(map(_is_empty, answer))
    return answer is None or answer is ...


def _numbers(value: Any) -> Tensor | None:
    """A number, an array or a tensor in double precision; None for what is none of these."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", torch.float64)
    if isinstance(value, Real | np.ndarray | np.generic):
        return torch.as_tensor(np.asarray(value, dtype=np.float64))
    return None


def _other_form(answer: Any, right: Any) -> str:
    """What is expected in place of an answer of another kind or shape; empty if they are alike."""
    expected, found = _form(right), _form(answer)
    return "" if expected == found else f"Expected {expected}, found {found}."


def _form(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a dictionary with " + ", ".join(map(repr, value))
    if isinstance(value, str):
        return "a text"
    if isinstance(value, tuple | list):
        return _of_length(value)
    numbers = _numbers(value)
    if numbers is None:
        return f"a {type(value).__name__}"
    return f"numbers of shape {tuple(numbers.shape)}" if numbers.ndim else "a number"


def _of_length(value: Sequence[Any]) -> str:
    return f"{len(value)} values"
