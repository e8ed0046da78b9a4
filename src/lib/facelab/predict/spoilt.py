"""Rendered photographs, each spoilt in one way by a known strength: on these it is measured what a warning is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.data import SceneRanges, SyntheticFaces, inexact_boxes
from facelab.data.occluders import occlude
from facelab.data.photometry import adjust_gamma, gaussian_blur

UNSPOILT = "as it is"
KINDS = (UNSPOILT, "small", "blurred", "dark", "overexposed", "cut off", "covered", "box astray")
_PICTURE = 192  # pixels of the side
_RANGES = SceneRanges(margin=(1.6, 2.2), shift=0.06)
_SHIFT, _SCALE = 0.05, 0.1  # of every box: no detector is exact


@dataclass(frozen=True)
class Spoilt:
    """A rendered photograph with a box, and the truth.

    Attributes:
        image: ``(3, H, W)`` in [0, 1]. box: ``(4,)`` where a face is said to be. landmarks: ``(68, 3)``, true.
        kind: one of ``KINDS``. yaw: true, degrees.
    """

    image: Tensor
    box: Tensor
    landmarks: Tensor
    kind: str
    yaw: float


def spoilt_faces(count: int, seed: int, kinds: Sequence[str] = KINDS) -> list[Spoilt]:
    """Rendered faces in any pose, the kinds in turn, each by a strength that chance gives, from harmless to hopeless.

    ``small``: shrunk until the face has 6 to 60 pixels. ``blurred``: by a Gaussian whose deviation is up to 8 % of the
    box. ``dark``: raised to a power up to 5, then times down to 0.1. ``overexposed``: times up to 6. ``cut off``: up
    to 60 % of the box's width beyond the picture's edge. ``covered``: by something as large as a hand or a mask.
    ``box astray``: a box that is up to 80 % of its side beside the face.

    Args:
        count: of faces. seed: of the faces and of chance. kinds: some of ``KINDS``.
    Raises:
        ValueError: on an unknown kind, or a count below 1.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"kinds: expected some of {', '.join(KINDS)}; got {', '.join(unknown) or 'none'}")
    faces = SyntheticFaces(count, _PICTURE, seed, ranges=_RANGES)
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index in range(count):
        sample, kind = faces[index], kinds[index % len(kinds)]
        box = inexact_boxes(sample.box[None], generator, _SHIFT, _SCALE)[0]
        clean = Spoilt(sample.image, box, sample.landmarks, kind, float(sample.pose[1].rad2deg()))
        made.append(_spoil(clean, generator))
    return made


def _spoil(face: Spoilt, generator: torch.Generator) -> Spoilt:
    strength = float(torch.rand((), generator=generator))
    side = float((face.box[2:] - face.box[:2]).max())
    image, box, landmarks = face.image, face.box, face.landmarks
    if face.kind == "small":
        image, box, landmarks = _shrunk(face, (6 * 10**strength) / side)
    elif face.kind == "blurred":
        image = gaussian_blur(image[None], torch.tensor([0.08 * strength * side]))[0]
    elif face.kind == "dark":
        image = _in_bytes((1 - 0.9 * strength) * adjust_gamma(image[None], torch.tensor([1 + 4 * strength]))[0])
    elif face.kind == "overexposed":
        image = (image * (1 + 5 * strength)).clamp(0, 1)
    elif face.kind == "cut off":
        image, box, landmarks = _cut(face, 0.6 * strength, generator)
    elif face.kind == "covered":
        image = occlude(image[None], landmarks[None], generator, 1.0)[0][0]
    elif face.kind == "box astray":
        angle = 2 * torch.pi * torch.rand((), generator=generator)
        box = box + 0.8 * strength * side * torch.stack([angle.cos(), angle.sin()]).repeat(2)
    return Spoilt(image, box, landmarks, face.kind, face.yaw)


def _shrunk(face: Spoilt, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """A photograph with fewer pixels; centres of pixels stay centres."""
    size = [max(8, round(scale * length)) for length in face.image.shape[1:]]
    image = F.interpolate(face.image[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    scale = size[0] / face.image.shape[1]
    landmarks = scale * face.landmarks + torch.tensor([(scale - 1) / 2, (scale - 1) / 2, 0])
    return _in_bytes(image), scale * face.box + (scale - 1) / 2, landmarks


def _cut(face: Spoilt, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A photograph that ends within the box: on the left, on the right, above or below."""
    x0, y0, x1, y1 = (round(value) for value in face.box.tolist())
    height, width = face.image.shape[1:]
    wide, tall = round(share * (x1 - x0)), round(share * (y1 - y0))
    edge = int(torch.randint(4, (), generator=generator))
    left, top = max(0, x0 + wide) if edge == 0 else 0, max(0, y0 + tall) if edge == 2 else 0
    right, bottom = min(width, x1 - wide) if edge == 1 else width, min(height, y1 - tall) if edge == 3 else height
    corner = torch.tensor([left, top])
    landmarks = torch.cat([face.landmarks[:, :2] - corner, face.landmarks[:, 2:]], 1)
    return face.image[:, top:bottom, left:right], face.box - corner.repeat(2), landmarks


def _in_bytes(image: Tensor) -> Tensor:
    """Rounded as a file stores it: what is dark loses its shades."""
    return (image.clamp(0, 1) * 255).round() / 255
