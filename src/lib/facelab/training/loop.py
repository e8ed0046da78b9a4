"""The training loop: one page over small parts, for one device or many."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, cast

import torch
from torch import Tensor, nn
from tqdm import tqdm

from facelab.training.descent import HasLoss, descend
from facelab.training.describe import NO_EFFECT, describe
from facelab.training.feed import Batch, Feed, Prepares
from facelab.training.guards import Interrupted, StopRequests, Watch
from facelab.training.keeper import Keeper
from facelab.training.meta_joint import MetaJoint, TwoLosses
from facelab.training.order import Order
from facelab.training.plan import Training
from facelab.training.precision import Precision
from facelab.training.state import Entry, State
from facelab.training.world import World, joined

Take = Callable[[Iterable[tuple[int, Batch]]], Tensor]  # from the parts of a batch to loss and norm of the gradient
_LOOK = 20  # steps between two looks at the losses on CUDA: each look makes the device wait


class Recipe(Prepares, HasLoss, Protocol):
    """What :func:`fit` trains, and on what."""

    @property
    def training(self) -> Training:
        """How long, in what steps."""

    def model(self, seed: int) -> nn.Module:
        """The untrained network."""

    def samples(self, seed: int, device: torch.device, progress: bool) -> Any:
        """Training samples: a set with a length and an index, or :class:`facelab.training.Endless`."""

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """Errors ``(n,)`` of a part of the test samples, every so manieth, by the name of the measure."""


class Fitted(NamedTuple):
    """A trained network in evaluation mode, and an entry an epoch."""

    model: nn.Module
    history: list[Entry]


def fit(
    recipe: Recipe,
    seed: int = 0,
    device: str = "auto",
    output: str | Path | None = None,
    progress: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> Fitted:
    """Trains a recipe's network; under ``torchrun`` together with the other processes.

    Args:
        seed: of weights, samples, order and random changes: the same seed gives the same bits on the same machine.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ...
        output: folder of the run, see :class:`facelab.training.keeper.Keeper`. If it holds an unfinished run, that is
            gone on with; the end is the same, bit for bit on the CPU, as if it had never stopped.
        progress: show a bar with the loss.
        notes: what else to write into ``run.json`` and the header of the weights, as JSON.
    Returns:
        The network: of the last or the selected epoch, or the running mean. Each entry of the history has ``epoch``,
        ``loss``, ``gradient`` (its norm), ``learning_rate``, ``seconds``, ``waiting`` (share of them spent waiting
        for batches), and the means of what the recipe measures.
    Raises:
        ValueError: for a setting that does not fit the device, the processes, or the folder.
        FloatingPointError: when a loss or gradient is not finite, with the step and its samples.
        Interrupted: after Ctrl-C or SIGTERM, once the run is saved.
        OSError: if a checkpoint cannot be written; the last good one is kept.
    """
    plan = recipe.training
    with ExitStack() as stack:
        world, stop = stack.enter_context(joined(device)), stack.enter_context(StopRequests())
        precision = Precision.of(plan.precision, world.device)
        stack.enter_context(precision.products())
        stack.enter_context(torch.random.fork_rng(devices=[world.device] if world.device.type == "cuda" else []))

        two = recipe if isinstance(recipe, TwoLosses) else None
        state = State.start(recipe.model(seed), plan, precision, seed, rival=two is not None)
        what = {**(notes or {}), "seed": seed, "fields": describe(recipe, NO_EFFECT)}
        keeper = Keeper(output, world.writes, what, plan.save_every)
        keeper.resume(state)
        network = _callable(state.model, world, plan).train()

        threads = torch.get_num_threads()
        with world.first():
            samples = recipe.samples(seed, world.device, progress and world.writes)
        torch.set_num_threads(threads)  # drawing faces changes it
        order = Order(len(samples), plan.batch, seed, parts=plan.accumulate * world.size)
        feed = Feed(samples, recipe, order, world, seed, plan.workers)
        watch = Watch(_LOOK if world.device.type == "cuda" else 1, feed.order.step, gradients=precision.name != "fp16")
        total, clock = plan.epochs * len(order), _Clock()
        take: Take = partial(descend, recipe, network, state, plan, precision)
        if two is not None:
            wrap = partial(_callable, world=world, plan=plan)
            take = MetaJoint(two, network, wrap, state, plan, precision, world, total)
        bar = stack.enter_context(_bar(state.step, total, progress and world.writes))

        def settle() -> None:
            """Brings what was measured since the last time into the state, so that it can be saved."""
            for loss, norm in watch.look():
                state.add(loss=loss, gradient=norm)
            state.add(waiting=feed.waited(), seconds=clock.lap())

        try:
            for step, parts in feed.since(state.step, total):
                state.set_rate(plan.optimizer.learning_rate * plan.schedule(step / total))
                numbers = take(parts)
                state.step = step + 1
                for loss, norm in watch.add(step, world.agree(numbers, stop.asked)):
                    state.add(loss=loss, gradient=norm)
                    bar.set_postfix(loss=f"{loss:.2e}", refresh=False)
                bar.update()
                if state.step % len(order) == 0:
                    measured = _measured(recipe, state, plan, world, epoch=state.step // len(order))
                    settle()
                    state.close_epoch(len(order), measured, plan.select)
                    keeper.save(state)
                    keeper.note(state)
                elif keeper.due() or watch.stopped:
                    settle()
                    keeper.save(state)
                if watch.stopped and state.step < total and state.step % watch.every == 0:
                    raise Interrupted(f"stopped after step {state.step} of {total}; {keeper.last_good()}")
        except FloatingPointError as error:
            raise FloatingPointError(f"{error}; {keeper.last_good()}") from None
        keeper.close(state)
        return Fitted(state.finished(), state.history)


def _callable(model: nn.Module, world: World, plan: Training) -> nn.Module:
    """The model as a step calls it: shared by processes, compiled, or as it is."""
    network = world.wrap(model)
    return cast(nn.Module, torch.compile(network)) if plan.compile else network


class _Clock:
    """Seconds since it was asked last."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def _bar(step: int, total: int, shown: bool) -> "tqdm[NoReturn]":
    """Leaves nothing behind; a log file gets a line now and then only."""
    live = sys.stderr.isatty() or "ipykernel" in sys.modules
    interval = 0.5 if live else 30.0
    return tqdm(total=total, initial=step, disable=not shown, leave=False, unit="step", mininterval=interval)


def _measured(recipe: Recipe, state: State, plan: Training, world: World, epoch: int) -> Entry:
    """Means over the test samples, of which each process measures its part."""
    if epoch % plan.evaluate_every and epoch != plan.epochs:
        return {}
    network = state.judged.eval()
    with torch.inference_mode():
        errors = recipe.measure(network, slice(world.rank, None, world.size))
    state.model.train()
    return {name: world.mean_of_samples(values) for name, values in errors.items()}
