"""What can be measured of a photograph and of what several methods found in it, without knowing the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.data import landmark_box
from facelab.face3d.parameters import decompose, unpack
from facelab.markups import convert
from facelab.predict.detection import check_photograph
from facelab.predict.predictor import PredictedFace

SHARED = "66"  # the landmarks that all methods find
_SIDE = 64  # pixels of the longer side of the box where sharpness is measured, about what the networks see
_LUMA = (0.299, 0.587, 0.114)
_WHITE = 0.98  # at least so bright is overexposed


@dataclass(frozen=True)
class Signals:
    """Measurements of one face; None where no method tells.

    Attributes:
        side: longer side of the box, in pixels of the photograph.
        sharpness: variance of the Laplacian of the grey face, 64 pixels large, over the variance of the grey.
        brightness: mean grey in the box, from 0 to 1. white: share of its pixels that are overexposed.
        inside: share of the area of the box that lies in the photograph.
        yaw: absolute angle in degrees, the mean of the methods that find one.
        peak: mean height of the peaks of FAN's heatmaps.
        disagreement: mean over the methods of their :func:`facelab.predict.distances` from the median of the others.
    """

    side: float
    sharpness: float
    brightness: float
    white: float
    inside: float
    yaw: float | None
    peak: float | None
    disagreement: float | None


def measure(faces: Mapping[str, PredictedFace], image: Tensor) -> Signals:
    """Signals of one face, as several methods found it in one box.

    Args:
        faces: by method. image: the photograph ``(3, H, W)`` RGB in [0, 1].
    Raises:
        ValueError: without a face, on boxes that differ or an image of wrong shape.
    """
    check_photograph(image)
    box = _common_box(faces)
    grey, inside = _grey_face(image, box)
    found = list(faces.values())
    yaws = [_yaw(face.parameters) for face in found if face.parameters is not None]
    peaks = [face.peak for face in found if face.peak is not None]
    apart = distances(faces)
    return Signals(
        side=float((box[2:] - box[:2]).max()),
        sharpness=_sharpness(grey),
        brightness=float(grey.mean()),
        white=float((grey >= _WHITE).float().mean()),
        inside=inside,
        yaw=sum(yaws) / len(yaws) if yaws else None,
        peak=min(peaks) if peaks else None,
        disagreement=sum(apart.values()) / len(apart) if len(apart) > 1 else None,
    )


def median_landmarks(faces: Mapping[str, PredictedFace] | Sequence[PredictedFace]) -> Tensor:
    """``(66, 2)`` pixels: of each landmark that all methods find, the median of x and that of y over the methods."""
    found = faces.values() if isinstance(faces, Mapping) else faces
    points = torch.stack([convert(face.landmarks[:, :2], face.markup, SHARED) for face in found])
    return points.quantile(0.5, dim=0)  # of an even number the mean of the middle two


def distances(faces: Mapping[str, PredictedFace]) -> dict[str, float]:
    """How far each method is from the median of the others: mean distance over the root of the area of its box.

    Of one method alone it is 0.
    """
    apart = {}
    for name, face in faces.items():
        others = [other for key, other in faces.items() if key != name] or [face]
        middle = median_landmarks(others)
        own = convert(face.landmarks[:, :2], face.markup, SHARED)
        x0, y0, x1, y1 = landmark_box(middle).tolist()
        apart[name] = float((own - middle).norm(dim=1).mean()) / ((x1 - x0) * (y1 - y0)) ** 0.5
    return apart


def _common_box(faces: Mapping[str, PredictedFace]) -> Tensor:
    boxes = [face.box for face in faces.values()]
    if not boxes:
        raise ValueError("faces: expected those of at least one method, got none")
    if any(not torch.equal(box, boxes[0]) for box in boxes):
        raise ValueError(f"faces: expected one box for all methods, got {[box.tolist() for box in boxes]}")
    return boxes[0]


def _grey_face(image: Tensor, box: Tensor) -> tuple[Tensor, float]:
    """What of the box lies in the photograph, in grey ``(h, w)``, and how much of the area that is."""
    height, width = image.shape[1:]
    x0, y0, x1, y1 = box.tolist()
    left, right = (min(max(round(x), 0), width - 1) for x in (x0, x1))
    top, bottom = (min(max(round(y), 0), height - 1) for y in (y0, y1))
    within = max(0.0, min(x1, width - 1) - max(x0, 0)) * max(0.0, min(y1, height - 1) - max(y0, 0))
    luma = torch.tensor(_LUMA).to(image)[:, None, None]
    grey = (image[:, top : bottom + 1, left : right + 1] * luma).sum(0)
    return grey, within / ((x1 - x0) * (y1 - y0))


def _sharpness(grey: Tensor) -> float:
    scale = _SIDE / max(grey.shape)
    size = [max(3, round(scale * side)) for side in grey.shape]
    small = F.interpolate(grey[None, None], size, mode="bilinear", antialias=True, align_corners=False)
    kernel = small.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return float(F.conv2d(small, kernel).var() / small.var().clamp_min(1e-6))


def _yaw(parameters: Tensor) -> float:
    angles = decompose(unpack(parameters[None]).camera).angles
    return abs(float(angles[0, 1].rad2deg()))
