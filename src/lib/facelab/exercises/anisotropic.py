"""Exercises of the chapters on the anisotropic loss (Rayhan et al. 2020)."""

import math
from functools import partial

import torch
from torch import Tensor

from facelab.exercises.judging import Exercise
from facelab.geometry import similarity
from facelab.losses import anisotropic, anisotropic_weights
from facelab.metrics import nme

A, B = 5.0, 3.0
"""Of the loss, along and across the contour."""


def _turn(degrees: float) -> Tensor:
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)


def _costs(face: Tensor, guess: Tensor, degrees: float) -> list[float]:
    """Of the upright face, of the turned one, and of the turned one with the weights of the upright face."""
    turn, errors = _turn(degrees), guess - face
    upright = float(anisotropic(guess[None], face[None], "68", A, B))
    return [upright, upright, _with_weights(errors @ turn.T, face)]


def _with_weights(errors: Tensor, face: Tensor) -> float:
    weights = anisotropic_weights(face[None], "68", A, B)[0]
    return float(torch.einsum("li,lij,lj->l", errors, weights, errors).mean())


def _face_not_turned(face: Tensor, guess: Tensor, degrees: float) -> list[float]:
    upright, _, fixed = _costs(face, guess, degrees)
    return [upright, float(anisotropic((guess @ _turn(degrees).T)[None], face[None], "68", A, B)), fixed]


def _left_over(steps: int = 10, slope: float = 2.0, power: int = 2) -> list[list[float]]:
    """What steps of 0.1 leave of an error: along and across the contour, by Q1 and by Q2."""
    weights = ((1.0, 1.0), (A**-power, B**-power))
    return [[(1 - 0.1 * slope * weight) ** steps for weight in row] for row in weights]


def _exchanged(table: list[list[float]]) -> list[list[float]]:
    return [row[::-1] for row in table]


def _of_the_shape(found: Tensor, true: Tensor) -> list[float]:
    return [_error(similarity(points, true).apply(points), true) for points in found]


def _error(points: Tensor, true: Tensor) -> float:
    return float(nme(points, true).mean())


def _truth_moved(points: Tensor, true: Tensor) -> float:
    return _error(points, similarity(true, points).apply(true))


def _one_for_all(points: Tensor, true: Tensor) -> float:
    together, goal = points.flatten(0, 1)[None], true.flatten(0, 1)[None]
    return _error(similarity(together, goal).apply(together)[0].view_as(points), true)


def _moved_only(points: Tensor, true: Tensor) -> float:
    return _error(points + (true - points).mean(1, keepdim=True), true)


def _missed(sizes: Tensor) -> list[float]:
    """Never seen of all faces if drawn once; not seen of the largest bin in an epoch if drawn anew."""
    least = float(sizes.min())
    return [1 - least * len(sizes) / float(sizes.sum()), 1 - least / float(sizes.max())]


def _smallest_area(mean: float, threshold: float, printed: float) -> tuple[str, float]:
    area = 1 - mean / threshold
    return "possible" if printed >= area else "impossible", area


def _other_word(word: str) -> str:
    return "impossible" if word == "possible" else "possible"


def _runs(difference: float, deviation: float, errors: float = 2.0, power: int = 2) -> int:
    """Runs until a difference is so many standard errors of the mean."""
    return max(1, math.ceil((errors * deviation / abs(difference)) ** power))


def _paper_and_ours(
    difference: float, deviation: float, ours: Tensor, theirs: Tensor, errors: float = 2.0, power: int = 2
) -> list[int]:
    gap = ours - theirs
    pairs = _runs(float(gap.mean()), float(gap.std()), errors, power)
    return [_runs(difference, deviation, errors, power), pairs]


def _rounded_down(difference: float, deviation: float, ours: Tensor, theirs: Tensor) -> list[int]:
    gap = ours - theirs
    pairs = ((difference, deviation), (float(gap.mean()), float(gap.std())))
    return [math.floor((2 * spread / apart) ** 2) for apart, spread in pairs]


def _not_paired(difference: float, deviation: float, ours: Tensor, theirs: Tensor) -> list[int]:
    spread = float((ours.var() + theirs.var()).sqrt())
    return [_runs(difference, deviation), _runs(float((ours - theirs).mean()), spread)]


ANISOTROPIC = {
    "anisotropic-turned": Exercise(
        _costs,
        {
            "the last W is that of the upright face, it does not turn": lambda *given: _costs(*given)[:1] * 3,
            "for the second the true face must be turned, too": _face_not_turned,
            "the face was turned the other way": lambda face, guess, degrees: _costs(face, guess, -degrees),
            "the loss is the mean over landmarks, these are sums": lambda face, guess, degrees: [
                cost * len(face) for cost in _costs(face, guess, degrees)
            ],
        },
    ),
    "anisotropic-same-minimum": Exercise(
        lambda: ("same", _left_over()),
        {
            "the slope of both is zero at one place only, and W has no part in where that is": (
                lambda: ("different", _left_over())
            ),
            "the slope of a square has a factor of 2": lambda: ("same", _left_over(slope=1.0)),
            "W has the inverse squares of a and b": lambda: ("same", _left_over(power=1)),
            "along and across are exchanged": lambda: ("same", _exchanged(_left_over())),
            "that is after nine steps": lambda: ("same", _left_over(steps=9)),
        },
        absolute=6e-4,
    ),
    "anisotropic-points": Exercise(
        _of_the_shape,
        {
            "nothing was fitted, these are the points where they are": lambda found, true: [
                _error(points, true) for points in found
            ],
            "a similarity turns and scales, too, it does not move alone": lambda found, true: [
                _moved_only(points, true) for points in found
            ],
            "each face has a similarity of its own, this is one for all": lambda found, true: [
                _one_for_all(points, true) for points in found
            ],
            "the truth was moved onto what was found": lambda found, true: [
                _truth_moved(points, true) for points in found
            ],
            "expected fractions, these are percent": lambda found, true: [
                100 * error for error in _of_the_shape(found, true)
            ],
        },
        relative=1e-3,
    ),
    "anisotropic-once": Exercise(
        _missed,
        {
            "that is what is seen": lambda sizes: [1 - share for share in _missed(sizes)],
            "the first is a share of all faces, not of the largest bin": lambda sizes: _missed(sizes)[1:] * 2,
            "the second is a share of the largest bin, not of all faces": lambda sizes: _missed(sizes)[:1] * 2,
            "expected fractions, these are percent": lambda sizes: [100 * share for share in _missed(sizes)],
        },
        absolute=1e-3,
    ),
    "anisotropic-bound": Exercise(
        _smallest_area,
        {
            "compare the printed area with the smallest one": lambda *given: (
                _other_word(_smallest_area(*given)[0]),
                _smallest_area(*given)[1],
            ),
            "one error far beyond the threshold costs no more than one at it, so this area is large": (
                lambda *given: ("impossible", 3 / 4)  # all of the error is in one of the four faces
            ),
            "that is the area above the curve": lambda *given: ("impossible", 1 - _smallest_area(*given)[1]),
            "the area is divided by the threshold, so that it can reach 1": lambda mean, threshold, printed: (
                "impossible",
                threshold - mean,
            ),
        },
        absolute=6e-4,
    ),
    "anisotropic-seeds": Exercise(
        _paper_and_ours,
        {
            "that is for one standard error": partial(_paper_and_ours, errors=1.0),
            "an error of the mean falls with the root of the number of runs": (partial(_paper_and_ours, power=1)),
            "the number of runs is rounded up": _rounded_down,
            "runs of one seed are a pair: what varies is their difference": _not_paired,
        },
    ),
}
