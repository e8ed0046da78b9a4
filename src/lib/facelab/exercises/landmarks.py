"""Exercises of the chapter on landmarks."""

import math

import torch
from torch import Tensor

from facelab.exercises.judging import Exercise
from facelab.face3d import MorphableModel
from facelab.face3d.contour import JAW, visible_contour
from facelab.metrics import nme, normalizer_lengths
from facelab.viz import portrait_camera

_PITCH, _YAW, _ROLL = range(3)


def _members(scatter: float, wanted: float, share: float = math.pi / 2) -> float:
    """Of a committee whose mean error is ``wanted``; ``share`` is the squared mean length of a unit deviation."""
    return share * (scatter / wanted) ** 2


def _pupils(target: Tensor) -> Tensor:
    return normalizer_lengths(target, "interpupil", markup="68")


def _distance(target: Tensor, left: list[int], right: list[int]) -> Tensor:
    """``(N,)`` between the means of some landmarks."""
    return (target[:, left].mean(1) - target[:, right].mean(1)).norm(dim=1)


def _ends(ratios: Tensor) -> tuple[float, float]:
    return float(ratios.min()), float(ratios.max())


def _ratios(target: Tensor) -> Tensor:
    """``(N,)``: error by inter-pupil over error by inter-ocular distance, whatever is predicted."""
    return normalizer_lengths(target, "interocular", markup="68").to(target) / _pupils(target).to(target)


def _between_inner_corners(target: Tensor) -> Tensor:
    return _distance(target, [39], [42]) / _pupils(target)


def _pupils_between_corners(target: Tensor) -> Tensor:
    return normalizer_lengths(target, "interocular", markup="68") / _distance(target, [36, 39], [42, 45])


def _jaws_apart(face: MorphableModel, crowd: Tensor, degrees: tuple[float, ...], axis: int = _PITCH) -> list[float]:
    """Distance of the jaw by the 2D rule from that by the 3D rule over all 68 points, percent, for each angle."""
    return [float(100 * nme(*_both_rules(face, crowd, angle, axis)).mean()) for angle in degrees]


def _jaws_alone_apart(face: MorphableModel, crowd: Tensor, degrees: tuple[float, ...]) -> list[float]:
    both = [_both_rules(face, crowd, angle, _PITCH) for angle in degrees]
    return [float(100 * nme(seen[:, :JAW], true[:, :JAW]).mean()) for seen, true in both]


def _both_rules(face: MorphableModel, crowd: Tensor, degrees: float, axis: int) -> tuple[Tensor, Tensor]:
    """The 68 points ``(N, 68, 2)`` of heads that are turned about one axis, jaw by the 2D and by the 3D rule."""
    angles = torch.zeros(len(crowd), 3)
    angles[:, axis] = degrees
    camera = portrait_camera(face, angles)
    pixels = camera.project(crowd)
    on_head = face.landmarks_of(pixels)[..., :2]
    return torch.cat([visible_contour(face, pixels, camera), on_head[:, JAW:]], 1), on_head


LANDMARKS = {
    "landmarks-annotators": Exercise(
        lambda scatter, wanted: math.ceil(_members(scatter, wanted)),
        {
            "independent errors do not cancel in proportion to the number of people": lambda scatter, wanted: math.ceil(
                _members(scatter, wanted) ** 0.5
            ),
            "the deviation of one coordinate is not the mean distance in the plane": lambda scatter, wanted: math.ceil(
                _members(scatter, wanted, 1.0)
            ),
            "the factor is that of two people who are compared with each other": lambda scatter, wanted: math.ceil(
                _members(scatter, wanted, math.pi)
            ),
            "with so many people the error is still above the limit": lambda scatter, wanted: math.floor(
                _members(scatter, wanted)
            ),
            "people come in whole numbers": _members,
        },
        relative=1e-3,
    ),
    "landmarks-normalisers": Exercise(
        lambda target: _ends(_ratios(target)),
        {
            "the ratio is upside down: the shorter length makes the larger error": lambda target: _ends(
                1 / _ratios(target)
            ),
            "the smallest comes first": lambda target: _ends(_ratios(target))[::-1],
            "inter-ocular is from outer corner to outer corner": lambda target: _ends(_between_inner_corners(target)),
            "the middle of an eye is the mean of its six points, not of its corners": lambda target: _ends(
                _pupils_between_corners(target)
            ),
        },
        relative=1e-3,
    ),
    "landmarks-jaw": Exercise(
        _jaws_apart,
        {
            "that is a fraction, not percent": lambda face, crowd, degrees: [
                value / 100 for value in _jaws_apart(face, crowd, degrees)
            ],
            "the pitches are exchanged: a positive one raises the chin": lambda face, crowd, degrees: _jaws_apart(
                face, crowd, degrees[::-1]
            ),
            "the heads are turned, not tilted": lambda face, crowd, degrees: _jaws_apart(face, crowd, degrees, _YAW),
            "those are the 17 points of the jaw by their own box": _jaws_alone_apart,
        },
        relative=1e-3,
        absolute=0.006,
    ),
}
