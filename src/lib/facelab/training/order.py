"""Which samples make up which batch: a function of the seed and the step, so that there is no place to lose."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch


def generator_for(*numbers: int) -> torch.Generator:
    """A generator on the CPU whose numbers depend on ``numbers`` alone: seed, step and part, say."""
    # Their count too: to NumPy, zeros at the end make no difference.
    state = np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


class Order:
    """The samples of every part of every step.

    Each epoch is a new permutation; what is left over at its end is left out. The batch of a step is cut into parts:
    a process takes some of them, and learns from one after the other. Runs with the same parts see the same samples
    with the same random changes, on one process or on many.

    Args:
        count: training samples of an epoch. batch: samples a step. seed: of the permutations. parts: of a batch.
        drawn: which ``count`` samples of a larger set are those of an epoch, as indices; else they are 0 to count - 1.
    Raises:
        ValueError: if the batch is larger than the set, or is not a multiple of the parts.
    """

    def __init__(
        self, count: int, batch: int, seed: int, parts: int = 1, drawn: Callable[[int], torch.Tensor] | None = None
    ) -> None:
        if batch > count:
            raise ValueError(f"batch: expected at most the {count} training samples, got {batch}")
        if batch % parts:
            raise ValueError(f"batch: expected a multiple of {parts} (processes times accumulated parts), got {batch}")
        self.count, self.batch, self.seed, self.parts, self.drawn = count, batch, seed, parts, drawn
        self._permutation = lru_cache(maxsize=2)(self._permute)

    def __len__(self) -> int:
        """Steps an epoch."""
        return self.count // self.batch

    def _permute(self, epoch: int) -> torch.Tensor:
        places = torch.randperm(self.count, generator=generator_for(self.seed, epoch))
        return places if self.drawn is None else self.drawn(epoch)[places]

    def of(self, drawn: Callable[[int], torch.Tensor]) -> "Order":
        """The same order of other samples every epoch."""
        return Order(self.count, self.batch, self.seed, self.parts, drawn)

    def step(self, step: int) -> list[int]:
        """Indices of the samples of a step; steps are counted over the whole run."""
        epoch, place = divmod(step, len(self))
        return self._permutation(epoch)[place * self.batch : (place + 1) * self.batch].tolist()

    def part(self, step: int, part: int) -> list[int]:
        """Indices of the samples of a part of a step."""
        return self.step(step)[part :: self.parts]
