"""The depth network of FAN (Bulat and Tzimiropoulos 2017): picture and landmarks to the depth of each landmark."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facelab.data import (
    Augmentation,
    FaceSample,
    SyntheticFaces,
    box_side,
    crop_faces,
    encode_heatmaps,
    shaken_landmarks,
)
from facelab.metrics import gte
from facelab.models import FANDepth, for_training
from facelab.recipes.fan import PROFILES_PHOTOGRAPHS as FAN_PROFILES
from facelab.recipes.fan import FanRecipe
from facelab.recipes.guided import with_maps
from facelab.recipes.rendered import RenderedFaces, Trains
from facelab.training import Optimizer, Training, WarmupCosine

_INPUTS = ("both", "picture", "maps")


@dataclass(frozen=True)
class FanDepthRecipe(RenderedFaces, Trains):
    """One training run of the depth network on synthetic faces.

    Attributes:
        size: side of the network's input in pixels. blocks, width: of the network.
        sees: ``"both"`` the picture and one map a landmark, or the ``"picture"`` or the ``"maps"`` alone; what is not
            seen is zero.
        sigma: deviation of the maps, in pixels of the crop.
        shaken: deviation of the noise in the landmarks that are drawn for training, a share of the box: at test time
            they come from a network, which errs.
        faces, test_faces, picture, margin, crop, training, augmentation: as of
            :class:`facelab.recipes.fan.FanRecipe`.
    """

    size: int
    blocks: tuple[int, ...]
    width: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    augmentation: Augmentation
    sees: str = "both"
    sigma: float = 3.25
    shaken: float = 0.02
    crop: str = "tight"
    margin: tuple[float, float] = (1.5, 1.8)

    def __post_init__(self) -> None:
        if self.sees not in _INPUTS:
            raise ValueError(f"sees: expected one of {', '.join(_INPUTS)}, got {self.sees!r}")

    def model(self, seed: int = 0) -> FANDepth:
        """The untrained network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FANDepth(blocks=self.blocks, width=self.width)
        for_training(network)
        return network

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops with maps ``(B, 3 + L, size, size)``, and depths ``(B, L)`` in pixels, of mean 0."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=crop.landmarks.device) * self._face_side()
        shaken = shaken_landmarks(crop.landmarks, whole.expand(len(crop.image), -1), self.shaken, generator)
        return self._seen(crop.image, shaken[..., :2]), centred(crop.landmarks[..., 2])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The mean squared error, in units of the side of a face in the crop."""
        seen, target = batch
        return ((network(seen) - target) / self._face_side()).square().mean()

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """The error of the depths of a part of the test faces, given their true landmarks."""
        return {"gte_z": self.evaluate(network, self.test_set())[1][part]}

    def depths(self, model: nn.Module, batch: FaceSample, points: Tensor) -> Tensor:
        """Depths ``(B, L)`` in the pixels of the batch's pictures: larger is nearer to the viewer, mean 0.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its landmarks are not looked at.
            points: ``(B, L, 2)`` where the landmarks are, in the same pixels.
        """
        crop = crop_faces(batch, self.size, self.crop)
        device = next(model.parameters()).device
        seen = self._seen(crop.image, crop.affine.apply(points)).to(device)
        depths: Tensor = model(seen.contiguous(memory_format=torch.channels_last)).cpu()
        return centred(depths / crop.affine.scale()[:, None])

    def evaluate(self, model: nn.Module, faces: SyntheticFaces, points: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Depths ``(N, L)`` of a whole set, and the error ``(N,)`` of each face.

        The error is the GTE along z (:func:`facelab.metrics.gte`), of depths with mean 0: a fraction.

        Args:
            points: ``(N, L, 2)`` landmarks in the pictures' pixels; the true ones if not given.
        """
        model.eval()
        predicted, target, start = [], [], 0
        with torch.inference_mode():
            for batch in DataLoader(faces, self.training.batch, collate_fn=FaceSample.stack):
                end = start + len(batch.image)
                there = batch.landmarks[..., :2] if points is None else points[start:end]
                predicted.append(self.depths(model, batch, there))
                target.append(batch.landmarks)
                start = end
        depths, truth = torch.cat(predicted), torch.cat(target)
        flat = truth[..., :2]
        errors = gte(
            torch.cat([flat, depths[..., None]], 2), torch.cat([flat, centred(truth[..., 2])[..., None]], 2), "z"
        )
        return depths, errors

    def _seen(self, images: Tensor, points: Tensor) -> Tensor:
        return with_maps(images, encode_heatmaps(points, self.size, self.size, self.sigma), self.sees)

    def _face_side(self) -> float:
        return box_side(self.crop, self.size)


def centred(depths: Tensor) -> Tensor:
    """Depths ``(..., L)`` less their mean: a weak-perspective camera leaves the distance of the face open."""
    return depths - depths.mean(-1, keepdim=True)


# 3.25 pixels of 256 are 1.2 of 96. In smaller crops too: narrower maps would fall between the pixels.
_SMALL_SIGMA = 3.25 * 96 / 256


def _for(recipe: FanRecipe, blocks: tuple[int, ...], width: int, sigma: float) -> FanDepthRecipe:
    """A depth network on the faces of one that finds landmarks, with the same training."""
    return FanDepthRecipe(
        size=recipe.size,
        blocks=blocks,
        width=width,
        faces=recipe.faces,
        test_faces=recipe.test_faces,
        picture=recipe.picture,
        training=recipe.training,
        augmentation=recipe.augmentation,
        sigma=sigma,
        crop=recipe.crop,
        margin=recipe.margin,
    )


PROFILES = {
    "smoke": _for(FAN_PROFILES["smoke"], (1, 1, 1, 1), 8, _SMALL_SIGMA),
    "quick": _for(FAN_PROFILES["quick"], (1, 1, 1, 1), 16, _SMALL_SIGMA),
    "cpu": _for(FAN_PROFILES["cpu"], (1, 1, 2, 1), 16, _SMALL_SIGMA),
    # The authors' network. Their training of it was never published: the schedule is ours.
    "gpu": replace(
        _for(FAN_PROFILES["gpu"], (3, 8, 36, 3), 64, sigma=3.25),
        training=Training(40, 32, Optimizer("adamw", 5e-4, weight_decay=0.01), WarmupCosine()),
    ),
}
