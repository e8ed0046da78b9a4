"""One step of the optimiser, from the parts of a batch."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from facelab.training.feed import Batch
from facelab.training.order import generator_for
from facelab.training.plan import Training
from facelab.training.precision import Precision
from facelab.training.state import State


class HasLoss(Protocol):
    """The part of a recipe that says what is small when the network is good."""

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The mean loss over a prepared batch, a scalar."""


def descend(
    recipe: HasLoss,
    network: nn.Module,
    state: State,
    plan: Training,
    precision: Precision,
    parts: Iterable[tuple[int, Batch]],
) -> Tensor:
    """Adds up the gradients of all parts, then takes the step.

    If a CUDA device has too little memory for a part, every part is cut in two from then on; once, with a message.

    Args:
        network: ``state.model`` as it is called: compiled, or shared by processes.
        parts: the numbers of this process's parts in this step, and their batches.
    Returns:
        ``(2,)``: the mean loss, and the norm of the gradient before it was clipped.
    Raises:
        torch.cuda.OutOfMemoryError: if half of a part is still too much, or several processes train together.
    """
    batches = list(parts)
    while True:
        try:
            return _take(recipe, network, state, plan, precision, batches)
        except torch.cuda.OutOfMemoryError as error:
            if state.pieces > 1 or _shared(network) is not None:
                size = len(batches[0][1][0])
                advice = f"out of memory with parts of {size}: ask for more accumulate, or a smaller batch"
                raise torch.cuda.OutOfMemoryError(advice) from error
        # Outside of the handler, which would hold on to the tensors of the step that failed.
        state.pieces = 2
        torch.cuda.empty_cache()
        print(f"out of memory in step {state.step}: from now on each part is cut in two", file=sys.stderr, flush=True)


def _take(
    recipe: HasLoss,
    network: nn.Module,
    state: State,
    plan: Training,
    precision: Precision,
    batches: list[tuple[int, Batch]],
) -> Tensor:
    state.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=precision.device)
    for batch, share, last in _pieces(batches, state):
        with _exchange(network, last):
            with precision.autocast():
                loss = share * recipe.loss(network, laid_out(batch, plan))
            state.scaler.scale(loss).backward()
        total += loss.detach()
    state.scaler.unscale_(state.optimizer)
    norm = clip_grad_norm_(state.model.parameters(), plan.clip or torch.inf)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.ema is not None:
        state.ema.update(state.model, state.step + 1)
    return torch.stack([total, norm.detach()])


def _pieces(batches: list[tuple[int, Batch]], state: State) -> Iterator[tuple[Batch, float, bool]]:
    """What goes through the network at once, its share of the samples, and whether it is the last."""
    for part, batch in batches:
        # Dropout and the like draw from PyTorch's own generator: it too depends on seed and step alone.
        torch.manual_seed(generator_for(state.seed, 3, state.step, part).initial_seed())
        cut = list(zip(*(tensor.chunk(state.pieces) for tensor in batch), strict=True))
        for number, piece in enumerate(cut):
            last = part == batches[-1][0] and number == len(cut) - 1
            yield piece, len(piece[0]) / len(batch[0]) / len(batches), last


def _exchange(network: nn.Module, last: bool) -> AbstractContextManager[Any]:
    """Processes exchange gradients once a step, while those of the last piece are computed."""
    shared = _shared(network)
    return nullcontext() if shared is None or last else shared.no_sync()


def _shared(network: nn.Module) -> DistributedDataParallel | None:
    inner = getattr(network, "_orig_mod", network)  # under torch.compile
    return inner if isinstance(inner, DistributedDataParallel) else None


def laid_out(batch: Batch, plan: Training) -> Batch:
    """The batch, its pictures in the memory format of the plan."""
    if not plan.channels_last:
        return batch
    layout = torch.channels_last
    return tuple(tensor.contiguous(memory_format=layout) if tensor.ndim == 4 else tensor for tensor in batch)
