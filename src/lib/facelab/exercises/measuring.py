"""Exercises of the chapter on measuring."""

import math

from facelab.exercises.judging import Exercise

_POSSIBLE, _IMPOSSIBLE = "possible", "impossible"


def _smallest(area: float, threshold: float) -> float:
    """The smallest mean error that goes with an area under the curve, in the unit of the threshold."""
    return threshold * (1 - area)


def _mean(faces: tuple[int, ...], means: tuple[float, ...], slack: float = 0.0) -> float:
    """Over all faces of subsets whose means may each be larger by ``slack``."""
    return sum(number * (mean + slack) for number, mean in zip(faces, means, strict=True)) / sum(faces)


MEASURING = {
    "measuring-bound-of-a-table": Exercise(
        lambda error, area, threshold: (
            _smallest(area, threshold),
            _IMPOSSIBLE if error < _smallest(area, threshold) else _POSSIBLE,
        ),
        {
            "the bound is right; on which side of it does the printed error lie?": lambda error, area, threshold: (
                _smallest(area, threshold),
                _POSSIBLE if error < _smallest(area, threshold) else _IMPOSSIBLE,
            ),
            "what is missing above the curve makes the error, not what is below it": lambda error, area, threshold: (
                threshold * area,
                _IMPOSSIBLE,
            ),
            "that is the share that is missing, not yet an error": lambda error, area, threshold: (
                100 * (1 - area),
                _IMPOSSIBLE,
            ),
            "percent is asked for": lambda error, area, threshold: (_smallest(area, threshold) / 100, _IMPOSSIBLE),
            "the threshold is not 10 %": lambda error, area, threshold: (_smallest(area, 10.0), _IMPOSSIBLE),
        },
        relative=2e-3,
    ),
    "measuring-full-set": Exercise(
        # A printed number stands for everything that is rounded to it.
        lambda faces, means, digit: _mean(faces, means, digit / 2),
        {
            "that takes the printed digits as exact": lambda faces, means, digit: _mean(faces, means),
            "a printed digit is wrong by half a unit at most, not by a whole one": _mean,
            "every face counts once, not every subset": lambda faces, means, digit: sum(means) / 2 + digit / 2,
            "the numbers of faces are exchanged": lambda faces, means, digit: _mean(faces[::-1], means, digit / 2),
            "that rounds against the author": lambda faces, means, digit: _mean(faces, means, -digit / 2),
        },
        relative=0.0,
        absolute=0.0011,
    ),
    "measuring-noise-floor": Exercise(
        lambda: math.sqrt(2),
        {
            "variances add, deviations do not": lambda: 2.0,
            "the larger error is to be divided by the smaller": lambda: math.sqrt(0.5),
            "that is the error of one annotator in units of the deviation": lambda: math.sqrt(math.pi / 2),
            "that is the distance of two annotators in units of the deviation": lambda: math.sqrt(math.pi),
            "two people are farther from each other than either is from the truth": lambda: 1.0,
        },
        relative=0.01,
    ),
}
