"""Direct regression with the losses of the anisotropic paper (Rayhan et al. 2020): what to train, on what, how long."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, Dataset

from facelab.data import (
    Augmentation,
    FaceSample,
    PoseBalanced,
    PoseBins,
    SmearedLabels,
    collect_landmarks,
    crop_faces,
    crop_window,
    decode_heatmaps,
    encode_heatmaps,
    landmark_box,
    pose_bins,
    preset,
    to_heatmap_pixels,
    to_picture_pixels,
)
from facelab.geometry import Affine
from facelab.losses import adaptive_wing, anisotropic, l1, l2, smooth_l1, stacked_heatmap_l2, wing
from facelab.markups import markup
from facelab.models import DirectRegression, HeatmapRegression
from facelab.recipes.rendered import MILD, RenderedFaces, Trains, landmarks_over
from facelab.training import Optimizer, Training, WarmupCosine

OUTPUTS = ("displacement", "points", "heatmaps")
LOSSES = ("l2", "l1", "smooth l1", "wing", "anisotropic")
HEATMAP_LOSSES = ("l2", "adaptive wing")
BALANCES = ("none", "undersampled", "replicated", "undersampled at random", "replicated at random")
UNIT = 256  # losses count in pixels of a crop of this side, so that their constants mean the same at every profile
DECODER = "log-quadratic"
_PLAIN = {"l2": l2, "l1": l1, "smooth l1": smooth_l1, "wing": wing}
_STRIDE = 4  # picture pixels per heatmap pixel
_FRONTAL = (-30.0, 30.0)
_STRONG = preset("strong")
_MEANS_FROM = 2000  # faces that the mean shape is taken from, at most


@dataclass(frozen=True)
class DirectRecipe(RenderedFaces, Trains):
    """One training run of a network that answers coordinates, or of its twin that answers heatmaps.

    Attributes:
        size: side of the network's input in pixels. trunk: see :class:`facelab.models.DirectRegression`.
        output: ``"displacement"`` from the mean of the means of the bins of pose, ``"points"`` outright, or
            ``"heatmaps"`` by the same trunk.
        criterion: the loss, one of ``LOSSES``, of ``HEATMAP_LOSSES`` with heatmaps.
        a, b: of the anisotropic loss, along and across contours. corners: weight of corners with the anisotropic
            loss, 1 in the paper. curves: the weight of all other landmarks is multiplied by it.
        sigma: of the target heatmaps, in their pixels.
        balance: one of ``BALANCES``; an epoch has as many faces with each. Those at random have bins of the same
            sizes, filled without regard to pose. bins: of pose.
        frontal: share of the training faces that is drawn from |yaw| of at most 30 degrees alone. The others are the
            first of them again, as people and in their light, in any pose.
        smear: deviation of the training labels along their contours, a share of the box.
        faces, test_faces, picture, margin, jaw, yaw: as of all rendered faces. crop: rule of the crops.
        training: epochs, batch, optimiser, schedule, precision. augmentation: of the training pictures.
    Raises:
        ValueError: on an unknown output, criterion or balance, or a share out of range.
    """

    markup = "68"  # not a field: all these networks have one

    size: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    trunk: str = "resnet50"
    output: str = "displacement"
    criterion: str = "anisotropic"
    a: float = 5.0
    b: float = 3.0
    corners: float = 1.0
    curves: float = 1.0
    sigma: float = 1.0
    balance: str = "none"
    bins: int = 9
    frontal: float = 0.0
    smear: float = 0.0
    crop: str = "tight"
    jaw: str = "3d"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    augmentation: Augmentation = _STRONG

    def __post_init__(self) -> None:
        losses = HEATMAP_LOSSES if self.output == "heatmaps" else LOSSES
        for name, there in (("output", OUTPUTS), ("criterion", losses), ("balance", BALANCES)):
            if getattr(self, name) not in there:
                raise ValueError(f"{name}: expected one of {', '.join(there)}, got {getattr(self, name)!r}")
        if not 0 <= self.frontal <= 1 or self.smear < 0 or self.corners < 0 or self.curves < 0:
            raise ValueError("DirectRecipe: expected frontal from 0 to 1, and no negative smear, corners or curves")

    # ---------------------------------------------------------------------------------------------------- the faces

    def training_set(self, seed: int = 0, progress: bool = False) -> Any:
        """Rendered, or found in the cache; with a share of frontal faces, those come first."""
        frontal = round(self.frontal * self.faces)
        parts = [
            RenderedFaces.training_set(replace(self, faces=count, yaw=yaw), seed, progress)
            for count, yaw in ((frontal, _FRONTAL), (self.faces - frontal, self.yaw))
            if count
        ]
        return parts[0] if len(parts) == 1 else ConcatDataset(parts)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        """As of all recipes on rendered faces; the training set on every device if it is chosen from or changed."""
        if self.balance == "none" and not self.frontal and not self.smear:
            return super().samples(seed, device, progress)
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        faces = self.training_set(seed, progress)
        labelled = SmearedLabels(faces, self.smear, seed) if self.smear else faces
        return labelled if self.balance == "none" else AsLong(self.balanced(labelled, seed), seed)

    def balanced(self, faces: Dataset[FaceSample], seed: int) -> PoseBalanced:
        """The faces, drawn evenly from the bins of pose, or from bins that know nothing of pose."""
        bins = self.pose_bins(faces)
        sampling, _, at_random = self.balance.partition(" at ")
        if at_random:
            shuffled = torch.randperm(len(bins.bin), generator=torch.Generator().manual_seed(seed))
            bins = replace(bins, bin=bins.bin[shuffled])
        return PoseBalanced(faces, bins, sampling, seed)

    def pose_bins(self, faces: Dataset[FaceSample]) -> PoseBins:
        """Bins of pose of some faces; their means are in half sides of the upright crop."""
        landmarks = collect_landmarks(faces)
        windows = Affine.crop(*crop_window(landmark_box(landmarks), self.crop), self.size)
        return pose_bins((windows.apply(landmarks) + 0.5) * 2 / self.size - 1, self.bins)

    # -------------------------------------------------------------------------------------------------- the network

    def model(self, seed: int | None = None) -> nn.Module:
        """The untrained network; the same seed gives the same weights.

        Args:
            seed: None for a network whose weights will be loaded: it needs no faces, and its mean shape is zeros.
        """
        mean = None
        if self.output == "displacement":
            mean = torch.zeros(68, 2) if seed is None else self._mean_shape(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed or 0)
            if self.output == "heatmaps":
                return HeatmapRegression(self.markup, self.trunk)
            return DirectRegression(self.markup, self.trunk, mean, displacement=self.output == "displacement")

    def _mean_shape(self, seed: int) -> Tensor:
        # Training sets on a CUDA device are drawn batch by batch, so they have no mean; a small rendered one has.
        few = self if self.frontal else replace(self, faces=min(self.faces, _MEANS_FROM))
        return self.pose_bins(few.training_set(seed)).mean.float()

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops ``(B, 3, size, size)`` and the landmarks ``(B, L, 2)`` in their pixels."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        return crop.image, crop.landmarks[..., :2]

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The cost of the answers, a scalar."""
        images, points = batch
        answer = network(images)
        if self.output == "heatmaps":
            target = self._targets(points)
            if self.criterion == "l2":
                return stacked_heatmap_l2([answer.float()], target)
            return adaptive_wing(answer.float(), target, weight=10.0)
        scale = UNIT / self.size
        return self.cost(scale * self._pixels(answer.float()), scale * points)

    def cost(self, predicted: Tensor, target: Tensor) -> Tensor:
        """The loss of coordinates ``(B, L, 2)`` in pixels of a crop of ``UNIT`` pixels, a scalar."""
        if self.criterion != "anisotropic":
            return _PLAIN[self.criterion](predicted, target)
        costs = anisotropic(predicted, target, self.markup, self.a, self.b, reduction="none")
        share = torch.full((costs.shape[1],), self.curves, device=costs.device)
        share[list(markup(self.markup).corners)] = self.corners
        return (share * costs).sum() / target.isfinite().all(-1).sum()

    def _pixels(self, answer: Tensor) -> Tensor:
        """Half sides to pixels of the crop."""
        return (answer + 1) * self.size / 2 - 0.5

    def _targets(self, points: Tensor) -> Tensor:
        side = self.size // _STRIDE
        return encode_heatmaps(to_heatmap_pixels(points, _STRIDE), side, side, self.sigma)

    # -------------------------------------------------------------------------------------------------- its answers

    def landmarks(self, model: nn.Module, batch: FaceSample, mirror: bool = False) -> Tensor:
        """Predicted landmarks ``(B, L, 2)`` in the pixels of the batch's pictures.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its landmarks are not looked at.
            mirror: average with what is found in the mirrored picture.
        """
        crop = crop_faces(batch, self.size, self.crop)
        points = self._found(model, crop.image)
        if mirror:
            turned = self._found(model, crop.image.flip(3))[:, list(markup(self.markup).mirror)]
            turned[..., 0] = self.size - 1 - turned[..., 0]
            points = (points + turned) / 2
        return crop.affine.inverse().apply(points)

    def _found(self, model: nn.Module, images: Tensor) -> Tensor:
        """Landmarks ``(B, L, 2)`` in the pixels of the crops, on the CPU."""
        device = next(model.parameters()).device
        answer = model(images.to(device).contiguous(memory_format=torch.channels_last)).float().cpu()
        if self.output == "heatmaps":
            return to_picture_pixels(decode_heatmaps(answer, DECODER), _STRIDE)
        return self._pixels(answer)

    def evaluate(self, model: nn.Module, faces: Dataset[FaceSample], mirror: bool = False) -> tuple[Tensor, Tensor]:
        """Landmarks and errors of a whole set, see :func:`facelab.recipes.rendered.landmarks_over`."""
        model.eval()
        return landmarks_over(faces, lambda batch: self.landmarks(model, batch, mirror), batch=64)


class AsLong:
    """A balanced set whose epochs have as many faces as the set it draws from.

    So networks with and without balance are trained for as many steps: a short epoch is drawn several times over, of a
    long one a part is taken at random.

    Args:
        balanced: draws evenly. seed: of the parts taken.
    """

    def __init__(self, balanced: PoseBalanced, seed: int) -> None:
        self.balanced, self.seed, self.whole = balanced, seed, balanced.whole

    def __len__(self) -> int:
        return len(self.whole)  # type: ignore[arg-type]

    def drawn(self, epoch: int) -> Tensor:
        """Indices ``(len,)`` of the faces of an epoch."""
        rounds = -(-len(self) // len(self.balanced))
        drawn = torch.cat([self.balanced.drawn(rounds * epoch + each) for each in range(rounds)])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return drawn[torch.randperm(len(drawn), generator=generator)[: len(self)]]


def _adamw(epochs: int, batch: int = 16, rate: float = 1e-3) -> Training:
    return Training(epochs, batch, Optimizer("adamw", rate, weight_decay=0.01), WarmupCosine(0.2))


_QUICK = DirectRecipe(
    size=64,
    picture=80,
    trunk="cnn6",
    faces=1000,
    test_faces=300,
    training=_adamw(epochs=6),
    sigma=1.5,
    augmentation=MILD,
)
PROFILES = {
    "smoke": replace(_QUICK, size=32, picture=40, faces=64, test_faces=32, training=_adamw(epochs=2)),
    "quick": _QUICK,
    "cpu": replace(_QUICK, faces=4000, test_faces=1000, training=_adamw(epochs=12)),
    # Sizes, optimiser and augmentation are in a supplement that is not public: these are ours.
    "gpu": DirectRecipe(
        size=256,
        picture=320,
        faces=60000,
        test_faces=2000,
        training=Training(60, 64, Optimizer("adam", 1e-3), WarmupCosine(0.05)),
    ),
}
