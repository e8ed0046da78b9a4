"""A running mean of a network's weights."""

import copy

import torch
from torch import nn


class Ema:
    """Exponential moving average: a second network whose weights follow the first ones slowly.

    After each step ``mean = decay * mean + (1 - decay) * weights``. Early on the mean would be mostly of the random
    first weights, so the decay starts small: it is at most ``(1 + steps) / (10 + steps)``. Buffers (the statistics of
    batch normalisation) are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, model: nn.Module, steps: int) -> None:
        """Takes in the weights after ``steps`` steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)
