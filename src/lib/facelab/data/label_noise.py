"""Labels as an annotator of limited accuracy leaves them."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data.sample import FaceSample


def shaken_landmarks(landmarks: Tensor, box: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Landmarks with independent normal noise in x and y.

    Args:
        landmarks: ``(B, L, 2 or 3)`` pixels. box: ``(B, 4)``. deviation: of each coordinate, as a share of the root of
            the area of the box. generator: on the CPU.
    Returns:
        The same shape; z, if there is one, is as it was.
    Raises:
        ValueError: on a negative deviation.
    """
    if deviation < 0:
        raise ValueError(f"deviation: expected a share of the box, not negative, got {deviation}")
    side = (box[:, 2:] - box[:, :2]).prod(1).sqrt()
    noise = torch.randn(*landmarks.shape[:2], 2, generator=generator).to(landmarks)
    shaken = landmarks.clone()
    shaken[..., :2] += deviation * side[:, None, None] * noise
    return shaken


class ShakenLabels(Dataset[FaceSample]):
    """A set of faces with noise in the labels: the same noise each time a face is taken, as in a file of labels.

    Box, visibility, pose and parameters are those of the true face. The mean distance of a label from the truth is
    ``deviation * sqrt(pi / 2)`` of the box, which is the NME of the labels.

    Args:
        faces: indexed samples. deviation: as of :func:`shaken_landmarks`. seed: of the noise.
    """

    def __init__(self, faces: Dataset[FaceSample], deviation: float, seed: int = 0) -> None:
        self.faces, self.deviation, self.seed = faces, deviation, seed

    def __len__(self) -> int:
        return len(self.faces)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> FaceSample:
        sample = self.faces[index]
        place = torch.Generator().manual_seed(self.seed * 1_000_003 + index % len(self))
        shaken = shaken_landmarks(sample.landmarks[None], sample.box[None], self.deviation, place)[0]
        return replace(sample, landmarks=shaken)
