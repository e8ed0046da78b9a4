"""Exercises of the chapters on 3DDFA_V2 (Guo et al. 2020)."""

import torch
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
}
