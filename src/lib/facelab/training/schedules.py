"""How the learning rate changes: a factor of it at every share of the run, from 0 to 1.

A schedule is a function of the share alone. It has no state, so there is nothing of it to save.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    def __call__(self, share: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Steps:
    """The rate is multiplied by ``factor`` at each of the shares ``at``; several factors: one for each of them.

    Raises:
        ValueError: if there are not as many factors as shares.
    """

    at: tuple[float, ...]
    factor: float | tuple[float, ...] = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.factor, tuple) and len(self.factor) != len(self.at):
            raise ValueError(f"Steps factor: expected one number or {len(self.at)}, got {len(self.factor)}")

    def __call__(self, share: float) -> float:
        factors = self.factor if isinstance(self.factor, tuple) else (self.factor,) * len(self.at)
        return math.prod(factor for when, factor in zip(self.at, factors, strict=True) if share >= when)


@dataclass(frozen=True)
class Geometric:
    """From the rate to ``last`` times the rate, by the same factor at each step."""

    last: float

    def __call__(self, share: float) -> float:
        return self.last**share


@dataclass(frozen=True)
class WarmupCosine:
    """Up in a straight line over the first ``warmup`` of the run, then half a cosine down to ``floor``.

    Without a warm-up: the cosine alone.
    """

    warmup: float = 0.1
    floor: float = 0.01

    def __call__(self, share: float) -> float:
        if share < self.warmup:
            return self.floor + (1 - self.floor) * share / self.warmup
        angle = math.pi * (share - self.warmup) / (1 - self.warmup)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(angle))
