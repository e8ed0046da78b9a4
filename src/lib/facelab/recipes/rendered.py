"""What recipes on rendered faces have in common: their faces, their batches, and how they are trained."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from facelab.data import Augmentation, FaceSample, LiveFaces, SceneRanges, SyntheticFaces
from facelab.markups import markup
from facelab.metrics import nme
from facelab.training import Fitted, Training, fit

TEST_SEED = 10_000  # test faces never share a seed with training faces
# A part of FAN's augmentation: with all of it small networks learn too slowly in a short training.
MILD = Augmentation(rotation=15, scale=(0.9, 1.1), shift=0.03, mirror=0.5, gain=(0.8, 1.2))


class Trains:
    """A recipe that is trained in one go."""

    @property
    def trainings(self) -> dict[str, Training]:
        """The one there is, without a name."""
        recipe: Any = self
        return {"": recipe.training}

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """Trains from scratch, or goes on: :func:`facelab.training.fit` with this recipe.

        Returns:
            The network in evaluation mode and the history; its entries hold what the recipe measures of the test faces.
        """
        recipe: Any = self  # what else fit asks for is the recipe's own
        return fit(recipe, seed, str(device), output, progress, notes)


class RenderedFaces:
    """The faces of a recipe, told by its fields.

    Attributes:
        faces: training faces. test_faces: unseen ones. picture: side of the pictures in pixels.
        margin: side of the picture over that of the box of the face, a range.
        jaw: rule of the labels. yaw: of the training faces, degrees; test faces have all poses.
    """

    faces: int
    test_faces: int
    picture: int
    margin: tuple[float, float]
    jaw: str = "3d"
    yaw: tuple[float, float] = (-90.0, 90.0)

    def training_set(self, seed: int = 0, progress: bool = False) -> SyntheticFaces:
        """Rendered, or found in the cache: clean pictures, what spoils photographs is the augmentation's part."""
        return SyntheticFaces(
            self.faces, self.picture, seed, jaw=self.jaw, yaw=self.yaw, ranges=self._ranges(), camera=None,
            progress=progress,
        )  # fmt: skip

    def test_set(self, progress: bool = False, seed: int = TEST_SEED) -> SyntheticFaces:
        """Faces that no training set of this recipe holds; the same for every seed of a training."""
        return SyntheticFaces(
            self.test_faces, self.picture, seed, jaw=self.jaw, ranges=self._ranges(), camera=None,
            progress=progress,
        )  # fmt: skip

    def live(self, device: torch.device) -> LiveFaces:
        """New training faces for each batch."""
        ranges = replace(self._ranges(), yaw=self.yaw)
        return LiveFaces(self.faces, self.picture, jaw=self.jaw, ranges=ranges, camera=None, device=device)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        """The training set; on a CUDA device new faces for each batch, drawn there."""
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        return self.live(device) if device.type == "cuda" else self.training_set(seed, progress)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """The NME of a part of the test faces, as ``evaluate`` of the recipe has it."""
        recipe: Any = self
        faces = self.test_set()
        return {"nme": recipe.evaluate(network, Subset(faces, range(len(faces))[part]))[1]}

    def collate(self, samples: list[FaceSample]) -> FaceSample:
        """A batch of samples."""
        return FaceSample.stack(samples)

    def _ranges(self) -> SceneRanges:
        return SceneRanges(margin=self.margin)


def over(faces: Dataset[FaceSample], predict: Callable[[FaceSample], Tensor], batch: int = 16) -> Tensor:
    """What ``predict`` says of each batch of a set, one after the other."""
    with torch.inference_mode():
        return torch.cat([predict(each) for each in DataLoader(faces, batch, collate_fn=FaceSample.stack)])


def mean_with_mirrored(find: Callable[[FaceSample], Tensor], batch: FaceSample, scheme: str) -> Tensor:
    """The mean ``(B, L, D)`` of what is found in pictures and, mirrored back, in their mirror images.

    Args:
        find: from a batch to landmarks ``(B, L, D)`` of the mark-up ``scheme`` in its pictures' pixels.
    """
    side = batch.image.shape[3] - 1.0
    x0, y0, x1, y1 = batch.box.unbind(1)
    turned = replace(batch, image=batch.image.flip(3), box=torch.stack([side - x1, y0, side - x0, y1], 1))
    back = find(turned)[:, list(markup(scheme).mirror)]
    back[..., 0] = side - back[..., 0]
    return (find(batch) + back) / 2


def landmarks_over(
    faces: Dataset[FaceSample], predict: Callable[[FaceSample], Tensor], batch: int
) -> tuple[Tensor, Tensor]:
    """Landmarks ``(N, L, D)`` of a whole set in its pictures' pixels, and the error ``(N,)`` of each face.

    The error is the 2D NME with the root of the box area as normaliser (``"bbox"``), a fraction.

    Args:
        predict: from a batch of ``batch`` faces to their landmarks ``(B, L, D)`` with D of 2 or 3.
    """
    both = over(faces, lambda each: torch.cat([predict(each), each.landmarks[..., :2]], 2), batch)
    points, target = both[..., :-2], both[..., -2:]
    return points, nme(points[..., :2], target, "bbox")
