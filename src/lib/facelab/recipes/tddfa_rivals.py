"""What 3DDFA_V2 is compared with: PRNet's position maps and VRN's volumes, on the same faces."""

import math
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset

from facelab.data import Augmentation, FaceSample, crop_faces
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.maps import PositionMaps
from facelab.face3d.parameters import project
from facelab.face3d.volumes import iso_surface, voxelize
from facelab.models import VRN, PRNet
from facelab.models.prnet import positions_of, shares_of
from facelab.recipes.parametric import face_part
from facelab.recipes.rendered import RenderedFaces, Trains, landmarks_over, mean_with_mirrored, over
from facelab.recipes.tddfa import PROFILES as PARAMETER_RECIPES
from facelab.training import Training

_HALVED = 2**5
_NOSE = 0.1  # of the side: a face reaches so much farther to the viewer from the model's origin than away from it
_LANDMARK, _OTHER = 16.0, 3.0  # weights of PRNet's loss; ours has no neck, and the same weight for eyes, nose and mouth


@dataclass(frozen=True)
class _DenseFaces(RenderedFaces, Trains):
    """Faces for networks that answer a surface.

    Attributes:
        size: side of the network's input in pixels. faces, test_faces, picture, margin, yaw: as of all rendered faces.
        training: epochs, batch, optimiser, schedule, precision. crop: rule of the crops.
        augmentation: of the training pictures, without a mirror.
    """

    markup = "68"  # not a field: all these networks have one

    size: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    augmentation: Augmentation
    crop: str = "3ddfa"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)

    def points(self, samples: FaceSample, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Crops ``(B, 3, size, size)``, augmented if there is a generator, and the true mesh ``(B, V, 3)`` in their
        pixels, as its 62 parameters have it."""
        augmentation = None if generator is None else self.augmentation
        crop = crop_faces(samples, self.size, self.crop, augmentation, generator)
        return crop.image, project(self.mesh(crop.image.device), crop.parameters)

    def mesh(self, device: torch.device) -> MorphableModel:
        """The part of the built-in face that is to be rebuilt."""
        return surface_model(device)


@dataclass(frozen=True)
class PositionMapRecipe(_DenseFaces):
    """A UV position map network.

    Attributes:
        width: factor on the channels of :class:`facelab.models.PRNet`. The map is as large as the picture.
    """

    width: float = 1.0

    def model(self, seed: int | None = None) -> nn.Module:
        """The untrained network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed or 0)
            return PRNet(self.width)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops and their target maps ``(B, 3, size, size)``."""
        images, points = self.points(samples, generator)
        return images, shares_of(_maps(self.size, images.device).encode(points - self.middle(points)), self.size)

    def middle(self, like: Tensor) -> Tensor:
        """What the middle of the map's depths stands for in the crop, ``(3,)`` pixels."""
        return like.new_tensor([0.0, 0.0, _NOSE * self.size])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The weighted squared error of the map, a scalar: texels of landmarks count most, those of no face nothing.

        Source: Feng et al. 2018, section 3.2.
        """
        images, target = batch
        weights = _weights(self.size, images.device)
        return (weights * (network(images).float() - target).square().sum(1)).sum() / weights.sum() / len(images)

    def vertices(self, model: nn.Module, batch: FaceSample) -> Tensor:
        """Meshes ``(B, V, 3)`` with the connectivity of :func:`surface_model`, in the pixels of the pictures."""
        crop = crop_faces(batch, self.size, self.crop)
        shares = model(crop.image.to(next(model.parameters()).device)).float().cpu()
        points = _maps(self.size, shares.device).decode(positions_of(shares, self.size))
        return crop.affine.inverse().apply(points + self.middle(points))

    def landmarks(self, model: nn.Module, batch: FaceSample, mirror: bool = False) -> Tensor:
        """Landmarks ``(B, 68, 3)`` in the pixels of the batch's pictures: vertices of the mesh.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its labels are not looked at.
            mirror: average with what is found in the mirrored picture.
        """
        find = partial(self._landmarks, model)
        return mean_with_mirrored(find, batch, self.markup) if mirror else find(batch)

    def _landmarks(self, model: nn.Module, batch: FaceSample) -> Tensor:
        return self.vertices(model, batch)[:, surface_model(batch.image.device).landmarks]

    def evaluate(self, model: nn.Module, faces: Dataset[FaceSample], mirror: bool = False) -> tuple[Tensor, Tensor]:
        """Landmarks and errors of a whole set, see :func:`facelab.recipes.rendered.landmarks_over`."""
        model.eval()
        return landmarks_over(faces, lambda batch: self.landmarks(model, batch, mirror), batch=64)


@dataclass(frozen=True)
class VolumeRecipe(_DenseFaces):
    """A volume network.

    Attributes:
        width, stacks, depth: of :class:`facelab.models.VRN`. Cells are as large as pixels, and the volume is a cube.
    """

    width: int = 64
    stacks: int = 1
    depth: int = 4

    def mesh(self, device: torch.device) -> MorphableModel:
        """With scalp and neck: face and lips alone would enclose a thin shell."""
        return face_part(("face", "lips", "ears", "scalp", "neck"), device)

    def model(self, seed: int | None = None) -> nn.Module:
        """The untrained network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed or 0)
            return VRN(self.size, self.stacks, self.width, self.depth, fine=True)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops and which cells ``(B, size, size, size)`` lie inside the face."""
        images, points = self.points(samples, generator)
        return images, self._volume(points)

    def _volume(self, points: Tensor) -> Tensor:
        triangles = self.mesh(points.device).triangles
        return voxelize(points, triangles, self.size, self.size, middle=_NOSE * self.size)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The cross entropy of the cells, a scalar. Source: Jackson et al. 2017, section 4, equation 1."""
        images, inside = batch
        return F.binary_cross_entropy_with_logits(network(images).float(), inside.float())

    def surfaces(self, model: nn.Module, batch: FaceSample) -> list[tuple[Tensor, Tensor]]:
        """Of each face the vertices ``(V, 3)`` in the pixels of its crop, and the triangles ``(F, 3)``."""
        crop = crop_faces(batch, self.size, self.crop)
        volumes = model(crop.image.to(next(model.parameters()).device)).float().sigmoid().cpu()
        return [iso_surface(volume, middle=_NOSE * self.size) for volume in volumes]

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """The intersection over the union of a part of the test faces."""
        faces = self.test_set()

        def overlap(batch: FaceSample) -> Tensor:
            images, points = self.points(batch)
            found = network(images.to(next(network.parameters()).device)).cpu() > 0
            true = self._volume(points)
            return (found & true).sum((1, 2, 3)) / (found | true).sum((1, 2, 3)).clamp_min(1)

        return {"overlap": over(Subset(faces, range(len(faces))[part]), overlap, 16)}


def surface_model(device: torch.device | str = "cpu") -> MorphableModel:
    """The part of the built-in face that all these networks rebuild: face and lips."""
    return _surface_model(torch.device(device))


@cache
def _surface_model(device: torch.device) -> MorphableModel:
    """With a layout that fills the map, so that no texel is wasted on what is not rebuilt."""
    part = builtin_face().subset(("face", "lips"))
    low, high = part.uv.amin(0), part.uv.amax(0)
    return replace(part, uv=((part.uv - low) / (high - low)).clamp(0, 1)).to(device)


@cache
def _maps(size: int, device: torch.device) -> PositionMaps:
    return PositionMaps(surface_model(device), size)


@cache
def _weights(size: int, device: torch.device) -> Tensor:
    """``(size, size)``, of each texel."""
    model = surface_model(device)
    weights = _OTHER * _maps(size, device).mask.float()
    columns, rows = (model.uv[model.landmarks] * (size - 1)).round().long().unbind(1)
    weights[size - 1 - rows, columns] = _LANDMARK
    return weights


def as_rival(parameters: Any, kind: type, **changes: Any) -> Any:
    """A recipe of another kind on the faces, and with the training, of one that regresses parameters.

    Both networks halve the side of the picture five times, so it is rounded up to a multiple of 32.
    """
    size = _HALVED * math.ceil(parameters.size / _HALVED)
    shared = ("faces", "test_faces", "picture", "augmentation", "crop", "margin", "yaw")
    # In channels-last format narrow transposed convolutions write beyond their memory in training (PyTorch 2.12, CPU).
    training = replace(parameters.training, channels_last=False)
    return kind(size=size, training=training, **{name: getattr(parameters, name) for name in shared}, **changes)


POSITION_MAPS = {
    profile: as_rival(recipe, PositionMapRecipe, width=1.0 if profile == "gpu" else 0.25)
    for profile, recipe in PARAMETER_RECIPES.items()
}
VOLUMES = {profile: as_rival(recipe, VolumeRecipe) for profile, recipe in PARAMETER_RECIPES.items()}
