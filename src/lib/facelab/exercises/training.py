"""Exercises of the chapter on training."""

import math

import torch
from torch import Tensor

from facelab.exercises.judging import Exercise

_RATE, _KEPT, _GUARD, _STEPS = 0.1, 0.99, 1e-8, 5
_HALVES = (torch.bfloat16, torch.float16, torch.float32)


def _descended(
    start: Tensor,
    weights: Tensor,
    kept: float = _KEPT,
    power: float = 0.5,
    corrected: bool = False,
    late: bool = False,
) -> Tensor:
    """Where RMSprop arrives on the sum of ``weights`` times squares.

    Args:
        kept: of the running mean of squares, a step. power: of the running mean in the denominator; RMSprop has 0.5.
        corrected: as Adam does, for the start at zero. late: divides by the running mean of the step before.
    """
    here, squares = start.double(), torch.zeros_like(start, dtype=torch.float64)
    for step in range(1, _STEPS + 1):
        gradient = 2 * weights.double() * here
        before, squares = squares, kept * squares + (1 - kept) * gradient.square()
        size = before if late else squares / (1 - kept**step) if corrected else squares
        here = here - _RATE * gradient / (size**power + _GUARD)
    return here


def _without_division(start: Tensor, weights: Tensor) -> Tensor:
    return start.double() * (1 - 2 * _RATE * weights.double()) ** _STEPS


def _summed(dtype: torch.dtype, first: float = 1.0, count: int = 1000) -> float:
    total = torch.tensor(first, dtype=dtype)
    for _ in range(count):
        total += torch.tensor(0.001, dtype=dtype)
    return float(total)


def _degrees(gradient: Tensor, clipped: Tensor) -> float:
    return math.degrees(math.acos(min(1.0, _cosine(gradient, clipped))))


def _cosine(gradient: Tensor, clipped: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(gradient.double(), clipped.double(), dim=0))


TRAINING = {
    "training-rmsprop-exercise": Exercise(
        _descended,
        {
            "without the division that is plain gradient descent": _without_division,
            "the running mean keeps too little: the two shares are exchanged": lambda start, weights: _descended(
                start, weights, kept=1 - _KEPT
            ),
            "the division is by the root of the running mean": lambda start, weights: _descended(
                start, weights, power=1.0
            ),
            "the running mean takes in the new gradient before it divides": lambda start, weights: _descended(
                start, weights, late=True
            ),
            "RMSprop does not correct for the start at zero, Adam does": lambda start, weights: _descended(
                start, weights, corrected=True
            ),
        },
        relative=1e-3,
        absolute=1e-4,
    ),
    "training-order-exercise": Exercise(
        lambda count, done: done * (count - done) / count,
        {
            "that is a share; how many samples is it?": lambda count, done: done * (count - done) / count**2,
            "the second run sees the rest of its own order, not as many as the first": lambda count, done: (
                done * done / count
            ),
            "not all that were seen come again": lambda count, done: done,
            "that counts those seen twice and those never seen": lambda count, done: 2 * done * (count - done) / count,
        },
        # A count on two drawn orders differs from the expected one.
        relative=0.1,
    ),
    "training-bf16-exercise": Exercise(
        lambda: [_summed(dtype) for dtype in _HALVES],
        {
            "those are exact sums; each sum is rounded before the next step": lambda: [2.0, 2.0, 2.0],
            "bf16 and fp16 are exchanged": lambda: [_summed(_HALVES[i]) for i in (1, 0, 2)],
            "the sum begins at 1": lambda: [_summed(dtype, first=0.0) for dtype in _HALVES],
            "a step is missing": lambda: [_summed(dtype, count=999) for dtype in _HALVES],
        },
    ),
    "training-clip-exercise": Exercise(
        lambda gradient: (0.0, _degrees(gradient, gradient.clamp(-1, 1))),
        {
            "the two rules are exchanged": lambda gradient: (_degrees(gradient, gradient.clamp(-1, 1)), 0.0),
            "degrees are asked for": lambda gradient: (0.0, math.radians(_degrees(gradient, gradient.clamp(-1, 1)))),
            "those are cosines": lambda gradient: (1.0, _cosine(gradient, gradient.clamp(-1, 1))),
            "the interval has a lower end": lambda gradient: (0.0, _degrees(gradient, gradient.clamp(max=1))),
            "the interval leaves small entries as they are": lambda gradient: (
                0.0,
                _degrees(gradient, gradient.sign()),
            ),
        },
        relative=2e-3,
        # The angle of two float32 vectors that are parallel comes out as a few hundredths.
        absolute=0.1,
    ),
}
