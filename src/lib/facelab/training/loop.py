"""The training loop: one page, one device."""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from facelab.training.checkpoint import load_checkpoint, save_checkpoint

Entry = dict[str, float]


class Batches(Sized, Iterable[Any], Protocol):
    """Anything with a length that can be gone through once an epoch: a ``DataLoader``, say."""


def fit(
    model: nn.Module,
    batches: Batches,
    loss_of: Callable[[nn.Module, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    *,
    schedule: Callable[[float], float] | None = None,
    evaluate: Callable[[nn.Module], Entry] | None = None,
    generator: torch.Generator | None = None,
    output: str | Path | None = None,
    progress: bool = True,
) -> list[Entry]:
    """Trains a network on the device on which its weights lie, in bfloat16 autocast when that is a CUDA device.

    Args:
        model: changed in place. batches: gone through once an epoch. loss_of: a batch's scalar loss.
        optimizer: over the model's parameters. epochs: at least 1.
        schedule: factor of the learning rate at a share (0 to 1) of the whole run; constant if not given.
        evaluate: called after each epoch in evaluation mode without gradients; its numbers join the history.
        generator: the source of all randomness in ``batches`` and ``loss_of``; its state is kept for resuming.
        output: folder for ``checkpoint.pt`` and ``history.jsonl`` after each epoch. A run whose folder holds a
            checkpoint goes on from there and ends as if it had never stopped.
        progress: show a bar with the loss.
    Returns:
        One entry an epoch: ``epoch`` (from 1), ``loss``, ``learning_rate``, ``seconds``, and what ``evaluate`` gave.
    Raises:
        ValueError: without an epoch or a batch, or for a checkpoint of another run.
        FloatingPointError: when a loss is not finite; the last checkpoint is kept.
    """
    if epochs < 1 or len(batches) < 1:
        raise ValueError(f"fit: expected at least 1 epoch and 1 batch, got {epochs} and {len(batches)}")
    device = next(model.parameters()).device
    base_rates = [float(group["lr"]) for group in optimizer.param_groups]
    checkpoint = None if output is None else Path(output) / "checkpoint.pt"
    history = _resume(checkpoint, model, optimizer, generator)
    for epoch in range(len(history), epochs):
        model.train()
        started, total = time.perf_counter(), 0.0
        bar = tqdm(batches, desc=f"epoch {epoch + 1}/{epochs}", disable=not progress, leave=False)
        for step, batch in enumerate(bar):
            share = (epoch * len(batches) + step) / (epochs * len(batches))
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * (schedule(share) if schedule else 1.0)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_of(model, batch)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise FloatingPointError(f"loss is {value} in epoch {epoch + 1}, step {step + 1} of {len(batches)}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += value
            bar.set_postfix(loss=f"{value:.2e}", refresh=False)
        entry = {"epoch": epoch + 1.0, "loss": total / len(batches), "learning_rate": optimizer.param_groups[0]["lr"]}
        history.append(entry | _evaluated(model, evaluate) | {"seconds": time.perf_counter() - started})
        if checkpoint is not None:
            _save(checkpoint, model, optimizer, generator, history)
    for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
        group["lr"] = rate
    return history


def warmup_cosine(warmup: float = 0.1, floor: float = 0.01) -> Callable[[float], float]:
    """A schedule: up in a straight line over the first ``warmup`` of the run, then half a cosine down to ``floor``."""

    def factor(share: float) -> float:
        if share < warmup:
            return floor + (1 - floor) * share / warmup
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))

    return factor


def steps(at: Sequence[float], factor: float = 0.1) -> Callable[[float], float]:
    """A schedule that multiplies the rate by ``factor`` at each of the given shares of the run."""
    return lambda share: factor ** sum(share >= when for when in at)


def _evaluated(model: nn.Module, evaluate: Callable[[nn.Module], Entry] | None) -> Entry:
    if evaluate is None:
        return {}
    model.eval()
    with torch.inference_mode():
        return evaluate(model)


def _save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator | None,
    history: list[Entry],
) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
    if generator is not None:
        state["generator"] = generator.get_state()
    save_checkpoint(state, path)
    lines = path.with_name("history.jsonl.partial")
    lines.write_text("".join(json.dumps(entry) + "\n" for entry in history))
    lines.replace(path.with_name("history.jsonl"))


def _resume(
    path: Path | None, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator | None
) -> list[Entry]:
    if path is None or not path.exists():
        return []
    state = load_checkpoint(path)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if generator is not None:
            generator.set_state(state["generator"])
        return list(state["history"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: this checkpoint is of another run; expected one of this network: {error}") from error
