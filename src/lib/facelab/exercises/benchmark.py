"""Exercises of the chapter that compares all methods."""

import math
from collections.abc import Mapping

from torch import Tensor

from facelab.exercises.judging import Exercise

_CAMERA = 6  # a scale, three angles, two shifts


def _of_faces(means: Mapping[str, float], faces: Mapping[str, int]) -> float:
    return sum(faces[name] * means[name] for name in faces) / sum(faces.values())


def _of_bins(means: Mapping[str, float], faces: Mapping[str, int]) -> float:
    return sum(means[name] for name in faces) / len(faces)


def _deviation(errors: Tensor) -> float:
    """Of the mean of errors ``(N,)``."""
    return float(errors.double().std()) / math.sqrt(len(errors))


def _fewest(unknowns: int) -> int:
    """Landmarks that give as many equations."""
    return math.ceil(unknowns / 2)


BENCHMARK = {
    "benchmark-which-mean": Exercise(
        lambda means, faces: (_of_bins(means, faces), _of_faces(means, faces)),
        {
            "the two are exchanged": lambda means, faces: (_of_faces(means, faces), _of_bins(means, faces)),
            "both are the mean of bins": lambda means, faces: (_of_bins(means, faces),) * 2,
            "both are the mean of faces": lambda means, faces: (_of_faces(means, faces),) * 2,
            "the rarer a bin, the less it counts among faces": lambda means, faces: (
                _of_bins(means, faces),
                sum(means[name] / faces[name] for name in faces) / sum(1 / number for number in faces.values()),
            ),
        },
        relative=2e-3,
    ),
    "benchmark-same-faces": Exercise(
        lambda first, second: _deviation(first - second),
        {
            "that is for two sets of faces that have nothing in common": lambda first, second: math.hypot(
                _deviation(first), _deviation(second)
            ),
            "that is the deviation of one face, not of the mean": lambda first, second: float(
                (first - second).double().std()
            ),
            "deviations are not subtracted": lambda first, second: abs(_deviation(first) - _deviation(second)),
            "that is the variance": lambda first, second: _deviation(first - second) ** 2,
        },
        relative=2e-2,
    ),
    "benchmark-unknowns": Exercise(
        lambda identity, expression: _fewest(_CAMERA + identity + expression),
        {
            "a landmark gives two equations": lambda identity, expression: _CAMERA + identity + expression,
            "the twelve numbers of the camera are not free: there are six": lambda identity, expression: _fewest(
                12 + identity + expression
            ),
            "an affine camera has eight numbers, a scaled rotation with its shift has six": (
                lambda identity, expression: _fewest(8 + identity + expression)
            ),
            "the camera is unknown, too": lambda identity, expression: _fewest(identity + expression),
        },
    ),
}
