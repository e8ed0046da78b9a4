"""From a photograph to landmarks."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from facelab.data import FaceSample
from facelab.markups import markup
from facelab.recipes.fan import FanRecipe

# The landmark box in units of a square of the Haar cascade: it has no forehead, and a little more chin.
_HAAR_TO_LANDMARKS = (0.10, 0.24, 0.90, 1.02)


@cache
def _cascade() -> cv2.CascadeClassifier:
    path = str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml")
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        raise FileNotFoundError(f"{path}: no Haar cascade there; expected opencv-python-headless below 5")
    return cascade


def detect_faces(image: Tensor) -> Tensor:
    """Frontal faces by the Haar cascade that OpenCV ships (Viola and Jones 2001).

    Args:
        image: ``(3, H, W)`` RGB in [0, 1].
    Returns:
        ``(N, 4)`` squares x0, y0, x1, y1 in pixels, the largest first; N may be 0.
    """
    _check_photograph(image)
    grey = cv2.cvtColor((image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8), cv2.COLOR_RGB2GRAY)
    found = _cascade().detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
    squares = torch.as_tensor(np.asarray(found, np.float32).reshape(-1, 4))
    squares = squares[squares[:, 2].argsort(descending=True)]
    return torch.cat([squares[:, :2], squares[:, :2] + squares[:, 2:]], 1)


def landmark_box_of_detection(square: Tensor) -> Tensor:
    """The box ``(4,)`` in which the landmarks of a frontal face lie, from a square ``(4,)`` of :func:`detect_faces`."""
    x0, y0, x1, _ = square.unbind()
    side = x1 - x0
    left, top, right, bottom = _HAAR_TO_LANDMARKS
    return torch.stack([x0 + left * side, y0 + top * side, x0 + right * side, y0 + bottom * side])


def photograph(image: Tensor, box: Tensor, name: str = "photograph") -> FaceSample:
    """A batch of one: a photograph without labels (landmarks and pose are NaN) and the box of its face.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1]. box: ``(4,)`` x0, y0, x1, y1 around where the landmarks will be.
    Raises:
        ValueError: on a wrong shape or dtype.
    """
    _check_photograph(image)
    if box.shape != (4,):
        raise ValueError(f"box: expected (4,) x0, y0, x1, y1, got {tuple(box.shape)}")
    points = markup("68").points
    sample = FaceSample(
        image=image,
        landmarks=torch.full((points, 2), torch.nan),
        visible=torch.ones(points, dtype=torch.bool),
        box=box.float(),
        pose=torch.full((3,), torch.nan),
        parameters=torch.full((62,), torch.nan),
        name=name,
        markup="68",
    )
    return FaceSample.stack([sample])


def landmarks_of_photograph(recipe: FanRecipe, model: nn.Module, image: Tensor, box: Tensor) -> Tensor:
    """Landmarks ``(68, 2)`` in the photograph's pixels, heatmaps of the picture and of its mirror image added."""
    model.eval()
    with torch.inference_mode():
        return recipe.landmarks(model, photograph(image, box), mirror=True)[0]


def _check_photograph(image: Tensor) -> None:
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ValueError(f"image: expected floating-point (3, H, W) in [0, 1], got {image.dtype} {tuple(image.shape)}")
