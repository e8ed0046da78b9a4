"""Random numbers for a batch of scenes, drawn in a fixed order from one generator."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """One number or one row a scene: every method gives a tensor whose first axis is the batch.

    Args:
        count: scenes in the batch, B. generator: on the CPU, so that every device sees the same scenes.
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator = count, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """``(B, *shape)`` in [low, high)."""
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        """``(B, *shape)`` standard normal."""
        return torch.randn(self.count, *shape, generator=self.generator)

    def chance(self, probability: float | Tensor) -> Tensor:
        """``(B,)`` bool, true with that probability."""
        return torch.rand(self.count, generator=self.generator) < probability

    def some(self, probability: float | Tensor, low: float, high: float) -> Tensor:
        """``(B,)``: uniform in [low, high) with that probability, 0 otherwise."""
        return self.chance(probability) * self.uniform(low, high)

    def one_of(self, weights: Sequence[float]) -> Tensor:
        """``(B,)`` int64: an index, drawn by these weights."""
        shares = torch.tensor(list(weights), dtype=torch.float32).expand(self.count, -1)
        return torch.multinomial(shares, 1, generator=self.generator)[:, 0]

    def along(self, colours: Tensor, place: Tensor) -> Tensor:
        """``(B, 3)``: the colours at ``place`` ``(B,)`` in [0, 1] along a line of colours ``(N, 3)``."""
        position = place.clamp(0, 1) * (len(colours) - 1)
        index = position.long().clamp(max=len(colours) - 2)
        share = (position - index)[:, None]
        return (1 - share) * colours[index] + share * colours[index + 1]
