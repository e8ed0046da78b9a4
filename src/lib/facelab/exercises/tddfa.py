"""Exercises of the chapters on 3DDFA_V2 (Guo et al. 2020)."""

import math
from collections.abc import Callable, Sequence

import torch
from scipy.stats import binom
from torch import Tensor

from facelab.exercises.judging import Exercise


def _axis_first(rows: Tensor, scores: Tensor) -> Tensor:
    return (scores @ rows).view(-1, 3).T


def _squared(modes: Tensor, difference: Tensor) -> Tensor:
    return (difference @ modes.flatten(1)).square().sum()


def _diagonal_only(modes: Tensor, difference: Tensor) -> Tensor:
    return (modes.flatten(1).square().sum(dim=1) * difference.square()).sum()


def _squared_twice(modes: Tensor, difference: Tensor) -> Tensor:
    flat = modes.flatten(1)
    return (flat @ (difference @ flat)).square().sum()


def _turn(axis: int, degrees: float) -> Tensor:
    """The right-handed rotation about x (0), y (1) or z (2)."""
    angle = torch.tensor(degrees).deg2rad()
    cosine, sine = angle.cos(), angle.sin()
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    turn = torch.eye(3)
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = cosine, -sine, sine, cosine
    return turn


def _turns(pitch: float, yaw: float, roll: float) -> Tensor:
    return _turn(0, pitch) @ _turn(1, yaw) @ _turn(2, roll)


def _turns_from_the_right(pitch: float, yaw: float, roll: float) -> Tensor:
    return _turn(2, roll) @ _turn(1, yaw) @ _turn(0, pitch)


def _lengths(shape: Tensor) -> Tensor:
    return shape.norm(dim=1)


Trainings = Sequence[Sequence[Sequence[int]]]
"""For each way to train and each seed, the branch that every round kept: 0 for fWPDC, 1 for VDC."""


def _each_seed(trainings: Trainings, chance: Callable[[int, int], float]) -> list[list[float]]:
    """The chance of a fall of the rounds that keep fWPDC, of so many rounds in a third."""
    return [[chance(*_fall(kept)) for kept in seeds] for seeds in trainings]


def _fall(kept: Sequence[int]) -> tuple[int, int]:
    third = len(kept) // 3
    return sum(kept[-third:]) - sum(kept[:third]), third  # fWPDC is 0, so its fall is the rise of VDC


def _at_least(fall: int, third: int) -> float:
    """That two rows of coins differ by at least so many. Turn one row over: then the number of heads of both counts."""
    return float(binom.sf(fall + third - 1, 2 * third, 0.5))


LOOK_AHEADS = (10, 30, 100)


def _rounds_and_steps(steps: int, choosing: int = 1, branches: int = 2) -> list[list[int]]:
    """Rounds of a training, the last of which may be short, and steps that are computed."""
    table = []
    for batches in LOOK_AHEADS:
        rounds = math.ceil(steps / (batches + choosing))
        table.append([rounds, branches * (steps - rounds * choosing)])
    return table


def _whole_rounds(steps: int) -> list[list[int]]:
    return [[steps // (batches + 1), 2 * (steps - steps // (batches + 1))] for batches in LOOK_AHEADS]


def _steadiness(error: float, unrest: float) -> list[float]:
    """NME and stability of independent errors over their deviation, and the share of variance that is new."""
    length = math.sqrt(math.pi / 2)  # mean length of a vector of two normal numbers
    return [length, length * math.sqrt(2), (unrest / (error * math.sqrt(2))) ** 2]


def _of_faces(bins: Tensor, counts: Tensor) -> float:
    return float(bins @ counts / counts.sum())


def _gains(before: Tensor, after: Tensor, counts: Tensor) -> list[float]:
    """The mean over faces after, and how much lower it is than before by the mean of bins and by that of faces."""
    return [
        _of_faces(after, counts),
        float((before - after).mean()),
        _of_faces(before - after, counts),
    ]


def _gains_only_of_bins(before: Tensor, after: Tensor, counts: Tensor) -> list[float]:
    gain = float((before - after).mean())
    return [float(after.mean()), gain, gain]


def _relative_gains(before: Tensor, after: Tensor, counts: Tensor) -> list[float]:
    faces, of_bins, of_faces = _gains(before, after, counts)
    return [faces, of_bins / float(before.mean()), of_faces / _of_faces(before, counts)]


TDDFA = {
    "tddfa-interleaved": Exercise(
        _axis_first,
        {
            "the rows were read as all x, then all y, then all z": lambda rows, scores: (scores @ rows).view(3, -1),
            "y and z are exchanged": lambda rows, scores: _axis_first(rows, scores)[[0, 2, 1]],
            "expected axis first, (3, V); this is vertex first": lambda rows, scores: _axis_first(rows, scores).T,
        },
    ),
    "tddfa-gram-distance": Exercise(
        _squared,
        {
            "the modes are not orthogonal to each other: the diagonal is not enough": _diagonal_only,
            "that is the distance, not its square": lambda modes, difference: _squared(modes, difference).sqrt(),
            "the Gram matrix is squared already": _squared_twice,
            "that is a mean over vertices": lambda modes, change: _squared(modes, change) / modes.shape[2],
        },
    ),
    "tddfa-three-turns": Exercise(
        lambda pitch, yaw, roll: _turns(-pitch, -yaw, -roll),
        {
            "all signs are turned round": _turns,
            "the order is turned round": lambda pitch, yaw, roll: _turns_from_the_right(-pitch, -yaw, -roll),
            "order and signs are turned round, and that is the inverse": _turns_from_the_right,
            "only the yaw has the wrong sign": lambda pitch, yaw, roll: _turns(-pitch, yaw, -roll),
            "pitch and yaw are exchanged": lambda pitch, yaw, roll: _turns(-yaw, -pitch, -roll),
        },
    ),
    "tddfa-nine-weights": Exercise(
        # Column i of the camera goes with row i of the shape.
        lambda change, shape, guessed: change.abs() * _lengths(shape),
        {
            "row j of the camera is paired with row j of the shape": lambda change, shape, guessed: (
                change.abs() * _lengths(shape)[:, None]
            ),
            "the shape is that of the prediction": lambda change, shape, guessed: change.abs() * _lengths(guessed),
            "distances are lengths over all vertices, not means": lambda change, shape, guessed: (
                change.abs() * _lengths(shape) / shape.shape[1] ** 0.5
            ),
            "a distance has no sign": lambda change, shape, guessed: change * _lengths(shape),
        },
    ),
    "tddfa-coin": Exercise(
        lambda trainings: _each_seed(trainings, _at_least),
        {
            '"at least as often" has the same fall in it': lambda trainings: _each_seed(
                trainings, lambda fall, third: _at_least(fall + 1, third)
            ),
            "0 is fWPDC, these count the rounds of VDC": lambda trainings: _each_seed(
                trainings, lambda fall, third: _at_least(-fall, third)
            ),
            "that is the chance of a smaller fall": lambda trainings: _each_seed(
                trainings, lambda fall, third: 1 - _at_least(fall, third)
            ),
            "falls were asked, here rises of the same size count, too": lambda trainings: _each_seed(
                trainings, lambda fall, third: min(1.0, 2 * _at_least(abs(fall), third))
            ),
        },
        absolute=0.015,  # 20,000 throws are right to 0.01
    ),
    "tddfa-rounds": Exercise(
        _rounds_and_steps,
        {
            "a round has one batch more, which chooses": lambda steps: _rounds_and_steps(steps, choosing=0),
            "the last round may be short, but it is a round": _whole_rounds,
            "two branches compute each step": lambda steps: _rounds_and_steps(steps, branches=1),
            "the batch that chooses teaches neither branch": lambda steps: [
                [rounds, 2 * steps] for rounds, _ in _rounds_and_steps(steps)
            ],
        },
    ),
    "tddfa-steady": Exercise(
        _steadiness,
        {
            "NME and stability are mean lengths, not roots of mean squares": lambda error, unrest: [
                math.sqrt(2),
                2.0,
                _steadiness(error, unrest)[2],
            ],
            "the length of an error has x and y in it": lambda error, unrest: [
                math.sqrt(2 / math.pi),
                2 / math.sqrt(math.pi),
                _steadiness(error, unrest)[2],
            ],
            "the share is one of deviations, not of variances": lambda error, unrest: [
                *_steadiness(error, unrest)[:2],
                math.sqrt(_steadiness(error, unrest)[2]),
            ],
            "a step has the errors of two frames in it": lambda error, unrest: [
                *_steadiness(error, unrest)[:2],
                2 * _steadiness(error, unrest)[2],
            ],
            "that is the share that stays": lambda error, unrest: [
                *_steadiness(error, unrest)[:2],
                1 - _steadiness(error, unrest)[2],
            ],
        },
        absolute=6e-3,
    ),
    "tddfa-faces-or-bins": Exercise(
        _gains,
        {
            "for the mean over faces, a range counts by its faces": _gains_only_of_bins,
            "the numbers of faces are in the other order": lambda before, after, counts: _gains(
                before, after, counts.flip(0)
            ),
            "M+R+S has the smaller error, these differences have the wrong sign": lambda before, after, counts: [
                _gains(before, after, counts)[0],
                *(-gain for gain in _gains(before, after, counts)[1:]),
            ],
            "points were asked, these are shares of the error": _relative_gains,
        },
        absolute=6e-4,
    ),
}
