"""CLN (BMVC 2022): the 62 parameters from two streams, one of which is trained on shuffled tiles."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import Augmentation, FaceSample, SelfShuffle, crop_faces, self_shuffle
from facelab.face3d import ParameterStatistics
from facelab.losses import cln_loss
from facelab.models import CLN
from facelab.models.cln import STREAMS, Outputs
from facelab.recipes.parametric import (
    UNIT,
    UNMIRRORED,
    ParameterStage,
    ParametricFaces,
    landmark_face,
    mesh_gram,
)
from facelab.recipes.rendered import Trains
from facelab.training import Fitted, Optimizer, Steps, Training, WarmupCosine, fit

_SHUFFLE = SelfShuffle()  # that of the paper


@dataclass(frozen=True)
class ClnRecipe(ParametricFaces, Trains):
    """A network of one or two streams that regresses the 62 parameters; see :class:`facelab.models.CLN`.

    While it is trained, the loss is added up over the joint answer and, of two streams, that of each by itself. Tests
    are on pictures as they are, for every stream.

    Attributes:
        size: side of the network's input in pixels. trunk, attention, streams: of the network.
        shuffle: how the pictures of the local stream are shuffled in training; None leaves them as they are.
        wpdc_weight, wing_weight: of the two parts of the loss. Wing counts in pixels of a crop of ``UNIT``.
        training: of the network. With a narrow trunk on a CPU not ``channels_last``: the backward pass of the stem's
            1 x 1 convolution, 3 to 12 channels with stride 2, then writes beyond its memory (PyTorch 2.12).
        faces, test_faces, picture, margin, jaw, yaw: as of all rendered faces. crop: rule of the crops.
        augmentation: of the training pictures, without a mirror.
    Raises:
        ValueError: on unknown streams, a number out of range, shuffling without a stream that sees it or in tiles that
            do not divide the crop, or a mirror.
    """

    size: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    trunk: str = "a0"
    attention: str = "transformer"
    streams: str = "both"
    shuffle: SelfShuffle | None = _SHUFFLE
    wpdc_weight: float = 0.5
    wing_weight: float = 1.0
    crop: str = "3ddfa"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    augmentation: Augmentation = UNMIRRORED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.streams not in STREAMS:
            raise ValueError(f"streams: expected one of {', '.join(STREAMS)}, got {self.streams!r}")
        if self.shuffle is not None and "local" not in STREAMS[self.streams]:
            raise ValueError(f"shuffle: expected None, no stream of {self.streams!r} sees shuffled pictures")
        if self.shuffle is not None and self.size % self.shuffle.tiles:
            raise ValueError(f"shuffle tiles: expected a divisor of the size {self.size}, got {self.shuffle.tiles}")
        weights = self.wpdc_weight, self.wing_weight
        if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
            raise ValueError(f"wpdc_weight, wing_weight: expected numbers >= 0, not both 0, got {weights}")

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """Trains from scratch, or goes on: :func:`facelab.training.fit`."""
        return fit(_Answers(self, self.model(seed), self.training), seed, str(device), output, progress, notes)

    def model(self, seed: int | None = None) -> CLN:
        """The untrained network; the same seed gives the same weights.

        Args:
            seed: None for a network whose weights will be loaded: it needs no faces, and has no statistics.
        """
        network: CLN = self.seeded(lambda known: CLN(self.trunk, known, self.attention, self.streams), seed)
        return network

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Augmented crops ``(B, 3, size, size)``, the same for the local stream, and their parameters ``(B, 62)``."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        if self.shuffle is None:
            return crop.image, crop.image, crop.parameters
        return crop.image, self_shuffle(crop.image, self.shuffle, generator).images, crop.parameters

    def cost(self, predicted: Tensor, target: Tensor, statistics: ParameterStatistics) -> Tensor:
        """The loss of one answer: raw parameters ``(B, 62)``, true ones, a scalar."""
        device = predicted.device
        return cln_loss(
            predicted, target, mesh_gram(device), statistics, landmark_face(device),
            wpdc_weight=self.wpdc_weight, wing_weight=self.wing_weight, scale=UNIT / self.size,
        )  # fmt: skip

    def objective(self, outputs: Outputs, target: Tensor, statistics: ParameterStatistics) -> Tensor:
        """The sum of the costs of the joint answer and of those of the streams, a scalar."""
        answers = (outputs.parameters, *outputs.streams)
        return torch.stack([self.cost(answer, target, statistics) for answer in answers]).sum()


@dataclass(frozen=True)
class _Answers(ParameterStage):
    """By the objective of the recipe."""

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, shuffled, target = batch
        outputs: Outputs = network(images, shuffled)
        with torch.autocast(images.device.type, enabled=False):  # half precision is too coarse for pixels
            return self.whole.objective(outputs, target, self.statistics.to(target.device))


# ------------------------------------------------------------------------------------------------ at each profile

_CPU = ClnRecipe(
    size=64,
    picture=80,
    trunk="short x0.25",
    faces=1600,
    test_faces=400,
    training=Training(9, 16, Optimizer("adamw", 2e-3, weight_decay=0.01), WarmupCosine(0.1), channels_last=False),
)
PROFILES = {
    "smoke": replace(_CPU, size=32, picture=40, faces=64, test_faces=32, training=replace(_CPU.training, epochs=2)),
    "quick": replace(_CPU, faces=1000, test_faces=200, training=replace(_CPU.training, epochs=8)),
    "cpu": _CPU,
    # Of the paper: size, batch, optimiser, rate, weights of the loss. Of code that its laboratory released for other
    # networks: 300W-LP's 61,225 faces, Nesterov's momentum, decay of the weights, and a fifth of the rate after three
    # and after four fifths of the epochs. The trunk is not told; of RepVGG's it is the smallest.
    "gpu": ClnRecipe(
        size=224,
        picture=288,
        faces=60000,
        test_faces=2000,
        training=Training(
            50, 256, Optimizer("sgd", 0.002, weight_decay=5e-4, momentum=0.9, nesterov=True), Steps((0.6, 0.8), 0.2)
        ),
    ),
}  # fmt: skip
