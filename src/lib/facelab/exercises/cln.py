"""Exercises of the chapters on CLN (2022)."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from scipy.stats import norm as normal
from scipy.stats import t as student
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.exercises.judging import Exercise
from facelab.metrics import nme_3d

TILES, SWAPS = 16, 4
CHANNELS = 320  # of all heads together
NOSE = 30  # its tip, of the 68


def _fused(pointwise: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """The kernel without its padding, ``(4, 3, 1, 1)``."""
    return (norm.weight / _deviation(norm))[:, None, None, None] * pointwise.weight


def _deviation(norm: nn.BatchNorm2d, epsilon: bool = True) -> Tensor:
    return (torch.as_tensor(norm.running_var) + epsilon * norm.eps).sqrt()


def _in_the_middle(kernel: Tensor) -> Tensor:
    return F.pad(kernel, (1, 1, 1, 1))


def _of_channels(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _arrangements() -> int:
    """Reached by 0 to 4 swaps of the top left tile, tried one by one."""
    draws = (places for swaps in range(SWAPS + 1) for places in itertools.permutations(range(TILES), swaps))
    return len({_arrangement(places) for places in draws})


def _arrangement(places: Sequence[int]) -> tuple[int, ...]:
    held = list(range(TILES))
    for place in places:
        held[0], held[place] = held[place], held[0]
    return tuple(held)


def _kept() -> float:
    """Share of pictures whose tiles stay: no swap, or one that draws the top left itself."""
    return (1 + 1 / TILES) / (SWAPS + 1)


def _products(tokens_squared: bool = True, products: int = 2, channels: int = CHANNELS) -> list[float]:
    """Millions of multiply-adds at 7 x 7 and 14 x 14 places."""
    return [products * (side**2) ** (2 if tokens_squared else 1) * channels / 1e6 for side in (7, 14)]


Ratios = Sequence[Tensor]
HalfWidth = Callable[[Tensor, int], float]


def _half_width(ratios: Tensor, seeds: int, confidence: float = 0.95, correction: int = 1) -> float:
    deviation = float(ratios.std(correction=correction))
    return float(student.ppf((1 + confidence) / 2, seeds - 1)) * deviation / math.sqrt(seeds)


def _normal_half_width(ratios: Tensor, seeds: int) -> float:
    return float(normal.ppf(0.975)) * float(ratios.std()) / math.sqrt(seeds)


def _seeds(ratios: Ratios, printed: Sequence[float], half_width: HalfWidth = _half_width) -> list[int]:
    """The least number of seeds, for each step, whose interval reaches no farther than the printed step."""
    return [
        next(n for n in itertools.count(2) if half_width(values, n) <= 1 - step)
        for values, step in zip(ratios, printed, strict=True)
    ]


Bins = Mapping[str, Tensor]
Ranked = tuple[str, str, str, float]


def _next_to_the_best(bins: Bins, printed: Mapping[str, float], counts: Tensor, place: int = 1) -> Ranked:
    """Who is second by the printed mean, by that of bins and by that of faces; and the last mean of the last."""
    of_bins = {method: float(values.mean()) for method, values in bins.items()}
    of_faces = {method: float(values @ counts / counts.sum()) for method, values in bins.items()}
    by_printed, by_bins, by_faces = (_at(means, place) for means in (printed, of_bins, of_faces))
    return by_printed, by_bins, by_faces, of_faces[by_faces]


def _at(means: Mapping[str, float], place: int) -> str:
    return sorted(means, key=lambda method: means[method])[place]


def _spoilt_faces(truth: Tensor, turn: Tensor, nose: float = 0.2) -> list[list[float]]:
    """In percent by axes and by similarity: twice the size, half as deep, turned, the nose pulled out."""
    pulled = truth.clone()
    pulled[:, NOSE, 2] += nose * (truth[..., 2].amax(1) - truth[..., 2].amin(1))
    spoilt = (2 * truth, truth * truth.new_tensor([1, 1, 0.5]), truth @ turn.mT, pulled)
    return [_by_both(points, truth) for points in spoilt]


def _by_both(points: Tensor, truth: Tensor) -> list[float]:
    return [100 * float(nme_3d(points, truth, kind).mean()) for kind in ("axes", "similarity")]


Steps = Sequence[tuple[str, str]]


def _some_miss(steps: Steps, seeds: int, reach: float | None = None) -> float:
    """How often at least one of the intervals misses, in 200,000 pages of networks that are all alike."""
    reach = float(student.ppf(0.975, seeds - 1)) if reach is None else reach
    generator = torch.Generator().manual_seed(0)
    networks = {name for step in steps for name in step}
    errors = {name: torch.randn(200_000, seeds, generator=generator) for name in sorted(networks)}
    changes = [errors[after] - errors[before] for before, after in steps]
    missed = [(change.mean(1) / change.std(1) * math.sqrt(seeds)).abs() > reach for change in changes]
    return float(torch.stack(missed).any(0).double().mean())


CLN = {
    "cln-fuse": Exercise(
        lambda pointwise, norm: _in_the_middle(_fused(pointwise, norm)),
        {
            "gamma is missing": lambda pointwise, norm: _in_the_middle(
                _fused(pointwise, norm) / _of_channels(norm.weight)
            ),
            "divided by the variance, not by its root": lambda pointwise, norm: _in_the_middle(
                _fused(pointwise, norm) / _of_channels(_deviation(norm))
            ),
            "epsilon of BN is missing": lambda pointwise, norm: _in_the_middle(
                _fused(pointwise, norm) * _of_channels(_deviation(norm) / _deviation(norm, epsilon=False))
            ),
            "the weight stands in a corner of the kernel": lambda pointwise, norm: F.pad(
                _fused(pointwise, norm), (0, 2, 0, 2)
            ),
            "the weight stands in all nine places": lambda pointwise, norm: _fused(pointwise, norm).expand(
                -1, -1, 3, 3
            ),
        },
    ),
    "cln-arrangements": Exercise(
        lambda: (_arrangements(), _kept()),
        {
            "16! counts every permutation": lambda: (math.factorial(TILES), _kept()),
            "draws of the top left itself are counted as new": lambda: (
                sum(math.perm(TILES, swaps) for swaps in range(SWAPS + 1)),
                _kept(),
            ),
            "that is 4 swaps alone": lambda: (math.perm(TILES - 1, SWAPS), _kept()),
            "all tiles in place are an arrangement, too": lambda: (_arrangements() - 1, _kept()),
            "one swap may draw the top left, too": lambda: (_arrangements(), 1 / (SWAPS + 1)),
        },
        relative=1e-6,
        absolute=1e-4,
    ),
    "cln-separable": Exercise(
        lambda: math.sqrt(3 / 4),
        {
            "that is the squared error": lambda: 3 / 4,
            "that is the error before it is divided": lambda: math.sqrt(3),
            "that is the share that is kept, squared": lambda: 1 / 4,
            "a gate of zeros is not the best": lambda: 1.0,
        },
        absolute=6e-4,
    ),
    "cln-cost": Exercise(
        _products,
        {
            "that is one product of the two": lambda: _products(products=1),
            "the cost goes with the square of the tokens": lambda: _products(tokens_squared=False),
            "the four heads have 320 channels together, not each": lambda: _products(channels=4 * CHANNELS),
        },
        absolute=6e-3,
    ),
    "cln-seeds": Exercise(
        _seeds,
        {
            "with so few seeds the interval is of t, not of a normal": lambda ratios, printed: _seeds(
                ratios, printed, _normal_half_width
            ),
            "the interval has two ends: 2.5 % are beyond each": lambda ratios, printed: _seeds(
                ratios, printed, lambda values, n: _half_width(values, n, confidence=0.9)
            ),
            "that is for the whole width of the interval, half of it has to reach 1": lambda ratios, printed: _seeds(
                ratios, printed, lambda values, n: 2 * _half_width(values, n)
            ),
            "five seeds are a sample: the sum of squares is divided by four": lambda ratios, printed: _seeds(
                ratios, printed, lambda values, n: _half_width(values, n, correction=0)
            ),
        },
    ),
    "cln-order": Exercise(
        _next_to_the_best,
        {
            "CLN is the best by all three, and the next one was asked": partial(_next_to_the_best, place=0),
            "for the mean over faces, a range counts by its faces": lambda bins, printed, counts: _next_to_the_best(
                bins, printed, torch.ones_like(counts)
            ),
            "the numbers of faces are in the other order": lambda bins, printed, counts: _next_to_the_best(
                bins, printed, counts.flip(0)
            ),
            "the order begins with the smallest error": partial(_next_to_the_best, place=-2),
        },
        absolute=6e-3,
    ),
    "cln-axes": Exercise(
        _spoilt_faces,
        {
            "the nose was pushed in: larger z is nearer to the viewer": lambda truth, turn: _spoilt_faces(
                truth, turn, -0.2
            ),
            "the faces were turned the other way": lambda truth, turn: _spoilt_faces(truth, turn.mT),
            "the columns are exchanged": lambda truth, turn: [row[::-1] for row in _spoilt_faces(truth, turn)],
            "expected percent, these are fractions": lambda truth, turn: [
                [value / 100 for value in row] for row in _spoilt_faces(truth, turn)
            ],
        },
        absolute=6e-3,
    ),
    "cln-many-intervals": Exercise(
        _some_miss,
        {
            "steps that share a row are not independent": lambda steps, seeds: 1 - 0.95 ** len(steps),
            "that is how many miss on average": lambda steps, seeds: 0.05 * len(steps),
            "that is how often all of them hold": lambda steps, seeds: 1 - _some_miss(steps, seeds),
            "with so few seeds the interval is of t, not of a normal": lambda steps, seeds: _some_miss(
                steps, seeds, float(normal.ppf(0.975))
            ),
        },
        absolute=0.012,  # 20,000 draws are right to 0.01
    ),
}
