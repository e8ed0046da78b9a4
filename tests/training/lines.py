"""A recipe that takes no time: straight lines through noisy points, with dropout so that chance plays a part."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facelab.training import Optimizer, Training, WarmupCosine

TRUE = torch.tensor([[1.0, -2.0, 0.5]])


class Rows(list[Tensor]):
    """Stacked samples as a feed wants them."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__([rows])

    def to(self, device: torch.device, non_blocking: bool = False) -> "Rows":
        return Rows(self[0].to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Rows":
        return Rows(self[0].pin_memory())


@dataclass(frozen=True)
class Line:
    """Fits three weights; the samples are noisy, by the generator that the feed hands out."""

    training: Training = field(
        default_factory=lambda: Training(
            epochs=6, batch=16, optimizer=Optimizer("adamw", 0.3), schedule=WarmupCosine(), save_every=0.0
        )
    )
    count: int = 64
    noise: float = 0.01
    dropout: float = 0.1

    def model(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return nn.Sequential(nn.Linear(3, 1), nn.Dropout(self.dropout))

    def samples(self, seed: int, device: torch.device, progress: bool) -> Tensor:
        return torch.randn(self.count, 3, generator=torch.Generator().manual_seed(1))

    def collate(self, samples: Sequence[Tensor]) -> Rows:
        return Rows(torch.stack(list(samples)))

    def prepare(self, samples: Rows, generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = samples[0]
        noise = torch.randn(rows.shape, generator=generator).to(rows)
        return rows + self.noise * noise, rows @ TRUE.T.to(rows)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return (network(batch[0]) - batch[1]).square().mean()

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        weight = next(network.parameters())
        rows = torch.randn(40, 3, generator=torch.Generator().manual_seed(2)).to(weight)[part]
        return {"error": (rows @ weight.T - rows @ TRUE.T.to(rows)).abs()[:, 0]}


@dataclass(frozen=True)
class TwoLines(Line):
    """Trained by two losses: the square, and the absolute error; scored by the absolute error."""

    look_ahead: int = 3
    by_coin: bool = False
    hopeless: int | None = None  # this branch climbs

    @property
    def branches(self) -> tuple["Branch", "Branch"]:
        return Branch(self, 0), Branch(self, 1)

    def score(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return (network(batch[0]) - batch[1]).abs().mean()


@dataclass(frozen=True)
class Branch:
    """One of the two losses."""

    line: TwoLines
    number: int

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        sign = -1 if self.line.hopeless == self.number else 1
        return sign * (self.line.score(network, batch) if self.number else self.line.loss(network, batch))
