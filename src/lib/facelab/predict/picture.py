"""A photograph with the landmarks that were found in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from facelab.data import landmark_box
from facelab.geometry import rotation_matrix
from facelab.predict.predictor import PredictedFace
from facelab.viz import BASELINE, ON_SKIN, draw_landmarks, show_image, style

_VIEWS = (0, 45, 90)  # degrees by which the viewer walks to the right around the face
_SMALLEST, _LARGEST = 160, 400  # side of a view in pixels
_MARGIN = 1.15  # half the side of a view in radii of the face
_DOT = 0.02  # diameter of a landmark as a share of the face


def draw_faces(image: Tensor, faces: Sequence[PredictedFace]) -> Figure:
    """The photograph with the landmarks of all faces, to be saved with ``dpi="figure"``: a pixel stays a pixel.

    The photograph lies at the upper left, at its own size. Where depths are known, a strip for each face follows
    below: its points from the camera, from 45 degrees to the right of it, and from the side. Several faces have their
    numbers.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1].
    """
    height, width = image.shape[1:]
    solid = [number for number, face in enumerate(faces) if face.landmarks.shape[1] == 3]
    columns = max(1, min(len(solid), width // (len(_VIEWS) * _SMALLEST)))
    side = min(_LARGEST, max(_SMALLEST, width // (len(_VIEWS) * columns)))
    sheet = _Sheet(
        max(width, columns * len(_VIEWS) * side) if solid else width,
        height + math.ceil(len(solid) / columns) * side,
        dpi=100 * max(1.0, max(height, width) / 1000),  # lines grow with the photograph
    )
    figure = sheet.figure()
    with style():
        ax = sheet.axes(figure, 0, 0, width, height)
        show_image(ax, image)
        for number, face in enumerate(faces):
            _draw_on_photograph(ax, face, sheet, str(number) if len(faces) > 1 else "")
        for place, number in enumerate(solid):
            row, column = divmod(place, columns)
            for view, angle in enumerate(_VIEWS):
                left = (column * len(_VIEWS) + view) * side
                ax = sheet.axes(figure, left, height + row * side, side, side)
                _draw_view(ax, faces[number], angle, sheet.points(side))
                named = f"face {number}, " if len(faces) > 1 else ""
                ax.set_title(f"{named}{angle}°", y=0.02, fontsize=sheet.points(side / 14), color="black")
    return figure


@dataclass(frozen=True)
class _Sheet:
    """A figure on which places are counted in whole pixels from the upper left."""

    width: int
    height: int
    dpi: float

    def figure(self) -> Figure:
        # A hundredth of a pixel more: matplotlib cuts off what is no whole pixel.
        return Figure(((self.width + 0.01) / self.dpi, (self.height + 0.01) / self.dpi), self.dpi, facecolor="white")

    def axes(self, figure: Figure, left: int, top: int, width: int, height: int) -> Axes:
        bottom = self.height - top - height
        return figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def points(self, pixels: float) -> float:
        """The typographic points of so many pixels."""
        return pixels * 72 / self.dpi


def _draw_on_photograph(ax: Axes, face: PredictedFace, sheet: _Sheet, label: str) -> None:
    x0, y0, x1, y1 = landmark_box(face.landmarks).tolist()
    size = sheet.points(max(x1 - x0, y1 - y0))
    draw_landmarks(ax, face.landmarks, ON_SKIN, face.markup, size=max(1.0, _DOT * size))
    if label:
        shade = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.5}
        ax.text(x0, y0, label, color="white", fontsize=max(6.0, size / 10), ha="right", va="bottom", bbox=shade)


def _draw_view(ax: Axes, face: PredictedFace, angle: float, size: float) -> None:
    """The points from ``angle`` degrees to the right of the camera; all angles of a face to one scale."""
    centred = (face.landmarks - face.landmarks.mean(0)) * face.landmarks.new_tensor([1.0, -1.0, 1.0])
    turned = centred @ rotation_matrix(0.0, math.radians(angle), 0.0).to(centred).T
    reach = _MARGIN * max(float(centred.norm(dim=1).max()), torch.finfo(centred.dtype).tiny)
    shown = turned * turned.new_tensor([1.0, -1.0, 1.0])
    draw_landmarks(ax, shown, BASELINE, face.markup, size=max(1.0, _DOT * size))
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach))
    ax.axis("off")
