"""Faces with both rules of the jaw: the points on the head, and the points on the outline that the camera sees."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data import Augmentation, Crop, FaceSample, LiveFaces, SyntheticFaces, crop_faces
from facelab.face3d.contour import JAW


@dataclass(frozen=True)
class Outlined:
    """A batch of faces whose landmarks have the 3D rule, and their jaws by the 2D rule.

    Attributes:
        faces: as made by ``FaceSample.stack``. outline: ``(B, 17, 2)`` pixels.
    """

    faces: FaceSample
    outline: Tensor

    @staticmethod
    def stack(samples: list[tuple[FaceSample, Tensor]]) -> "Outlined":
        """The ``collate_fn`` of :class:`OutlinedFaces`."""
        faces, outlines = zip(*samples, strict=True)
        return Outlined(FaceSample.stack(faces), torch.stack(outlines))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Outlined":
        """The same on another device."""
        return Outlined(self.faces.to(device, non_blocking), self.outline.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Outlined":
        """The same in memory from which a CUDA device copies directly."""
        return Outlined(self.faces.pin_memory(), self.outline.pin_memory())

    def landmarks_2d(self) -> Tensor:
        """``(B, 68, 2)`` pixels: the landmarks by the 2D rule."""
        return torch.cat([self.outline, self.faces.landmarks[:, JAW:, :2]], 1)


class OutlinedFaces(Dataset[tuple[FaceSample, Tensor]]):
    """Synthetic faces, each with its jaw by the 2D rule."""

    def __init__(self, faces: SyntheticFaces) -> None:
        self.faces, self.outlines = faces, faces.contours

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> tuple[FaceSample, Tensor]:
        return self.faces[index], self.outlines[index]


class LiveOutlined:
    """The same without a file and without end: see :class:`facelab.data.LiveFaces`."""

    def __init__(self, faces: LiveFaces) -> None:
        self.faces = faces

    def __len__(self) -> int:
        return len(self.faces)

    def draw(self, count: int, generator: torch.Generator) -> Outlined:
        """A batch of new faces on the device; the generator is on the CPU."""
        return Outlined(*self.faces.draw_with_outline(count, generator))


def crop_outlined(
    batch: Outlined, size: int, rule: str, augmentation: Augmentation | None, generator: torch.Generator | None
) -> tuple[Crop, Tensor]:
    """:func:`facelab.data.crop_faces`, and the landmarks by the 2D rule ``(B, 68, 2)`` in the pixels of the crop."""
    crop = crop_faces(batch.faces, size, rule, augmentation, generator)
    outline = crop.affine.apply(batch.outline)
    outline = torch.where(crop.mirrored[:, None, None], outline.flip(1), outline)
    return crop, torch.cat([outline, crop.landmarks[:, JAW:, :2]], 1)
