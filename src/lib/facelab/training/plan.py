"""A training run as data: how long, in what steps, with which numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from facelab.training.precision import PRECISIONS
from facelab.training.schedules import Constant, Schedule

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")


@dataclass(frozen=True)
class Optimizer:
    """An optimiser and its constants.

    Attributes:
        name: one of ``OPTIMIZERS``. learning_rate: before the schedule's factor. weight_decay: of all weights.
        momentum: of sgd and rmsprop. nesterov: of sgd.
    """

    name: str
    learning_rate: float
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {self.name!r}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate: expected a positive number, got {self.learning_rate}")
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum: expected none with {self.name}, got {self.momentum}")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """PyTorch's optimiser over these parameters."""
        common: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        if self.name == "sgd":
            return torch.optim.SGD(parameters, momentum=self.momentum, nesterov=self.nesterov, **common)
        if self.name == "rmsprop":
            return torch.optim.RMSprop(parameters, momentum=self.momentum, **common)
        return (torch.optim.Adam if self.name == "adam" else torch.optim.AdamW)(parameters, **common)


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes:
        epochs: times through the training samples. batch: samples a step, over all processes and parts.
        optimizer, schedule: of the learning rate at a share of the run.
        precision: see :class:`facelab.training.Precision`. channels_last: memory format of pictures and filters.
        compile: run the network through ``torch.compile``.
        accumulate: parts of a process's batch that go through the network one after the other.
        clip: largest norm of the gradient. ema: share of the past in a running mean of the weights, 0.999 say; the
            mean is then what is evaluated and kept.
        select: name of a measure; the weights of the epoch where it was smallest are kept, instead of the last.
        evaluate_every: epochs from one evaluation to the next; the last epoch is always evaluated.
        save_every: seconds from one checkpoint to the next within an epoch; there is one after every epoch.
        workers: processes that read samples; 0 for a thread.
    Raises:
        ValueError: for a number out of range.
    """

    epochs: int
    batch: int
    optimizer: Optimizer
    schedule: Schedule = field(default_factory=Constant)
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    accumulate: int = 1
    clip: float | None = None
    ema: float | None = None
    select: str | None = None
    evaluate_every: int = 1
    save_every: float = 60.0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "evaluate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training: expected {name} of at least 1, got {getattr(self, name)}")
        if self.workers < 0 or self.save_every < 0:
            raise ValueError(f"training: expected workers, save_every >= 0, got {self.workers}, {self.save_every}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"training: expected a positive clip, got {self.clip}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"training: expected an ema between 0 and 1, got {self.ema}")
