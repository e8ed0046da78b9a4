"""What occluders are drawn with: a view of some faces in face units, and shapes given by their signed distance.

Distances are negative inside, in *face units*: half of the longer side of a face, about 7 cm. Points are
``(x right, y down)``.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from facelab.data.sample import landmark_box

NUMBERS = 48  # random numbers kept for one face; the hungriest occluder, the hand, takes fewer
_FACE_SHARE = 0.72  # of the picture that a face takes when there are no landmarks to tell
_DIRECTIONS = 24  # half planes that make up a convex hull
# Mouth and nose, chin, cheeks, eyes, forehead of an upright face: where a hand or a thing may be held.
_SPOTS = torch.tensor([(0.0, 0.45), (0.0, 0.85), (0.65, 0.3), (-0.65, 0.3), (0.42, -0.45), (-0.42, -0.45), (0.0, -0.9)])


@dataclass(frozen=True)
class Layer:
    """What is painted: ``alpha`` and ``shadow`` ``(b, H, W)`` in [0, 1], ``colour`` ``(b, 3, H, W)``."""

    alpha: Tensor
    colour: Tensor
    shadow: Tensor


class View:
    """The faces that get one kind of occluder: their pictures, a grid in face units, and their random numbers.

    Attributes:
        picture: ``(b, 3, H, W)``. grid: ``(b, 2, H, W)`` face units, x right, y down, from the middle of the face.
        pixel: ``(b, 1, 1)`` face units a pixel. landmarks: ``(b, L, 2)`` face units, or None.
    """

    def __init__(
        self, picture: Tensor, centre: Tensor, unit: Tensor, landmarks: Tensor | None, numbers: Tensor, seed: int
    ) -> None:
        height, width = picture.shape[2:]
        ys, xs = (torch.arange(n, device=picture.device, dtype=picture.dtype) for n in (height, width))
        pixels = torch.stack(torch.meshgrid(xs, ys, indexing="xy"))
        self.picture, self.pixel, self.seed = picture, 1 / unit[:, None, None], seed
        self.grid = (pixels - centre[:, :, None, None]) / unit[:, None, None, None]
        self.landmarks = None if landmarks is None else (landmarks - centre[:, None]) / unit[:, None, None]
        self.markup = ""
        self._columns = iter(numbers.unbind(1))

    @staticmethod
    def of(picture: Tensor, landmarks: Tensor | None, numbers: Tensor, seed: int, markup: str) -> "View":
        height, width = picture.shape[2:]
        centre = picture.new_tensor([(width - 1) / 2, (height - 1) / 2]).expand(len(picture), -1)
        unit = picture.new_full((len(picture),), _FACE_SHARE * min(height, width) / 2)
        if landmarks is not None:
            box = landmark_box(landmarks.to(picture.dtype))
            half = (box[:, 2:] - box[:, :2]).amax(1) / 2
            known = half.isfinite() & (half > 1)
            centre = torch.where(known[:, None], (box[:, :2] + box[:, 2:]) / 2, centre)
            unit = torch.where(known, half, unit)
        view = View(picture, centre, unit, landmarks, numbers, seed)
        view.markup = markup
        return view

    def uniform(self, low: float, high: float) -> Tensor:
        """``(b,)``: the next random number of each face."""
        return low + (high - low) * next(self._columns)

    def along(self, colours: Tensor) -> Tensor:
        """``(b, 3)``: somewhere on a line of colours, a little lighter or darker."""
        place = self.uniform(0, len(colours) - 1)
        index = place.long()
        pair = colours.to(self.picture)[torch.stack([index, (index + 1).clamp_max(len(colours) - 1)])]
        return torch.lerp(pair[0], pair[1], (place - index)[:, None]) * self.uniform(0.85, 1.15)[:, None]

    def one_of(self, rows: Tensor) -> Tensor:
        """``(b, ...)``: one of the rows for each face."""
        return rows.to(self.picture)[self.uniform(0, len(rows)).long().clamp_max(len(rows) - 1)]

    def any_colour(self) -> Tensor:
        """``(b, 3)``: any colour, more often dark or greyish than bright."""
        grey = self.uniform(0.02, 0.9)[:, None]
        tint = torch.stack([self.uniform(-1, 1) for _ in range(3)], 1)
        return (grey + 0.5 * tint * self.uniform(0, 1)[:, None] ** 2).clamp(0.02, 1)

    def near_a_spot(self) -> Tensor:
        """``(b, 2)``: mouth, chin, cheek, eye or forehead, a little off."""
        return self.one_of(_SPOTS) + torch.stack([self.uniform(-0.2, 0.2), self.uniform(-0.2, 0.2)], 1)

    def local(self, origin: Tensor, angle: Tensor, scale: Tensor | None = None) -> Tensor:
        """``(b, 2, H, W)``: the grid seen from ``origin`` ``(b, 2)``, turned by ``angle`` ``(b,)`` radians.

        The local y axis points along ``(-sin, cos)`` of the angle: straight down at 0.
        """
        x, y = (self.grid - origin[:, :, None, None]).unbind(1)
        cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
        turned = torch.stack([x * cos + y * sin, y * cos - x * sin], 1)
        return turned if scale is None else turned / scale[:, None, None, None]

    def light(self) -> Tensor:
        """``(b, 3)`` unit vector to the lamp: above, on either side, in front."""
        across, up = self.uniform(-0.8, 0.8), self.uniform(0.1, 0.9)
        return torch.nn.functional.normalize(torch.stack([across, -up, torch.full_like(up, 0.9)], 1), dim=1)

    def solid(self, distance: Tensor, colour: Tensor) -> Layer:
        """A thing with an edge one to two pixels wide and a soft shadow around it."""
        alpha = (0.5 - distance / (1.5 * self.pixel)).clamp(0, 1)
        return Layer(alpha, colour, 0.35 * (1 - distance / 0.3).clamp(0, 1) ** 2)


def flat(colour: Tensor, shade: Tensor | float = 1.0) -> Tensor:
    """``(b, 3)`` times ``(b, H, W)`` or a number: ``(b, 3, H, W)``."""
    factor = shade[:, None] if isinstance(shade, Tensor) else shade
    return colour[:, :, None, None] * factor


def mix(colour: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """From ``colour`` to ``other``, both ``(b, 3, H, W)`` or ``(b, 3, 1, 1)``, by ``share`` ``(b, H, W)``."""
    return torch.lerp(colour, other.expand_as(colour), share[:, None])


def capsule(grid: Tensor, ends: Tensor, radii: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A tapered capsule seen on a grid ``(b, 2, H, W)``.

    Args:
        ends: ``(b, 2, 2)`` both end points. radii: ``(b, 2)`` at them.
    Returns:
        Signed distance ``(b, H, W)``, place along the axis in [0, 1], and the offset from the axis ``(b, 2, H, W)``
        in radii.
    """
    axis = ends[:, 1] - ends[:, 0]
    rest = grid - ends[:, 0, :, None, None]
    share = (axis / axis.square().sum(1, keepdim=True).clamp_min(1e-6))[..., None, None]
    along = (rest * share).sum(1).clamp_(0, 1)
    offset = rest.addcmul_(along[:, None], axis[..., None, None], value=-1)
    radius = torch.lerp(radii[:, :1, None], radii[:, 1:, None], along)
    return torch.hypot(*offset.unbind(1)).sub_(radius), along, offset.div_(radius[:, None])


def lit(light: Tensor, across: Tensor, ambient: float = 0.45) -> Tensor:
    """Brightness ``(b, ..., H, W)`` of a round surface whose normal has the part ``across`` ``(b, ..., 2, H, W)``."""
    shape = (len(light),) + (1,) * (across.ndim - 2)
    x, y = across.unbind(-3)
    depth = (1 - x * x - y * y).clamp_min(0).sqrt()
    lamp = [part.reshape(shape) for part in light.unbind(1)]
    return ambient + (1.15 - ambient) * (x * lamp[0] + y * lamp[1] + depth * lamp[2]).clamp_min(0)


def rounded_box(grid: Tensor, half: Tensor, corner: float) -> Tensor:
    """Signed distance ``(b, H, W)`` to a box with half sides ``(b, 2)`` and round corners."""
    beyond = grid.abs() - half[:, :, None, None] + corner
    return beyond.clamp_min(0).square().sum(1).sqrt() + beyond.amax(1).clamp_max(0) - corner


def hull(grid: Tensor, points: Tensor) -> Tensor:
    """Signed distance ``(b, H, W)`` to the convex hull of ``points`` ``(b, N, 2)``; missing points (NaN) do not count.

    The hull is that of its half planes in a fixed number of directions, so its corners are a little blunt.
    """
    x, y = grid.unbind(1)
    distance = torch.full_like(x, -torch.inf)
    for step in range(_DIRECTIONS):
        angle = 2 * math.pi * step / _DIRECTIONS
        normal = points.new_tensor([math.cos(angle), math.sin(angle)])
        reach = (points @ normal).nan_to_num(-torch.inf).amax(1)[:, None, None]
        distance = torch.maximum(distance, x * math.cos(angle) + y * math.sin(angle) - reach)
    return distance
