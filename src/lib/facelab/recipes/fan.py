"""FAN (Bulat and Tzimiropoulos 2017): what to train, on what, and for how long."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from facelab.data import (
    Augmentation,
    Crop,
    FaceSample,
    LiveFaces,
    SyntheticFaces,
    crop_faces,
    crop_window,
    decode_heatmaps,
    encode_heatmaps,
    landmark_box,
    to_heatmap_pixels,
    to_picture_pixels,
)
from facelab.data.augmentation import preset
from facelab.geometry import Affine
from facelab.losses import stacked_heatmap_l2
from facelab.markups import markup
from facelab.metrics import nme
from facelab.models import FAN, for_training
from facelab.training import Fitted, Optimizer, Steps, Training, WarmupCosine, fit

_STRIDE = 4  # picture pixels per heatmap pixel, set by FAN's stem
_TEST_SEED = 10_000  # test faces never share a seed with training faces
# The paper's, and what rendered faces need besides to resemble photographs.
_AUGMENTATION = replace(preset("fan"), shift=0.05, grey=0.2, gamma=0.6, blur=0.3, noise=0.05)


@dataclass(frozen=True)
class FanRecipe:
    """One training run of FAN on synthetic faces.

    Attributes:
        size: side of the network's input in pixels; its heatmaps have a quarter of that.
        stacks, width, depth, pool: of the network. sigma: of the targets, in heatmap pixels.
        crop: rule of :func:`facelab.data.crop_window`.
        faces: training faces. test_faces: unseen ones. picture: side of the rendered pictures in pixels.
        training: epochs, batch, optimiser, schedule, precision.
        augmentation: of the training pictures.
        passing_share: what the trained network's mean NME must not exceed, as a share of the mean shape's.
    """

    size: int
    stacks: int
    width: int
    depth: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    pool: str = "avg"
    sigma: float = 1.0
    crop: str = "tight"
    augmentation: Augmentation = _AUGMENTATION
    passing_share: float = 1 / 3

    def model(self, seed: int = 0) -> FAN:
        """The untrained network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FAN(stacks=self.stacks, width=self.width, depth=self.depth, pool=self.pool)
        for_training(network)
        return network

    def training_set(self, seed: int = 0, progress: bool = False) -> SyntheticFaces:
        """Rendered, or found in the cache: clean pictures, what spoils photographs is the augmentation's part."""
        return SyntheticFaces(self.faces, self.picture, seed, camera=None, progress=progress)

    def test_set(self, progress: bool = False) -> SyntheticFaces:
        """Faces that no training set of this recipe holds; the same for every seed."""
        return SyntheticFaces(self.test_faces, self.picture, _TEST_SEED, camera=None, progress=progress)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> SyntheticFaces | LiveFaces:
        """The training set; on a CUDA device new faces for each batch, drawn there."""
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        if device.type == "cuda":
            return LiveFaces(self.faces, self.picture, camera=None, device=device)
        return self.training_set(seed, progress)

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        """A batch of samples."""
        return FaceSample.stack(samples)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops ``(B, 3, size, size)`` and their target heatmaps, on the device of the samples."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        side = self.size // _STRIDE
        return crop.image, encode_heatmaps(to_heatmap_pixels(crop.landmarks[..., :2], _STRIDE), side, side, self.sigma)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The squared error of every stack's heatmaps."""
        images, target = batch
        return stacked_heatmap_l2(network(images), target)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """The NME of a part of the test faces."""
        faces = self.test_set()
        return {"nme": self.evaluate(network, Subset(faces, range(len(faces))[part]))[1]}

    def heatmaps(self, model: nn.Module, batch: FaceSample) -> tuple[Tensor, Crop]:
        """The last stack's heatmaps ``(B, L, size / 4, size / 4)`` of a batch, and the crops they were made from."""
        crop = crop_faces(batch, self.size, self.crop)
        return _all_stacks(model, crop.image)[-1].float().cpu(), crop

    def landmarks(
        self, model: nn.Module, batch: FaceSample, decoder: str = "log-parabola", mirror: bool = False
    ) -> Tensor:
        """Predicted landmarks ``(B, L, 2)`` in the pixels of the batch's pictures.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its landmarks are not looked at.
            decoder: see :func:`facelab.data.decode_heatmaps`.
            mirror: add the heatmaps of the mirrored picture, mirrored back, before decoding (FAN's test-time rule).
        """
        crop = crop_faces(batch, self.size, self.crop)
        heatmaps = _all_stacks(model, crop.image)[-1]
        if mirror:
            partner = torch.tensor(markup(batch.markup).mirror, device=heatmaps.device)
            heatmaps = heatmaps + _all_stacks(model, crop.image.flip(3))[-1].flip(3)[:, partner]
        points = to_picture_pixels(decode_heatmaps(heatmaps, decoder), _STRIDE).cpu()
        return crop.affine.inverse().apply(points)

    def evaluate(self, model: nn.Module, faces: Dataset[FaceSample], **options: object) -> tuple[Tensor, Tensor]:
        """Landmarks ``(N, L, 2)`` of a whole set in its pictures' pixels, and the error ``(N,)`` of each face.

        The error is the 2D NME with the root of the box area as normaliser (``"bbox"``), a fraction.
        """
        predicted, target = [], []
        model.eval()
        with torch.inference_mode():
            for batch in DataLoader(faces, self.training.batch, collate_fn=FaceSample.stack):
                predicted.append(self.landmarks(model, batch, **options))  # type: ignore[arg-type]
                target.append(batch.landmarks[..., :2])
        points = torch.cat(predicted)
        return points, nme(points, torch.cat(target), "bbox")

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
    ) -> Fitted:
        """Trains from scratch, or goes on: :func:`facelab.training.fit` with this recipe.

        Returns:
            The network in evaluation mode and the history; its entries hold ``nme``, that of the test faces.
        """
        return fit(self, seed, str(device), output, progress)


def mean_shape(recipe: FanRecipe, training: Tensor, boxes: Tensor) -> Tensor:
    """What a method would say that looks at nothing but the box: the mean training shape, put into each box.

    Args:
        training: ``(M, L, 2 or 3)`` landmarks of the training faces. boxes: ``(N, 4)`` of the test faces.
    Returns:
        ``(N, L, 2)`` landmarks in the pixels of the test pictures.
    """
    windows = Affine.crop(*crop_window(landmark_box(training), recipe.crop), recipe.size)
    mean = windows.apply(training[..., :2]).mean(0, keepdim=True)
    placed = Affine.crop(*crop_window(boxes, recipe.crop), recipe.size).inverse()
    return placed.apply(mean.expand(len(boxes), -1, -1))


def _all_stacks(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The heatmaps of every stack, on the network's device; pictures go there in the layout that is fastest."""
    device = next(model.parameters()).device
    return model(images.to(device).contiguous(memory_format=torch.channels_last))


def _adamw(epochs: int) -> Training:
    """What teaches small networks quickly: AdamW with a warm-up and half a cosine."""
    return Training(epochs, 16, Optimizer("adamw", 2e-3, weight_decay=0.01), WarmupCosine())


PROFILES = {
    "smoke": FanRecipe(
        size=32,
        picture=40,
        width=16,
        depth=1,
        stacks=2,
        faces=64,
        test_faces=32,
        training=_adamw(epochs=2),
        passing_share=math.inf,  # two epochs on 64 faces teach nothing
    ),
    "quick": FanRecipe(
        size=64,
        picture=80,
        width=64,
        depth=2,
        stacks=1,
        sigma=1.5,
        faces=4000,
        test_faces=500,
        training=_adamw(epochs=12),
    ),
    "cpu": FanRecipe(
        size=96,
        picture=120,
        width=64,
        depth=3,
        stacks=2,
        sigma=1.5,
        faces=8000,
        test_faces=1000,
        training=_adamw(epochs=8),
    ),
    # The paper's own numbers, on synthetic faces instead of 300W-LP.
    "gpu": FanRecipe(
        size=256,
        picture=320,
        width=256,
        depth=4,
        stacks=4,
        faces=60000,
        test_faces=2000,
        training=Training(40, 10, Optimizer("rmsprop", 1e-4), Steps((15 / 40, 30 / 40))),
        pool="max",
        crop="fan",
    ),
}
