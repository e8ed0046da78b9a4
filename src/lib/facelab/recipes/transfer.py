"""Do faces drawn by code teach real photographs? One small fixed network, trained on them alone, tried on the real.

The network, its training and its augmentation never change; only the faces do. So its error on photographs measures
the faces: their shapes, poses, looks and light.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from facelab.data import (
    Augmentation,
    FaceSample,
    SceneRanges,
    SyntheticFaces,
    crop_faces,
    crop_window,
    landmark_box,
    open_dataset,
    preset,
)
from facelab.face3d import MorphableModel
from facelab.face3d.contour import JAW
from facelab.geometry import Affine
from facelab.markups import markup
from facelab.metrics import nme
from facelab.models import LandmarkRegressor
from facelab.recipes.outlined import Outlined, OutlinedFaces, crop_outlined
from facelab.recipes.rendered import TEST_SEED
from facelab.recipes.runs import error_of
from facelab.training import Fitted, Optimizer, Training, WarmupCosine, fit

_POINTS = 68 + JAW  # the 68 with the jaw on the head, then the jaw on the visible outline
_CROP = "snug"

# Where the sets of real photographs with 68 points lie below FACELAB_DATA, how to open them, and their rule of the jaw.
_SETS: tuple[tuple[str, str, dict[str, object], str], ...] = (
    ("AFLW2000-3D", "AFLW2000", {}, "3d"),
    ("300W-LP", "300W_LP", {}, "2d"),
    ("300W-LP", "300W_LP_landmarks_only", {}, "2d"),
    ("300W", "300W", {}, "2d"),
    ("COFW-68", "COFW", {}, "2d"),
    ("MERL-RAV", "AFLW", {}, "2d"),
    ("Menpo", "menpo", {}, "2d"),
)


@dataclass(frozen=True)
class Photograph:
    """A real face: the sample, the set it is from, and ``"3d"`` or ``"2d"``, the rule of its jaw."""

    sample: FaceSample
    source: str
    jaw: str


def photographs(folder: str | Path | None = None) -> list[Photograph]:
    """All real samples with 68 points below ``folder/real`` (``FACELAB_DATA`` if no folder is given).

    Raises:
        FileNotFoundError: without a folder, or if it holds no such sample.
    """
    named = folder or os.environ.get("FACELAB_DATA")
    if not named:
        raise FileNotFoundError("no photographs: set FACELAB_DATA to a folder with real/AFLW2000, real/300W ...")
    found = []
    for name, place, options, jaw in _SETS:
        path = Path(named) / "real" / place
        if path.is_dir():
            faces = open_dataset(name, path, strict=False, **options)
            found += [Photograph(_boxed(faces[index]), name, jaw) for index in range(len(faces))]
    if not found:
        raise FileNotFoundError(f"{named}: expected photographs in real/AFLW2000, real/300W ...; found none")
    return found


def _boxed(sample: FaceSample) -> FaceSample:
    """With the tight box of the landmarks in place of the set's own: all faces are cut by one rule."""
    return replace(sample, box=landmark_box(sample.landmarks))


@dataclass(frozen=True)
class TransferRecipe:
    """The fixed experiment.

    Attributes:
        faces, test_faces: training and unseen synthetic faces. picture: their side in pixels. size: of the input.
        epochs, batch, learning_rate, weight_decay: of AdamW, with a warm-up and half a cosine.
        ranges: of the scenes. augmentation: of the training pictures.
    """

    faces: int = 12_288
    test_faces: int = 512
    picture: int = 80
    size: int = 64
    epochs: int = 16
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    ranges: SceneRanges = field(default_factory=lambda: SceneRanges(margin=(1.6, 1.6), shift=0.0))
    augmentation: Augmentation = field(default_factory=lambda: preset("strong"))

    def training_set(self, face: MorphableModel, seed: int, progress: bool = False) -> SyntheticFaces:
        """Rendered, or found in the cache."""
        return SyntheticFaces(self.faces, self.picture, seed, face, ranges=self.ranges, progress=progress)

    def test_set(self, face: MorphableModel) -> SyntheticFaces:
        """Faces of the same model that no training set holds."""
        return SyntheticFaces(self.test_faces, self.picture, TEST_SEED, face, ranges=self.ranges)

    def mean_shape(self, faces: SyntheticFaces) -> Tensor:
        """``(85, 2)`` mean of the upright training shapes, in half sides of the crop."""
        points = torch.cat([faces.landmarks[..., :2], faces.contours], 1)
        windows = Affine.crop(*crop_window(landmark_box(points[:, :68]), _CROP), self.size)
        return _normalised(windows.apply(points), self.size).mean(0)

    def train(self, face: MorphableModel, seed: int = 0, progress: bool = False) -> Fitted:
        """Trains from scratch on faces of this model."""
        return fit(_Lesson(self, face), seed, device="cpu", progress=progress)

    def landmarks(self, model: nn.Module, sample: FaceSample, jaw: str = "3d", mirror: bool = False) -> Tensor:
        """The 68 landmarks ``(B, 68, 2)`` of a batch of pictures of one size, in their pixels.

        Args:
            sample: as made by ``FaceSample.stack``; of the labels only the box is used.
            jaw: rule of the first 17. mirror: average with the prediction on the mirrored picture.
        """
        crop = crop_faces(sample, self.size, _CROP)
        with torch.inference_mode():
            points = model(crop.image)
            if mirror:
                flipped = model(crop.image.flip(3)) * torch.tensor([-1.0, 1.0])
                points = (points + flipped[:, _partners()]) / 2
        points = crop.affine.inverse().apply((points + 1) * self.size / 2 - 0.5)
        return points[:, :68] if jaw == "3d" else torch.cat([points[:, 68:], points[:, JAW:68]], 1)

    def error_on_synthetic(self, model: nn.Module, faces: SyntheticFaces) -> Tensor:
        """``(N,)`` NME over the box, 3D rule of the jaw."""
        errors = []
        for start in range(0, len(faces), self.batch):
            batch = FaceSample.stack([faces[i] for i in range(start, min(start + self.batch, len(faces)))])
            errors.append(nme(self.landmarks(model, batch), batch.landmarks[..., :2], "bbox"))
        return torch.cat(errors)

    def error_on_photographs(self, model: nn.Module, real: Sequence[Photograph], mirror: bool = False) -> Tensor:
        """``(N,)`` NME over the box of the landmarks that are there, by each photograph's own rule of the jaw."""
        return torch.stack([error_of(self.prediction(model, face, mirror), face.sample) for face in real])

    def prediction(self, model: nn.Module, face: Photograph, mirror: bool = False) -> Tensor:
        """``(68, 2)`` in the pixels of the photograph."""
        return self.landmarks(model, FaceSample.stack([face.sample]), face.jaw, mirror)[0]

    def error_of_mean_shape(self, faces: SyntheticFaces, real: Sequence[Photograph]) -> Tensor:
        """``(N,)``: what the upright mean shape scores that looks at nothing but the box."""
        still = LandmarkRegressor(_POINTS, self.mean_shape(faces)).eval()
        last = still.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return self.error_on_photographs(still, real)


def _normalised(points: Tensor, size: int) -> Tensor:
    """Pixels of a picture to half sides from its centre."""
    return (points + 0.5) * 2 / size - 1


def _partners() -> Tensor:
    """The mirror permutation of the 85 points."""
    return torch.cat([torch.tensor(markup("68").mirror), 68 + torch.arange(JAW).flip(0)])


@dataclass(frozen=True)
class _Lesson:
    """The recipe with a face model: what the training loop asks for."""

    recipe: TransferRecipe
    face: MorphableModel

    @property
    def training(self) -> Training:
        optimizer = Optimizer("adamw", self.recipe.learning_rate, self.recipe.weight_decay)
        return Training(self.recipe.epochs, self.recipe.batch, optimizer, WarmupCosine(0.15, 0.001))

    def model(self, seed: int) -> nn.Module:
        faces = self.recipe.training_set(self.face, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return LandmarkRegressor(_POINTS, self.recipe.mean_shape(faces))

    def samples(self, seed: int, device: torch.device, progress: bool) -> OutlinedFaces:
        return OutlinedFaces(self.recipe.training_set(self.face, seed, progress))

    def collate(self, samples: list[tuple[FaceSample, Tensor]]) -> Outlined:
        return Outlined.stack(samples)

    def prepare(self, samples: Outlined, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops, and both jaws and the other landmarks in them."""
        crop, slid = crop_outlined(samples, self.recipe.size, _CROP, self.recipe.augmentation, generator)
        points = torch.cat([crop.landmarks[..., :2], slid[:, :JAW]], 1)
        return crop.image, _normalised(points, self.recipe.size)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, target = batch
        return (network(images) - target).abs().mean()

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        return {}
