"""The two-stage method (Bulat and Tzimiropoulos 2016, 3DFAW): four trainings, one after the other.

Detection alone, regression on what it finds, both together, then the depth network on true and found heatmaps.
"""

from abc import ABC, abstractmethod
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from facelab.data import (
    Augmentation,
    Crop,
    FaceSample,
    SyntheticFaces,
    box_side,
    crop_faces,
    decode_heatmaps,
    encode_heatmaps,
)
from facelab.data.augmentation import preset
from facelab.data.discs import decode_discs, encode_discs
from facelab.markups import markup
from facelab.metrics import gte
from facelab.models import DepthRegression, PartCascade, PartDetection, PartRegression, for_training
from facelab.recipes.fan_depth import centred
from facelab.recipes.guided import with_maps
from facelab.recipes.rendered import RenderedFaces
from facelab.training import Geometric, Optimizer, Training, WarmupCosine, fit
from facelab.training.state import Entry

MARKUP = "66"
_DISC = 7 / 220  # radius of a disc over the height of the face
_CROP = "two_stage"
_SIGMA = 6 / 384  # of a heatmap over the side of the crop
_PAPERS = preset("two_stage")
_INPUTS = ("both", "picture", "maps", "another")
_MAPS = ("mixed", "true", "predicted")


@dataclass(frozen=True)
class TwoStageRecipe(RenderedFaces):
    """All four trainings on synthetic faces.

    Attributes:
        size: side of the input in pixels. trunk: of the detection. width, hourglass, blocks, head: of the regression.
        depth_blocks, depth_width: of the depth network. pretrained: trunk with ImageNet's weights.
        detection, regression, joint, depth: the trainings, in this order; a joint training from the start is one
            without the first two (None).
        sees: what the depth network is given: picture and heatmaps (``"both"``), one of them, or the picture with
            ``"another"`` face's heatmaps. maps: heatmaps that it learns from: drawn from the labels (``"true"``), those
            of the cascade (``"predicted"``), or either, by chance (``"mixed"``).
        faces, test_faces, picture, margin, yaw, augmentation: as of :class:`facelab.recipes.fan.FanRecipe`.
    """

    size: int
    trunk: str
    width: int
    hourglass: int
    blocks: int
    head: int
    depth_blocks: tuple[int, ...]
    depth_width: int
    faces: int
    test_faces: int
    picture: int
    detection: Training | None
    regression: Training | None
    joint: Training
    depth: Training
    pretrained: bool = False
    sees: str = "both"
    maps: str = "mixed"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    augmentation: Augmentation = _PAPERS

    def __post_init__(self) -> None:
        if self.sees not in _INPUTS:
            raise ValueError(f"sees: expected one of {', '.join(_INPUTS)}, got {self.sees!r}")
        if self.maps not in _MAPS:
            raise ValueError(f"maps: expected one of {', '.join(_MAPS)}, got {self.maps!r}")
        if (self.detection is None) != (self.regression is None):
            raise ValueError("detection, regression: expected both trainings, or neither")

    def networks(self, seed: int = 0) -> tuple[PartDetection, PartRegression, DepthRegression]:
        """The untrained networks; the same seed gives the same weights."""
        points = markup(MARKUP).points
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            detection = PartDetection(points, self.trunk, self.pretrained)
            regression = PartRegression(points, self.width, self.hourglass, self.blocks, self.head)
            depth = DepthRegression(points, self.depth_blocks, self.depth_width)
        for network in (detection, regression, depth):
            for_training(network)
        return detection, regression, depth

    def discs(self, points: Tensor) -> Tensor:
        """Binary maps ``(B, N, size, size)`` of landmarks ``(B, N, 2)`` in pixels of the crop."""
        return encode_discs(points, self.size, self.size, _DISC * box_side(_CROP, self.size))

    def heatmaps(self, points: Tensor) -> Tensor:
        """Gaussians ``(B, N, size, size)`` of landmarks ``(B, N, 2)`` in pixels of the crop."""
        return encode_heatmaps(points, self.size, self.size, max(1.0, _SIGMA * self.size))

    def seen(self, images: Tensor, heatmaps: Tensor) -> Tensor:
        """What the depth network is given ``(B, 3 + N, size, size)``."""
        return with_maps(images, heatmaps, self.sees)

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
    ) -> "TwoStage":
        """All trainings from scratch; with an output folder, one folder a training, gone on with where it stopped."""

        networks, histories = self.networks(seed), {}

        def trained(name: str, stage: "_Stage") -> nn.Module:
            fitted = fit(stage, seed, str(device), None if output is None else Path(output) / name, progress)
            histories[name] = fitted.history
            return fitted.model

        start = PartCascade(*networks[:2])
        if self.detection is not None and self.regression is not None:
            found = trained("detection", _Detection(self, self.detection, networks[0]))
            refined = PartCascade(found, networks[1], frozen=True)  # type: ignore[arg-type]
            start = trained("regression", _Regression(self, self.regression, refined))  # type: ignore[assignment]
        cascade = trained("joint", _Joint(self, self.joint, start))
        depth = trained("depth", _Depth(self, self.depth, networks[2], cascade.eval()))
        return TwoStage(self, cascade, depth, histories)


@dataclass(frozen=True)
class TwoStage:
    """The trained networks.

    Attributes:
        recipe: that trained them. cascade: picture to logits and heatmaps. depth: picture and heatmaps to depths.
        histories: of each training, by its name.
    """

    recipe: TwoStageRecipe
    cascade: nn.Module
    depth: nn.Module
    histories: dict[str, list[Entry]]

    def maps(self, batch: FaceSample) -> tuple[Tensor, Tensor, Tensor]:
        """Crops ``(B, 3, size, size)``, probabilities of the detection and heatmaps, both ``(B, 66, size, size)``."""
        images = _cut(self.recipe, batch).image
        logits, heatmaps = self._cascade(images)
        return images, logits.sigmoid(), heatmaps

    def detected(self, batch: FaceSample) -> Tensor:
        """Landmarks ``(B, 66, 2)`` in the pictures' pixels, read from the detection alone."""
        crop = _cut(self.recipe, batch)
        return crop.affine.inverse().apply(decode_discs(self._cascade(crop.image)[0].sigmoid()))

    def landmarks(self, batch: FaceSample) -> Tensor:
        """Landmarks ``(B, 66, 3)`` in the pictures' pixels; z is larger nearer to the viewer, and of mean 0.

        Args:
            batch: its boxes say where the faces are; its labels are not looked at.
        """
        crop = _cut(self.recipe, batch)
        heatmaps = self._cascade(crop.image)[1]
        points = crop.affine.inverse().apply(decode_heatmaps(heatmaps, "log-quadratic"))
        depths = self._depths(self.recipe.seen(crop.image, heatmaps)) / crop.affine.scale()[:, None]
        return torch.cat([points, centred(depths)[..., None]], 2)

    def evaluate(self, faces: SyntheticFaces) -> tuple[Tensor, Tensor]:
        """Landmarks ``(N, 66, 3)`` of a whole set, and the true ones, z of mean 0."""
        predicted, target = [], []
        with torch.inference_mode():
            for batch in DataLoader(faces, self.recipe.depth.batch, collate_fn=FaceSample.stack):
                predicted.append(self.landmarks(batch))
                target.append(truth(batch))
        return torch.cat(predicted), torch.cat(target)

    def _cascade(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, heatmaps = self.cascade.eval()(images.to(_device(self.cascade)))
        return logits.cpu(), heatmaps.cpu()

    def _depths(self, seen: Tensor) -> Tensor:
        depths: Tensor = self.depth.eval()(seen.to(_device(self.depth)))
        return depths.cpu()


def truth(batch: FaceSample) -> Tensor:
    """The labels ``(B, 66, 3)`` of a batch with 68 points, z of mean 0."""
    points = batch.converted(MARKUP).landmarks
    return torch.cat([points[..., :2], centred(points[..., 2])[..., None]], 2)


def gte_by_axis(predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
    """GTE ``(N,)`` of each face in xy, xyz, x, y and z: the rows of the paper's table 3."""
    return {axes: gte(predicted, target, axes) for axes in ("xy", "xyz", "x", "y", "z")}


def _cut(
    recipe: TwoStageRecipe,
    batch: FaceSample,
    augmentation: Augmentation | None = None,
    generator: torch.Generator | None = None,
) -> Crop:
    return crop_faces(batch.converted(MARKUP), recipe.size, _CROP, augmentation, generator)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


# ------------------------------------------------------------------------------------------- what the loop is told


@dataclass(frozen=True)
class _Stage(ABC):
    """One training: the faces are the same in all of them."""

    whole: TwoStageRecipe
    training: Training
    start: nn.Module

    def model(self, seed: int) -> nn.Module:
        return deepcopy(self.start)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        return self.whole.samples(seed, device, progress)

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        return self.whole.collate(samples)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        return {}

    @abstractmethod
    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]: ...

    @abstractmethod
    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor: ...

    def _crop(self, samples: FaceSample, generator: torch.Generator) -> Crop:
        return _cut(self.whole, samples, self.whole.augmentation, generator)


class _Detection(_Stage):
    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        crop = self._crop(samples, generator)
        return crop.image, self.whole.discs(crop.landmarks[..., :2])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, discs = batch
        return F.binary_cross_entropy_with_logits(network(images), discs)


class _Regression(_Stage):
    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        crop = self._crop(samples, generator)
        return crop.image, self.whole.heatmaps(crop.landmarks[..., :2])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, heatmaps = batch
        return F.mse_loss(network(images)[1], heatmaps)


class _Joint(_Stage):
    def model(self, seed: int) -> nn.Module:
        cascade = deepcopy(self.start)
        assert isinstance(cascade, PartCascade)
        return PartCascade(cascade.detection, cascade.regression, frozen=False)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        crop = self._crop(samples, generator)
        points = crop.landmarks[..., :2]
        return crop.image, self.whole.discs(points), self.whole.heatmaps(points)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Both losses, each over what an answer that looks at nothing would cost, so that neither drowns the other."""
        images, discs, heatmaps = batch
        logits, found = network(images)
        share = discs.mean()
        blind = -(share * share.log() + (1 - share) * (1 - share).log())
        detection = F.binary_cross_entropy_with_logits(logits, discs) / blind
        return detection + F.mse_loss(found, heatmaps) / heatmaps.square().mean()


@dataclass(frozen=True)
class _Depth(_Stage):
    cascade: nn.Module

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        crop = self._crop(samples, generator)
        heatmaps = self.whole.heatmaps(crop.landmarks[..., :2])
        if self.whole.maps != "true":
            with torch.inference_mode():
                found = self.cascade.to(crop.image.device)(crop.image)[1]
            share = 1.0 if self.whole.maps == "predicted" else 0.5
            chosen = torch.rand(len(found), generator=generator) < share
            heatmaps = torch.where(chosen.to(found.device)[:, None, None, None], found.clone(), heatmaps)
        return self.whole.seen(crop.image, heatmaps), centred(crop.landmarks[..., 2])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Equation 1, in units of the side of the face: its size in pixels differs from profile to profile."""
        seen, depths = batch
        side = box_side(_CROP, self.whole.size)
        return ((network(seen) - depths) / side).square().mean()


# ------------------------------------------------------------------------------------------------- at each profile


def _adamw(epochs: int, rate: float = 3e-3) -> Training:
    return Training(epochs, 8, Optimizer("adamw", rate, weight_decay=0.01), WarmupCosine(0.2), evaluate_every=epochs)


_MILD = replace(preset("two_stage"), rotation=15.0, scale=(0.9, 1.1), shift=0.03)

PROFILES = {
    "smoke": TwoStageRecipe(
        size=32, trunk="resnet18", width=16, hourglass=2, blocks=1, head=16, depth_blocks=(1, 1, 1, 1), depth_width=8,
        faces=32, test_faces=16, picture=40, augmentation=_MILD,
        detection=_adamw(1), regression=_adamw(1), joint=_adamw(1), depth=_adamw(1),
    ),
    "quick": TwoStageRecipe(
        size=64, trunk="resnet18", width=32, hourglass=2, blocks=1, head=64, depth_blocks=(1, 1, 1, 1), depth_width=16,
        faces=1600, test_faces=300, picture=80, augmentation=_MILD,
        detection=_adamw(2), regression=_adamw(2), joint=_adamw(2), depth=_adamw(4),
    ),
    "cpu": TwoStageRecipe(
        size=64, trunk="resnet18", width=64, hourglass=3, blocks=1, head=64, depth_blocks=(1, 2, 2, 1), depth_width=16,
        faces=3200, test_faces=600, picture=80, augmentation=_MILD,
        detection=_adamw(3), regression=_adamw(3), joint=_adamw(3), depth=_adamw(5),
    ),
    # The paper's numbers; optimisers, which it does not name, are those of its authors' later code.
    "gpu": TwoStageRecipe(
        size=384, trunk="resnet152", width=256, hourglass=4, blocks=3, head=512, depth_blocks=(3, 24, 36, 3),
        depth_width=64, faces=13_672, test_faces=2000, picture=440, pretrained=False,
        detection=Training(30, 8, Optimizer("rmsprop", 1e-3), Geometric(2.5e-5 / 1e-3)),
        regression=Training(30, 8, Optimizer("rmsprop", 1e-4), Geometric(2.5e-5 / 1e-4)),
        joint=Training(30, 8, Optimizer("rmsprop", 1e-4), Geometric(2.5e-5 / 1e-4)),
        depth=Training(100, 16, Optimizer("sgd", 1e-2, momentum=0.9), Geometric(2.5e-4 / 1e-2)),
    ),
}  # fmt: skip
