"""The two-stage method (Bulat and Tzimiropoulos 2016, 3DFAW): x and y from heatmaps, then z from both."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import FaceSample, LiveFaces, SyntheticFaces
from facelab.data.augmentation import preset
from facelab.markups import markup as scheme
from facelab.metrics import gte, nme
from facelab.models import DepthRegression, PartCascade, TwoStage
from facelab.recipes.chain import train_in_turn
from facelab.recipes.fan_depth import centred
from facelab.recipes.guided import with_maps
from facelab.recipes.part_cascade import MARKUP, CascadeRecipe, read_maps, truth
from facelab.recipes.rendered import mean_with_mirrored, over
from facelab.training import Fitted, Geometric, Optimizer, Training, WarmupCosine

AXES = ("xy", "xyz", "x", "y", "z")  # the rows of the paper's table 3
_INPUTS = ("both", "picture", "maps", "another")
_MAPS = ("mixed", "true", "predicted")


@dataclass(frozen=True)
class TwoStageRecipe:
    """All four trainings on synthetic faces.

    Attributes:
        cascade: that of x and y, with its faces. blocks, width: of the depth network. training: of the depth network.
        sees: what it is given: picture and heatmaps (``"both"``), one of them, or the picture with ``"another"`` face's
            heatmaps. maps: heatmaps that it learns from: drawn from the labels (``"true"``), those of the cascade
            (``"predicted"``), or either, by chance (``"mixed"``).
    """

    markup = MARKUP  # not a field

    cascade: CascadeRecipe
    blocks: tuple[int, ...]
    width: int
    training: Training
    sees: str = "both"
    maps: str = "mixed"

    def __post_init__(self) -> None:
        if self.sees not in _INPUTS:
            raise ValueError(f"sees: expected one of {', '.join(_INPUTS)}, got {self.sees!r}")
        if self.maps not in _MAPS:
            raise ValueError(f"maps: expected one of {', '.join(_MAPS)}, got {self.maps!r}")
        if "regression" not in self.cascade.trainings and "joint" not in self.cascade.trainings:
            raise ValueError("cascade: expected a training of the regression: the depth network sees its heatmaps")

    @property
    def trainings(self) -> dict[str, Training]:
        """By name, in their order."""
        return {**self.cascade.trainings, "depth": self.training}

    @property
    def faces(self) -> int:
        """Training faces."""
        return self.cascade.faces

    def training_set(self, seed: int = 0, progress: bool = False) -> SyntheticFaces:
        """Those of the cascade."""
        return self.cascade.training_set(seed, progress)

    def test_set(self, progress: bool = False) -> SyntheticFaces:
        """Those of the cascade."""
        return self.cascade.test_set(progress)

    def depth_network(self, seed: int = 0) -> DepthRegression:
        """Untrained; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = DepthRegression(scheme(MARKUP).points, self.blocks, self.width)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def model(self, seed: int = 0) -> TwoStage:
        """The untrained networks."""
        return TwoStage(self.cascade.model(seed), self.depth_network(seed))

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
        notes: Mapping[str, Any] | None = None,
        start: Fitted | None = None,
    ) -> Fitted:
        """All trainings, see :func:`facelab.recipes.chain.train_in_turn`.

        Args:
            start: the cascade and its history if it is trained already, by the same recipe and seed.
        """
        if start is None:
            inner = None if output is None else Path(output) / "cascade"
            start = self.cascade.train(seed, device, inner, progress)
        cascade = start.model
        assert isinstance(cascade, PartCascade)

        def whole(depth: nn.Module) -> TwoStage:
            assert isinstance(depth, DepthRegression)
            return TwoStage(cascade, depth).eval()

        links = {"depth": lambda _: _Depth(self, cascade)}
        return train_in_turn(self, links, start, seed, device, output, progress, notes, whole)

    def seen(self, images: Tensor, heatmaps: Tensor) -> Tensor:
        """What the depth network is given ``(B, 3 + N, size, size)``."""
        return with_maps(images, heatmaps, self.sees)

    def landmarks(self, model: TwoStage, batch: FaceSample, mirror: bool = False) -> Tensor:
        """Landmarks ``(B, N, 3)`` in the pictures' pixels; z is larger nearer to the viewer, and of mean 0.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its labels are not looked at.
            mirror: the mean with the landmarks of the mirrored picture.
        """
        find = partial(self._landmarks, model)
        return mean_with_mirrored(find, batch, MARKUP) if mirror else find(batch)

    def _landmarks(self, model: TwoStage, batch: FaceSample) -> Tensor:
        crop, _, heatmaps = self.cascade.maps(model.cascade, batch)
        assert heatmaps is not None
        depths = self.depths(model.depth, crop.image, heatmaps) / crop.affine.scale()[:, None]
        return torch.cat([read_maps(crop, None, heatmaps), centred(depths)[..., None]], 2)

    def depths(self, depth: nn.Module, images: Tensor, heatmaps: Tensor) -> Tensor:
        """Depths ``(B, N)`` in the crops' pixels.

        Args:
            depth: the network, in evaluation mode. images, heatmaps: of the crops.
        """
        seen = self.seen(images, heatmaps).to(next(depth.parameters()).device, memory_format=torch.channels_last)
        found: Tensor = depth(seen)
        return found.cpu()

    def evaluate(self, model: TwoStage, faces: SyntheticFaces, mirror: bool = False) -> tuple[Tensor, Tensor]:
        """Landmarks ``(n, N, 3)`` of a whole set in its pictures' pixels, and the NME ``(n,)`` in x and y over the box.

        For the errors of the paper see :func:`gte_by_axis`.
        """
        points = over(faces, lambda batch: self.landmarks(model, batch, mirror))
        return points, nme(points[..., :2], truth(faces)[..., :2], "bbox")

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """NME and GTE of a part of the test faces."""
        assert isinstance(network, TwoStage)
        faces = self.test_set()
        points, errors = self.evaluate(network, faces)
        return {"nme": errors[part], "gte_xyz": gte(points, truth(faces))[part]}


def gte_by_axis(predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
    """GTE ``(n,)`` of each face in xy, xyz, x, y and z, of landmarks ``(n, N, 3)``: the rows of the paper's table 3."""
    return {axes: gte(predicted, target, axes) for axes in AXES}


# ------------------------------------------------------------------------------------------------ the last training


@dataclass(frozen=True)
class _Depth:
    """The training of the depth network, given a cascade that no longer learns."""

    whole: TwoStageRecipe
    cascade: PartCascade

    @property
    def training(self) -> Training:
        return self.whole.training

    def model(self, seed: int) -> DepthRegression:
        return self.whole.depth_network(seed)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> SyntheticFaces | LiveFaces:
        return self.whole.cascade.samples(seed, device, progress)

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        return FaceSample.stack(samples)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        cascade = self.whole.cascade
        crop = cascade.cut(samples, cascade.augmentation, generator)
        heatmaps = self._chosen(crop.image, cascade.heatmaps(crop.landmarks[..., :2]), generator)
        return self.whole.seen(crop.image, heatmaps), centred(crop.landmarks[..., 2])

    def _chosen(self, images: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
        """Heatmaps drawn from the labels, those of the cascade, or for each face either."""
        if self.whole.maps == "true" or self.whole.sees == "picture":
            return drawn
        with torch.no_grad():
            found = self.cascade.to(images.device).eval()(images.contiguous(memory_format=torch.channels_last)).heatmaps
        if self.whole.maps == "predicted":
            return found
        kept = torch.rand(len(drawn), generator=generator).to(drawn.device) < 0.5
        return torch.where(kept[:, None, None, None], drawn, found)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Equation 1, in units of the side of the face: its size in pixels differs from profile to profile."""
        seen, depths = batch
        return ((network(seen) - depths) / self.whole.cascade.face_side).square().mean()

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        assert isinstance(network, DepthRegression)
        return self.whole.measure(TwoStage(self.cascade, network).eval(), part)


# ------------------------------------------------------------------------------------------------- at each profile


def _adamw(epochs: int) -> Training:
    return Training(epochs, 8, Optimizer("adamw", 5e-3, weight_decay=0.01), WarmupCosine(0.2))


def _small(
    size: int,
    picture: int,
    width: int,
    faces: int,
    test_faces: int,
    epochs: tuple[int, int, int],
    trunk: str = "resnet18",
) -> CascadeRecipe:
    """A slim cascade; its targets are wider than the paper's, its pictures changed less.

    Args:
        epochs: of detection, regression, and both together.
    """
    detection, regression, joint = map(_adamw, epochs)
    return CascadeRecipe(
        size=size, trunk=trunk, width=width, hourglass=3, blocks=1, head=width,
        faces=faces, test_faces=test_faces, picture=picture, disc=0.06, sigma=2 / 64,
        detection=detection, regression=regression, joint=joint,
        augmentation=replace(preset("two_stage"), rotation=15.0, scale=(0.9, 1.1), shift=0.03, gain=(0.8, 1.2)),
    )  # fmt: skip


THIN = "resnet-thin"  # 1.3 million parameters; ResNet-18 has 11

PROFILES = {
    "smoke": TwoStageRecipe(_small(32, 40, 16, 32, 16, (1, 1, 1)), (1, 1, 1, 1), 8, _adamw(1)),
    "quick": TwoStageRecipe(_small(64, 80, 64, 800, 200, (1, 1, 4), THIN), (1, 2, 2, 1), 16, _adamw(3)),
    "cpu": TwoStageRecipe(_small(64, 80, 64, 2400, 400, (2, 2, 2)), (1, 2, 2, 1), 16, _adamw(4)),
    # The paper's numbers; optimisers, which it does not name, are those of its authors' later code.
    "gpu": TwoStageRecipe(
        CascadeRecipe(
            size=384, trunk="resnet152", width=256, hourglass=4, blocks=3, head=512,
            faces=13_672, test_faces=2000, picture=440, zeros=True,
            detection=Training(30, 8, Optimizer("rmsprop", 1e-3), Geometric(2.5e-5 / 1e-3)),
            regression=Training(30, 8, Optimizer("rmsprop", 1e-4), Geometric(2.5e-5 / 1e-4)),
            joint=Training(30, 8, Optimizer("rmsprop", 1e-4), Geometric(2.5e-5 / 1e-4)),
        ),
        blocks=(3, 24, 36, 3), width=64,
        training=Training(100, 16, Optimizer("sgd", 1e-2, momentum=0.9), Geometric(2.5e-4 / 1e-2)),
    ),
}  # fmt: skip
