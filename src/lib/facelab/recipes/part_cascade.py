"""Landmarks in x and y by the two-stage method (Bulat and Tzimiropoulos 2016, 3DFAW): three trainings in turn.

Detection alone, regression on what it finds, then both together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
from facelab.markups import convert, markup
from facelab.metrics import nme
from facelab.models import PartCascade, PartDetection, PartRegression
from facelab.recipes.chain import Stage, train_in_turn
from facelab.recipes.fan_depth import centred
from facelab.recipes.rendered import RenderedFaces, over
from facelab.training import Fitted, Training

MARKUP = "66"
DECODER = "log-quadratic"
_CROP = "two_stage"
_PAPERS = preset("two_stage")


@dataclass(frozen=True)
class CascadeRecipe(RenderedFaces):
    """Detection and regression on synthetic faces.

    Attributes:
        size: side of the input in pixels. trunk: of the detection. width, hourglass, blocks, head: of the regression.
        detection, regression, joint: the trainings, in this order; one that is None is left out. So a joint training
            from the start has no other; a detection alone, or a regression alone, has only its own.
        pretrained: trunk with ImageNet's weights. zeros: the detection begins with the paper's answer of one half
            everywhere, not with the share that discs have.
        disc: radius of a disc, a share of the height of the face. sigma: deviation of a Gaussian, a share of the side
            of the crop. Small networks learn wider ones sooner.
        faces, test_faces, picture, margin, yaw, augmentation: as of :class:`facelab.recipes.fan.FanRecipe`.
    """

    size: int
    trunk: str
    width: int
    hourglass: int
    blocks: int
    head: int
    faces: int
    test_faces: int
    picture: int
    detection: Training | None = None
    regression: Training | None = None
    joint: Training | None = None
    pretrained: bool = False
    zeros: bool = False
    disc: float = 7 / 220
    sigma: float = 6 / 384
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    augmentation: Augmentation = _PAPERS

    def __post_init__(self) -> None:
        if not self.trainings:
            raise ValueError("detection, regression, joint: expected at least one training")

    @property
    def trainings(self) -> dict[str, Training]:
        """By name, in their order."""
        named = {"detection": self.detection, "regression": self.regression, "joint": self.joint}
        return {name: training for name, training in named.items() if training is not None}

    def model(self, seed: int = 0) -> PartCascade:
        """The untrained networks; the same seed gives the same weights, whichever of them there are."""
        points, there = markup(MARKUP).points, self.trainings
        prior = 0.5 if self.zeros else math.pi * (self.disc * self.face_side / self.size) ** 2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            detection = PartDetection(points, self.trunk, self.pretrained, prior)
            regression = PartRegression(points, self.width, self.hourglass, self.blocks, self.head)
        cascade = PartCascade(
            detection if there.keys() & {"detection", "joint"} else None,
            regression if there.keys() & {"regression", "joint"} else None,
        )
        # Layout only: the trunk's maps are too small for Winograd's tiles to pay.
        return cascade.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """All trainings, see :func:`facelab.recipes.chain.train_in_turn`."""
        links = {name: partial(_stage, self, name, self.model(seed)) for name in self.trainings}
        return train_in_turn(self, links, Fitted(nn.Identity(), []), seed, device, output, progress, notes)

    def cut(
        self,
        batch: FaceSample,
        augmentation: Augmentation | None = None,
        generator: torch.Generator | None = None,
    ) -> Crop:
        """Crops with 66 landmarks."""
        return crop_faces(batch.converted(MARKUP), self.size, _CROP, augmentation, generator)

    def discs(self, points: Tensor) -> Tensor:
        """Binary maps ``(B, N, size, size)`` of landmarks ``(B, N, 2)`` in pixels of the crop."""
        return encode_discs(points, self.size, self.size, self.disc * self.face_side)

    def heatmaps(self, points: Tensor) -> Tensor:
        """Gaussians ``(B, N, size, size)`` of landmarks ``(B, N, 2)`` in pixels of the crop."""
        return encode_heatmaps(points, self.size, self.size, self.sigma * self.size)

    @property
    def face_side(self) -> float:
        """Side of the box of a face in the crop, in its pixels."""
        return box_side(_CROP, self.size)

    def maps(self, model: PartCascade, batch: FaceSample) -> tuple[Crop, Tensor | None, Tensor | None]:
        """Crops, probabilities of the detection and heatmaps, both ``(B, N, size, size)``; None of what is not there.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its labels are not looked at.
        """
        crop = self.cut(batch)
        images = crop.image.to(next(model.parameters()).device, memory_format=torch.channels_last)
        logits, heatmaps = model(images)
        return crop, None if logits is None else logits.sigmoid().cpu(), None if heatmaps is None else heatmaps.cpu()

    def landmarks(self, model: PartCascade, batch: FaceSample) -> Tensor:
        """Landmarks ``(B, N, 2)`` in the pictures' pixels: of the heatmaps, or of the discs if there is no regression.

        Args:
            model, batch: as of :meth:`maps`.
        """
        crop, discs, heatmaps = self.maps(model, batch)
        return read_maps(crop, discs, heatmaps)

    def evaluate(self, model: PartCascade, faces: SyntheticFaces) -> tuple[Tensor, Tensor]:
        """Landmarks ``(n, N, 2)`` of a whole set in its pictures' pixels, and the NME ``(n,)`` over the box."""
        points = over(faces, lambda batch: self.landmarks(model, batch))
        return points, nme(points, truth(faces)[..., :2], "bbox")


def read_maps(crop: Crop, discs: Tensor | None, heatmaps: Tensor | None) -> Tensor:
    """Landmarks ``(B, N, 2)`` in the pictures' pixels, of heatmaps if there are any, else of discs.

    Raises:
        ValueError: if there are neither.
    """
    if heatmaps is not None:
        return crop.affine.inverse().apply(decode_heatmaps(heatmaps, DECODER))
    if discs is None:
        raise ValueError("read_maps: expected discs, heatmaps, or both")
    return crop.affine.inverse().apply(decode_discs(discs))


def truth(faces: SyntheticFaces) -> Tensor:
    """The 66 labels ``(n, N, 3)`` of a set in its pictures' pixels, z of mean 0."""
    return labels_of(faces.landmarks)


def labels_of(landmarks: Tensor) -> Tensor:
    """Landmarks ``(n, 68, 3)`` as the 66 ``(n, N, 3)`` that the networks are asked for, z of mean 0."""
    points = convert(landmarks, "68", MARKUP)
    return torch.cat([points[..., :2], centred(points[..., 2])[..., None]], 2)


# ------------------------------------------------------------------------------------------------- the trainings


def _stage(whole: CascadeRecipe, name: str, untrained: PartCascade, before: nn.Module) -> "_Stage":
    """The training of that name, which begins with what the networks ``before`` it have learnt."""
    detection, regression = untrained.detection, untrained.regression
    if isinstance(before, PartCascade):
        detection, regression = before.detection or detection, before.regression or regression
    if name == "detection":
        regression = None
    elif name == "regression" and whole.detection is None:
        detection = None
    return _Stage(whole, PartCascade(detection, regression, frozen=name == "regression"), name)


@dataclass(frozen=True)
class _Stage(Stage):
    """One training; the faces are the same in all of them."""

    whole: CascadeRecipe
    start: PartCascade
    name: str

    @property
    def training(self) -> Training:
        return self.whole.trainings[self.name]

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        crop = self.whole.cut(samples, self.whole.augmentation, generator)
        points = crop.landmarks[..., :2]
        return crop.image, self.whole.discs(points), self.whole.heatmaps(points)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Of the networks that learn, each loss over that of an answer that looks at nothing: neither drowns the other.

        Source: sections 2.1 and 2.3; the paper does not weigh its losses.
        """
        images, discs, heatmaps = batch
        logits, found = network(images)
        loss = images.new_zeros(())
        if self.name != "regression":
            share = discs.mean().clamp(1e-6, 1 - 1e-6)
            blind = -(share * share.log() + (1 - share) * (1 - share).log())
            loss = loss + F.binary_cross_entropy_with_logits(logits, discs) / blind
        if self.name != "detection":
            loss = loss + F.mse_loss(found, heatmaps) / heatmaps.square().mean()
        return loss

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        assert isinstance(network, PartCascade)
        return {"nme": self.whole.evaluate(network, self.whole.test_set())[1][part]}
