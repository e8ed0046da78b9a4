"""Exercises of the chapter on faces in 3D."""

import math

from torch import Tensor

from facelab.exercises.judging import Exercise
from facelab.face3d import MorphableModel
from facelab.markups import markup


def _negated(points: Tensor, axis: int = 0) -> Tensor:
    signs = points.new_ones(3)
    signs[axis] = -1
    return points * signs


def _renumbered(points: Tensor) -> Tensor:
    return points[list(markup("68").mirror)]


def _left_over(face: MorphableModel, identity: Tensor, kept: int) -> Tensor:
    """``(N, V, 3)`` centimetres: what the first coefficients alone leave out."""
    return face.vertices(identity) - face.vertices(identity[:, :kept])


def _mean_distances(face: MorphableModel, identity: Tensor, kept: tuple[int, ...]) -> list[float]:
    return [float(10 * _left_over(face, identity, k).norm(dim=2).mean()) for k in kept]


def _root_mean_squares(face: MorphableModel, identity: Tensor, kept: tuple[int, ...]) -> list[float]:
    return [float(10 * _left_over(face, identity, k).square().sum(2).mean().sqrt()) for k in kept]


def _of_landmarks(face: MorphableModel, identity: Tensor, kept: tuple[int, ...]) -> list[float]:
    return [float(10 * face.landmarks_of(_left_over(face, identity, k)).norm(dim=2).mean()) for k in kept]


def _of_coordinates(face: MorphableModel, identity: Tensor, kept: tuple[int, ...]) -> list[float]:
    return [float(10 * _left_over(face, identity, k).abs().mean()) for k in kept]


FACES_IN_3D = {
    "faces-symmetry": Exercise(
        lambda points: _renumbered(_negated(points)),
        {
            "the points are mirrored, and keep the numbers of the other side": _negated,
            "the points change their numbers, and stay where they are": _renumbered,
            "that turns the face upside down": lambda points: _renumbered(_negated(points, 1)),
            "the partner of a point is not the one counted from the other end": lambda points: _negated(points).flip(0),
        },
    ),
    "faces-truncation": Exercise(
        _mean_distances,
        {
            "those are centimetres": lambda face, identity, kept: [
                distance / 10 for distance in _mean_distances(face, identity, kept)
            ],
            "that is the root of the mean square, not the mean distance": _root_mean_squares,
            "those are the 68 landmarks, not all vertices": _of_landmarks,
            "that is a mean over coordinates; a distance has three of them": _of_coordinates,
        },
        relative=1e-3,
        absolute=0.006,
    ),
    "faces-gimbal": Exercise(
        lambda pitch, roll: roll - pitch,
        {
            "the matrix stays the same if pitch and roll change by the same amount": lambda pitch, roll: roll + pitch,
            "the sign is turned round": lambda pitch, roll: pitch - roll,
            "radians are asked for": lambda pitch, roll: math.degrees(roll - pitch),
            "the roll must change with the pitch": lambda pitch, roll: roll,
        },
        absolute=1e-3,
    ),
}
