"""A network in place of a trained one, whose answers are known."""

from typing import Any

import torch
from torch import Tensor, nn


class Says(nn.Module):
    """Has an answer ready for every picture: that of a batch, and perhaps another for the same pictures mirrored."""

    def __init__(self, images: Tensor, answer: Any, mirrored: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # recipes ask a network on which device its weights are
        self.images, self.answer, self.mirrored = images, answer, mirrored

    def forward(self, images: Tensor) -> Any:
        if torch.equal(images, self.images):
            return self.answer
        assert self.mirrored is not None and torch.equal(images, self.images.flip(3))
        return self.mirrored
