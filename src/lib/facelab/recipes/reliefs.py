"""Surfaces of any make, drawn alike, so that their roughness can be compared."""

import torch
from torch import Tensor

from facelab.geometry import rasterize
from facelab.metrics import high_frequency_energy

SIDE = 160  # pixels of the picture; a face's longer side takes nine tenths


def relief(points: Tensor, triangles: Tensor, side: int = SIDE) -> tuple[Tensor, Tensor]:
    """The depth of faces as the camera sees them, all of one size.

    Args:
        points: ``(B, V, 3)`` pixels of any picture, z larger is nearer. triangles: ``(F, 3)``. side: of the picture.
    Returns:
        Depth ``(B, 1, side, side)`` in pixels, and which pixels ``(B, 1, side, side)`` have one.
    """
    low, high = points[..., :2].amin(1), points[..., :2].amax(1)
    zoom = 0.9 * side / (high - low).amax(1)[:, None, None]
    middle = torch.cat([(low + high) / 2, points[..., 2].mean(1, keepdim=True)], 1)[:, None]
    placed = (points - middle) * zoom + points.new_tensor([(side - 1) / 2, (side - 1) / 2, 0.0])
    seen = rasterize(placed, triangles, side, side)
    return seen.depth[:, None], (seen.triangle >= 0)[:, None]


def roughness(points: Tensor, triangles: Tensor) -> Tensor:
    """The high-frequency energy ``(B,)`` of faces, drawn by :func:`relief`: a share of the face's size.

    NaN without a triangle, and for a heap of splinters, of which no pixel lies on a surface.
    """
    if not len(triangles):
        return points.new_full((len(points),), torch.nan, dtype=torch.float64)
    found = []
    for depth, mask in zip(*relief(points, triangles), strict=True):
        try:
            found.append(high_frequency_energy(depth[None], mask[None])[0])
        except ValueError:  # no pixel counts
            found.append(depth.new_full((), torch.nan, dtype=torch.float64))
    return torch.stack(found)
