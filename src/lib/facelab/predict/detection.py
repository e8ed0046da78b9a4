"""Where the faces of a photograph are."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

# The landmark box in units of a square of the Haar cascade: it has no forehead, and a little more chin.
_HAAR_TO_LANDMARKS = (0.10, 0.24, 0.90, 1.02)
# Larger photographs are shrunk for the detector: it finds as many faces as before, fewer things that are none, sooner.
_LONGEST = 1024  # pixels of the longer side
_SMALLEST = 24  # pixels of a face then
_SAME_FACE = 0.5  # shared part of the smaller of two squares above which both show one face


@cache
def _cascade() -> cv2.CascadeClassifier:
    path = str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml")
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        raise FileNotFoundError(f"{path}: no Haar cascade there; expected opencv-python-headless below 5")
    return cascade


def detect_faces(image: Tensor) -> Tensor:
    """Nearly frontal faces by the Haar cascade that OpenCV ships (Viola and Jones 2001), each once.

    It misses most faces that are turned far away or smaller than a fortieth of the photograph's longer side, and now
    and then it takes something else for a face.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1].
    Returns:
        ``(N, 4)`` squares x0, y0, x1, y1 in pixels, the largest first; N may be 0.
    Raises:
        ValueError: on a wrong shape or dtype.
    """
    check_photograph(image)
    grey = cv2.cvtColor((image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8), cv2.COLOR_RGB2GRAY)
    shrink = max(1.0, max(grey.shape) / _LONGEST)
    if shrink > 1:
        grey = cv2.resize(grey, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    found = _cascade().detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(_SMALLEST, _SMALLEST))
    squares = torch.as_tensor(np.asarray(found, np.float32).reshape(-1, 4)) * shrink
    return without_doubles(torch.cat([squares[:, :2], squares[:, :2] + squares[:, 2:]], 1))


def without_doubles(boxes: Tensor) -> Tensor:
    """Boxes ``(N, 4)``, the largest first, less those of which a larger one that stays covers more than half."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    kept: list[int] = []
    for index in areas.argsort(descending=True, stable=True).tolist():
        low = torch.maximum(boxes[kept, :2], boxes[index, :2])
        high = torch.minimum(boxes[kept, 2:], boxes[index, 2:])
        shared = (high - low).clamp_min(0).prod(1)
        if not bool((shared > _SAME_FACE * areas[index]).any()):
            kept.append(index)
    return boxes[kept]


def landmark_box_of_detection(square: Tensor) -> Tensor:
    """The box ``(4,)`` in which the landmarks of a frontal face lie, from a square ``(4,)`` of :func:`detect_faces`."""
    x0, y0, x1, _ = square.unbind()
    side = x1 - x0
    left, top, right, bottom = _HAAR_TO_LANDMARKS
    return torch.stack([x0 + left * side, y0 + top * side, x0 + right * side, y0 + bottom * side])


def check_photograph(image: Tensor) -> None:
    """Raises ValueError unless the image is floating-point ``(3, H, W)``."""
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ValueError(f"image: expected floating-point (3, H, W) in [0, 1], got {image.dtype} {tuple(image.shape)}")
