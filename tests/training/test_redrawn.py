"""Sets that show other samples every epoch: what a feed asks for, and that a run goes on as if it had not stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from facelab.training import Order, World, fit
from facelab.training.feed import Feed, Redrawn
from tests.training.lines import TRUE, Line, Rows


class _Halves:
    """32 of 64 rows, others each epoch."""

    def __init__(self, rows: Tensor) -> None:
        self.whole = rows

    def __len__(self) -> int:
        return 32

    def drawn(self, epoch: int) -> Tensor:
        return torch.randperm(64, generator=torch.Generator().manual_seed(epoch))[:32]


class _Stopped(Exception):
    """What ends a run in the middle."""


@dataclass(frozen=True)
class _HalfLine(Line):
    """Learns from half of the rows an epoch, keeps what it was asked about, and fails at a loss if told to."""

    stop: ClassVar[int | None] = None
    asked: ClassVar[list[Tensor]] = []

    def samples(self, seed: int, device: torch.device, progress: bool) -> Tensor:
        halves: Tensor = _Halves(super().samples(seed, device, progress))  # type: ignore[assignment]
        return halves

    def prepare(self, samples: Rows, generator: torch.Generator) -> tuple[Tensor, ...]:
        return samples[0], samples[0] @ TRUE.T

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        if len(self.asked) == self.stop:
            raise _Stopped
        self.asked.append(batch[0])
        return super().loss(network, batch)


def test_an_order_of_drawn_samples() -> None:
    halves = _Halves(torch.zeros(64))
    plain = Order(32, 8, seed=4, parts=2)
    order = plain.of(halves.drawn)
    assert isinstance(halves, Redrawn) and not isinstance([1, 2], Redrawn) and len(order) == len(plain) == 4
    for epoch in range(3):
        drawn, steps = halves.drawn(epoch), range(4 * epoch, 4 * epoch + 4)
        assert sorted(i for step in steps for i in order.step(step)) == sorted(drawn.tolist())
        for step in steps:
            assert order.step(step) == drawn[plain.step(step)].tolist()
            assert order.part(step, 1) == order.step(step)[1::2]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_feed_reads_the_samples_of_each_epoch(workers: int) -> None:
    line, world = _HalfLine(), World(0, 1, torch.device("cpu"))
    rows = Line().samples(0, world.device, False)
    feed = Feed(_Halves(rows), line, Order(32, 16, 0, parts=2), world, seed=0, workers=workers)
    late = [torch.cat([batch[0] for _, batch in parts]) for _, parts in feed.since(3, 6)]
    for step, seen in zip(range(3, 6), late, strict=True):
        wanted = rows[feed.order.part(step, 0) + feed.order.part(step, 1)]
        assert torch.equal(seen, wanted)
        assert set(feed.order.step(step)) <= set(_Halves(rows).drawn(step // 2).tolist())


def test_a_run_goes_on_with_the_same_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    through: list[Tensor] = []
    monkeypatch.setattr(_HalfLine, "asked", through)
    alone = fit(_HalfLine()).model
    assert len(through) == 12  # six epochs of two steps

    in_two: list[Tensor] = []
    monkeypatch.setattr(_HalfLine, "asked", in_two)
    monkeypatch.setattr(_HalfLine, "stop", 5)  # in the middle of the third
    with pytest.raises(_Stopped):
        fit(_HalfLine(), output=tmp_path)
    monkeypatch.setattr(_HalfLine, "stop", None)
    resumed = fit(_HalfLine(), output=tmp_path).model
    assert torch.equal(torch.stack(through), torch.stack(in_two))
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), resumed.parameters(), strict=True))
