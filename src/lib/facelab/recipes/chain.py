"""Trainings that follow one another, as one: each begins with what the one before it has learnt."""

import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facelab.data import FaceSample
from facelab.training import Fitted, describe, fit
from facelab.training.describe import NO_EFFECT
from facelab.training.keeper import Keeper

Link = Callable[[nn.Module], Any]  # from the network so far to the next training, as fit takes it


def train_in_turn(
    whole: Any,
    links: Mapping[str, Link],
    start: Fitted,
    seed: int = 0,
    device: torch.device | str = "cpu",
    output: str | Path | None = None,
    progress: bool = False,
    notes: Mapping[str, Any] | None = None,
    outcome: Callable[[nn.Module], nn.Module] | None = None,
) -> Fitted:
    """The network after the last training, and the entries of all: those of ``start``, then those of each.

    Args:
        whole: the recipe of which the trainings are parts. links: name of a training to what it is.
        start: what there is before the first. output: a folder of the run as :func:`facelab.training.fit` writes one,
            with one more in it for each training; each goes on with where it stopped.
        seed, device, progress, notes: as of ``fit``.
        outcome: from the network of the last training to the one that comes out.
    Returns:
        Each entry has ``training`` besides, its number from 1.
    Raises:
        as :func:`facelab.training.fit`.
    """
    what = {**(notes or {}), "seed": seed, "fields": describe(whole, NO_EFFECT)}
    keeper = Keeper(output, os.environ.get("RANK", "0") == "0", what, every=0.0)
    keeper.claim()
    model, history = start
    for number, (name, link) in enumerate(links.items(), 1 + int(max((e["training"] for e in history), default=0))):
        folder = None if output is None else Path(output) / name
        model, entries = fit(link(model), seed, str(device), folder, progress)
        history = [*history, *({"training": float(number), **entry} for entry in entries)]
    if outcome is not None:
        model = outcome(model)
    keeper.finish(model, history)
    return Fitted(model, history)


@dataclass(frozen=True)
class Stage:
    """What trainings in turn have in common: the faces of the whole, and a network that is there already.

    Attributes:
        whole: the recipe of which the training is a part. start: the network as it is before the first step.
    """

    whole: Any
    start: nn.Module

    def model(self, seed: int) -> nn.Module:
        return deepcopy(self.start)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        return self.whole.samples(seed, device, progress)

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        return self.whole.collate(samples)
