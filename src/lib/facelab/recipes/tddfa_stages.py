"""The trainings that make up a run of 3DDFA_V2: by one loss, or by two with meta-joint optimisation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facelab.models.tddfa import Answer
from facelab.recipes.parametric import ParameterStage


@dataclass(frozen=True)
class OneLoss(ParameterStage):
    """By the objective of that name."""

    name: str

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, target = batch
        answer: Answer = network(images)
        with torch.autocast(images.device.type, enabled=False):  # half precision is too coarse for pixels
            return self.whole.objective(answer, target, self.statistics.to(target.device), self.name)


@dataclass(frozen=True)
class TwoLosses(ParameterStage):
    """By meta-joint optimisation; see :class:`facelab.training.TwoLosses`."""

    @property
    def look_ahead(self) -> int:
        return self.whole.look_ahead

    @property
    def by_coin(self) -> bool:
        return self.whole.by_coin

    @property
    def branches(self) -> tuple[OneLoss, OneLoss]:
        first, second = (OneLoss(self.whole, self.start, self.training, name) for name in ("fwpdc", "vdc"))
        return first, second

    def score(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, target = batch
        answer: Answer = network(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.whole.cost(answer.parameters, target, self.statistics.to(target.device), "vdc")

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return self.score(network, batch)
