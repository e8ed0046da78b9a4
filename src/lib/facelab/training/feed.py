"""Batches from a step on, ready on the device."""

import signal
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facelab.training.order import Order, generator_for
from facelab.training.prefetch import Prefetch
from facelab.training.world import World

Batch = tuple[Tensor, ...]
Place = tuple[int, int]  # step and part


@runtime_checkable
class Endless(Sized, Protocol):
    """Training samples that are made when they are asked for, on the device where they are needed."""

    def draw(self, count: int, generator: torch.Generator) -> Any:
        """New samples, stacked, from a generator on the CPU. The length says how many are called an epoch."""


@runtime_checkable
class Redrawn(Sized, Protocol):
    """Training samples that are chosen anew every epoch from a larger set; the length is that of an epoch."""

    whole: Any
    """The set, with an index."""

    def drawn(self, epoch: int) -> Tensor:
        """Indices into the whole of the samples of an epoch, counted from 0; the same ones each time it is asked."""


class Prepares(Protocol):
    """What a recipe does with samples before the network sees them."""

    def collate(self, samples: list[Any]) -> Any:
        """Stacks samples; what comes out has ``to(device, non_blocking=...)`` and ``pin_memory()``."""

    def prepare(self, samples: Any, generator: torch.Generator) -> Batch:
        """Cuts, changes at random and encodes stacked samples on their device; tensors with the batch first."""


class Feed:
    """The batches of a process, from any step on; the same ones however often it starts.

    Samples come from an indexed set: on the CPU a thread reads and prepares them ahead of the network; for a CUDA
    device worker processes read them into pinned memory, and they are prepared on the device. Or they are drawn there
    from nothing (:class:`Endless`), without a loader.

    Args:
        samples: a set with a length and an index, :class:`Redrawn`, or :class:`Endless`. recipe: stacks and prepares.
        order: of the samples of an epoch. world: its processes share the parts of each batch. seed: of the random
            changes. workers: reading processes; 0 reads in a thread, or in this one for CUDA.
    """

    def __init__(self, samples: Any, recipe: Prepares, order: Order, world: World, seed: int, workers: int = 0) -> None:
        if isinstance(samples, Redrawn):
            samples, order = samples.whole, order.of(samples.drawn)
        self.samples, self.recipe, self.order, self.world = samples, recipe, order, world
        self.seed, self.workers = seed, workers
        self._clock = _CudaClock() if world.device.type == "cuda" else _Clock()

    def waited(self) -> float:
        """Seconds since the last call in which the loop stood still for a batch; on CUDA: in which the device made
        batches or had nothing to do."""
        return self._clock.take()

    def since(self, step: int, last: int) -> Iterator[tuple[int, Iterator[tuple[int, Batch]]]]:
        """Steps ``step`` to ``last - 1``, each with the numbers and batches of this process's parts.

        The parts of a step are to be taken before the next step.
        """
        parts = range(self.world.rank, self.order.parts, self.world.size)
        made = iter(self._prepared([(at, part) for at in range(step, last) for part in parts]))
        for at in range(step, last):
            yield at, ((part, self._next(made)) for part in parts)

    def _next(self, made: Iterator[Batch]) -> Batch:
        with self._clock:
            return next(made)

    def _prepared(self, places: list[Place]) -> Iterable[Batch]:
        if isinstance(self.samples, Endless):
            return (self._ready(self._drawn(place), place) for place in places)
        if self.workers or self.world.device.type == "cuda":
            return (self._ready(samples, place) for samples, place in zip(self._loaded(places), places, strict=True))
        return Prefetch(self._ready(self._read(place), place) for place in places)

    def _loaded(self, places: list[Place]) -> Iterable[Any]:
        return DataLoader(
            self.samples,
            batch_sampler=(self.order.part(*place) for place in places),
            num_workers=self.workers,
            collate_fn=self.recipe.collate,
            pin_memory=self.world.device.type == "cuda",
            worker_init_fn=_leave_interrupts_to_the_loop,
        )

    def _read(self, place: Place) -> Any:
        return self.recipe.collate([self.samples[index] for index in self.order.part(*place)])

    def _drawn(self, place: Place) -> Any:
        return self.samples.draw(self.order.batch // self.order.parts, generator_for(self.seed, 1, *place))

    def _ready(self, samples: Any, place: Place) -> Batch:
        moved = samples.to(self.world.device, non_blocking=True)
        return self.recipe.prepare(moved, generator_for(self.seed, 2, *place))


def _leave_interrupts_to_the_loop(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Clock:
    """Adds up the time spent inside of it."""

    def __init__(self) -> None:
        self._total = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._total += time.perf_counter() - self._started

    def take(self) -> float:
        total, self._total = self._total, 0.0
        return total


class _CudaClock:
    """The same for the current CUDA device, whose work is only queued here: it notes marks in the queue."""

    def __init__(self) -> None:
        self._marks: list[torch.cuda.Event] = []

    def _mark(self) -> None:
        self._marks.append(torch.cuda.Event(enable_timing=True))
        self._marks[-1].record()

    def __enter__(self) -> None:
        self._mark()

    def __exit__(self, *error: object) -> None:
        self._mark()

    def take(self) -> float:
        torch.cuda.synchronize()
        pairs = zip(self._marks[::2], self._marks[1::2], strict=True)
        total = sum(start.elapsed_time(end) for start, end in pairs) / 1000
        self._marks.clear()
        return total
