"""What recipes of the 62 parameters on rendered faces have in common: their whitening, and how answers are read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facelab.data import Augmentation, FaceSample, crop_faces, crop_window
from facelab.data.crops import moved_parameters
from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face
from facelab.face3d.parameters import project
from facelab.geometry import Affine
from facelab.losses import ShapeGram
from facelab.markups import markup
from facelab.models import WhitenedParameters
from facelab.recipes.chain import Stage
from facelab.recipes.rendered import MILD, RenderedFaces, landmarks_over, over
from facelab.training import Training

UNIT = 120  # distances count in pixels of a crop of this side, so that they mean the same at every profile
# What a network is to rebuild, the parts that 3DDFA_V2's mesh has.
MESH = ("face", "lips", "ears", "eyes", "lid margins")
# Mirrored faces have no parameters: identity and expression coefficients have no mirror image.
UNMIRRORED = replace(MILD, mirror=0.0)
_STATISTICS_FROM = 2000  # faces that the whitening is taken from, at most


class ParametricFaces(RenderedFaces):
    """The faces of a recipe, a dataclass, whose network regresses the 62 parameters.

    The network's answer has ``parameters``, raw, with cameras to the pixels of the crop.

    Attributes:
        size: side of the network's input in pixels. training: of the network. crop: rule of the crops.
        augmentation: of the training pictures, without a mirror.
    """

    markup = "68"  # not a field: all these networks have one

    size: int
    training: Training
    crop: str
    augmentation: Augmentation

    def __post_init__(self) -> None:
        if self.augmentation.mirror:
            raise ValueError("augmentation mirror: expected 0, mirrored faces have no parameters")

    def statistics(self, seed: int) -> ParameterStatistics:
        """Of the parameters of training faces in their crops, which the augmentation spreads a little more."""
        recipe: Any = self
        return _statistics(replace(recipe, faces=min(self.faces, _STATISTICS_FROM)), seed)

    def seeded(self, make: Callable[[ParameterStatistics | None], nn.Module], seed: int | None) -> Any:
        """A network with weights of a seed, and the statistics of its faces; without either if the seed is None."""
        statistics = None if seed is None else self.statistics(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed or 0)
            return make(statistics)

    def parameters(self, model: nn.Module, batch: FaceSample) -> Tensor:
        """Predicted parameters ``(B, 62)``, on the CPU, with cameras to the pixels of the batch's pictures.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its labels are not looked at.
        """
        crop = crop_faces(batch, self.size, self.crop)
        return moved_parameters(self._found(model, crop.image), crop.affine.inverse())

    def landmarks(self, model: nn.Module, batch: FaceSample, mirror: bool = False) -> Tensor:
        """Landmarks ``(B, 68, 3)`` of the rebuilt faces, in the pixels of the batch's pictures.

        Args:
            model, batch: as of :meth:`parameters`. mirror: average with what is found in the mirrored crop.
        """
        crop = crop_faces(batch, self.size, self.crop)
        points = points_of(self._found(model, crop.image))
        if mirror:
            turned = points_of(self._found(model, crop.image.flip(3)))[:, list(markup(self.markup).mirror)]
            turned[..., 0] = self.size - 1 - turned[..., 0]
            points = (points + turned) / 2
        return crop.affine.inverse().apply(points)

    def evaluate(self, model: nn.Module, faces: Dataset[FaceSample], mirror: bool = False) -> tuple[Tensor, Tensor]:
        """Landmarks and errors of a whole set, see :func:`facelab.recipes.rendered.landmarks_over`."""
        model.eval()
        return landmarks_over(faces, lambda batch: self.landmarks(model, batch, mirror), batch=64)

    def _found(self, model: nn.Module, images: Tensor) -> Tensor:
        layout = torch.channels_last if self.training.channels_last else torch.contiguous_format
        found: Tensor = model(images.to(next(model.parameters()).device).contiguous(memory_format=layout)).parameters
        return found.cpu()


@dataclass(frozen=True)
class ParameterStage(Stage):
    """A training of a recipe's network."""

    training: Training

    @property
    def statistics(self) -> ParameterStatistics:
        assert isinstance(self.start, WhitenedParameters)
        return self.start.statistics

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        return self.whole.prepare(samples, generator)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        return self.whole.measure(network, part)


def points_of(parameters: Tensor) -> Tensor:
    """Landmarks ``(B, 68, 3)`` of ``(B, 62)`` parameters."""
    return project(landmark_face(parameters.device), parameters)


@cache
def face_part(regions: tuple[str, ...], device: torch.device) -> MorphableModel:
    """Some regions of the built-in face, made once for a device."""
    return builtin_face().subset(regions).to(device)


@cache
def mesh_gram(device: torch.device) -> ShapeGram:
    """Of ``MESH``, made once for a device."""
    return ShapeGram.of(face_part(MESH, torch.device("cpu"))).to(device)


@cache
def landmark_face(device: torch.device) -> MorphableModel:
    """The landmarks of the built-in face, made once for a device."""
    return builtin_face().landmark_model().to(device)


@cache
def _statistics(recipe: Any, seed: int) -> ParameterStatistics:
    def in_crop(batch: FaceSample) -> Tensor:
        window = Affine.crop(*crop_window(batch.box, recipe.crop), recipe.size)
        return moved_parameters(batch.parameters, window)

    return ParameterStatistics.fit(over(recipe.training_set(seed), in_crop, 64))
