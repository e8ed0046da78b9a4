"""A training that is watched: what a network finds in some faces before it has learnt, and after every epoch."""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from facelab.data import FaceSample
from facelab.recipes.direct import DirectRecipe
from facelab.training import Training, fit
from facelab.training.state import Entry


class Followed(NamedTuple):
    """A trained network and how it came to be.

    Attributes:
        model: in evaluation mode. history: an entry an epoch, each with the error on the test faces (``"nme"``).
        points: ``(epochs + 1, K, L, 2)`` landmarks of the faces that were followed, in their pictures' pixels; the
            first of them are the untrained network's.
    """

    model: nn.Module
    history: list[Entry]
    points: Tensor


def follow(
    recipe: DirectRecipe,
    faces: FaceSample,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> Followed:
    """Trains a recipe as ``recipe.train`` does, bit for bit, and looks at the same faces again and again.

    Args:
        faces: K stacked faces; they may be test faces, since nothing is learnt from them. Others as of
            :func:`facelab.training.fit`.
    """
    training = replace(recipe.training, evaluate_every=1)
    watched = _Watched(replace(recipe, training=training), faces)
    model, history = fit(watched, seed, str(device), progress=progress)
    return Followed(model, history, torch.stack(watched.found))


class _Watched:
    """The recipe, as the training loop asks for it; it notes what the network finds whenever it sees the network."""

    def __init__(self, recipe: DirectRecipe, faces: FaceSample) -> None:
        self.recipe, self.faces = recipe, faces
        self.found: list[Tensor] = []

    @property
    def training(self) -> Training:
        return self.recipe.training

    def model(self, seed: int) -> nn.Module:
        network = self.recipe.model(seed)
        self._look(network.eval())
        return network

    def samples(self, seed: int, device: torch.device, progress: bool) -> Any:
        return self.recipe.samples(seed, device, progress)

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        return self.recipe.collate(samples)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.recipe.prepare(samples, generator)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return self.recipe.loss(network, batch)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        self._look(network)
        return self.recipe.measure(network, part)

    def _look(self, network: nn.Module) -> None:
        with torch.inference_mode():
            self.found.append(self.recipe.landmarks(network, self.faces))
