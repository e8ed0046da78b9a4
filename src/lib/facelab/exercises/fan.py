"""Exercises of the chapters on FAN (Bulat and Tzimiropoulos 2017)."""

import math

from torch import Tensor

from facelab.exercises.judging import Exercise
from facelab.markups import markup
from facelab.metrics import nme

_SIGMAS = 3


def _quarter(points: Tensor) -> Tensor:
    """``(..., 2)``: what the quarter rule leaves of the way to the next pixel's centre."""
    off = points - points.round()
    return off - off.sign() / 4


def _floor(off: Tensor) -> list[float]:
    return [float(off.norm(dim=-1).mean())] * _SIGMAS


def _root_mean_square(off: Tensor) -> list[float]:
    return [float(off.square().sum(-1).mean().sqrt())] * _SIGMAS


def _partners(maps: Tensor) -> Tensor:
    return maps[..., list(markup("68").mirror), :, :]


def _area_ratios(pairs: tuple[tuple[float, float], ...], threshold: float = 0.07) -> list[float]:
    return [(threshold - side) / (threshold - front) for front, side in pairs]


def _by_both_rules(on_head: Tensor, in_view: Tensor, span: Tensor) -> float:
    return float(100 * nme(in_view, on_head, span).mean())


FAN = {
    "fan-stride": Exercise(
        lambda stride: [(1 - stride) / 2] * 2,
        {
            "the sign is that of the other direction": lambda stride: [(stride - 1) / 2] * 2,
            "that is in heatmap pixels": lambda stride: [(1 - stride) / 2 / stride] * 2,
            "the half pixel of the picture is missing": lambda stride: [-stride / 2] * 2,
            "the half pixel of the heatmap is missing": lambda stride: [0.5] * 2,
        },
        absolute=0.01,
    ),
    "fan-sigma": Exercise(
        lambda points: _floor(_quarter(points)),
        {
            "a narrow bump has the same floor as a wide one: measure it": lambda points: [
                value * sigma for value, sigma in zip(_floor(_quarter(points)), (0.5, 1, 2), strict=True)
            ],
            "that is the floor of argmax": lambda points: _floor(points - points.round()),
            "that is the root of the mean square, not the mean distance": lambda points: _root_mean_square(
                _quarter(points)
            ),
            "those are picture pixels": lambda points: [4 * value for value in _floor(_quarter(points))],
            "that is the error along one axis": lambda points: [float(_quarter(points).abs().mean())] * _SIGMAS,
        },
        absolute=0.003,
    ),
    "fan-mirror": Exercise(
        lambda maps, of_mirror: maps + _partners(of_mirror).flip(-1),
        {
            "the maps of the mirrored picture are not turned back": lambda maps, of_mirror: maps + _partners(of_mirror),
            "the left eye's map lies on the right eye's": lambda maps, of_mirror: maps + of_mirror.flip(-1),
            "that turns the maps upside down": lambda maps, of_mirror: maps + _partners(of_mirror).flip(-2),
            "that turns the sum, not the second summand": lambda maps, of_mirror: _partners(maps + of_mirror).flip(-1),
            "the peaks lie where they should, but the sum is asked for, not the mean": lambda maps, of_mirror: (
                (maps + _partners(of_mirror).flip(-1)) / 2
            ),
        },
    ),
    "fan-area-ratio": Exercise(
        _area_ratios,
        {
            "that is the loss, not what is left": lambda pairs: [1 - ratio for ratio in _area_ratios(pairs)],
            "the ratio is upside down": lambda pairs: [1 / ratio for ratio in _area_ratios(pairs)],
            "those are ratios of errors; the areas are asked for": lambda pairs: [
                front / side for front, side in pairs
            ],
            "those are differences": lambda pairs: [(side - front) / 0.07 for front, side in pairs],
            "the threshold is not 10 %": lambda pairs: _area_ratios(pairs, 0.1),
        },
        relative=0.01,
    ),
    "fan-perfect": Exercise(
        lambda error: error / math.sqrt(math.pi / 2),
        {
            "the factor belongs on the other side": lambda error: error * math.sqrt(math.pi / 2),
            "the deviation of one coordinate is not the mean distance in the plane": lambda error: error,
            "that is for two annotators who are compared with each other": lambda error: error / math.sqrt(math.pi),
            "a mean distance is not the root of the mean square": lambda error: error / math.sqrt(2),
            "percent is asked for": lambda error: error / math.sqrt(math.pi / 2) / 100,
        },
        relative=3e-3,
    ),
    "fan-circle": Exercise(
        lambda share: (math.sqrt(2 * (1 - share)), 0.5),
        {
            "that is the ratio of variances": lambda share: (2 * (1 - share), 0.5),
            "the covariance counts twice in the variance of a difference": lambda share: (math.sqrt(2 - share), 1.0),
            "what is common to both cancels in their difference": lambda share: (math.sqrt(2 * (1 + share)), -0.5),
            "the share is one of the variance, not of the deviation": lambda share: (
                math.sqrt(2 * (1 - share**2)),
                math.sqrt(0.5),
            ),
        },
        relative=5e-3,
    ),
    "fan-mixed-rules": Exercise(
        lambda on_head, in_view, span, share: (
            share * _by_both_rules(on_head, in_view, span),
            (1 - share) * _by_both_rules(on_head, in_view, span),
        ),
        {
            "the more labels follow a rule, the nearer is the mean to it": lambda on_head, in_view, span, share: (
                (1 - share) * _by_both_rules(on_head, in_view, span),
                share * _by_both_rules(on_head, in_view, span),
            ),
            "those are the 17 points of the jaw; the error is over all 68": lambda on_head, in_view, span, share: (
                share * _by_both_rules(on_head[:, :17], in_view[:, :17], span),
                (1 - share) * _by_both_rules(on_head[:, :17], in_view[:, :17], span),
            ),
            "percent is asked for": lambda on_head, in_view, span, share: (
                share * _by_both_rules(on_head, in_view, span) / 100,
                (1 - share) * _by_both_rules(on_head, in_view, span) / 100,
            ),
            "the labels are not half and half": lambda on_head, in_view, span, share: (
                _by_both_rules(on_head, in_view, span) / 2,
                _by_both_rules(on_head, in_view, span) / 2,
            ),
        },
        relative=1e-3,
        absolute=0.006,
    ),
}
