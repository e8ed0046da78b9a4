"""The rasteriser in PyTorch, for graphics cards: no loop over faces or triangles.

Every pixel centre in the bounding box of a triangle is a candidate. All candidates are tested at once, with the
arithmetic of :mod:`facelab.geometry.rasterizer_cpu` operation by operation, and meet in one maximum per pixel over the
key (depth, first listed). Both rasterisers therefore give the same picture, bit for bit.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

# What one round may hold, so that memory stays bounded whatever the batch. A round needs about 200 bytes a candidate.
_TRIANGLES = 2**22
_PIXELS = 2**22
_CANDIDATES = 2**22

_LAST = 2**31 - 1  # minus the number of a triangle: larger for the one listed first
_LOW_HALF = 2**32 - 1
_NOTHING = -(2**63)


class _Boxes(NamedTuple):
    """The pixels that the triangles of a round may cover; N = faces x triangles."""

    corners: tuple[Tensor, Tensor, Tensor]  # each (3, N) float32: x, y, z
    low: Tensor  # (2, N) float32: left and top pixel
    wide: Tensor  # (N,) int32
    pixels: Tensor  # (N,) int32: how many are in the box
    end: Tensor  # (N,) int64: cumulative sum of pixels


def draw_batch(vertices: Tensor, triangles: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle (B, H, W), barycentric (B, H, W, 3) and depth (B, H, W) of vertices (B, V, 3) float32.

    Raises:
        ValueError: on a corner index out of range, or coordinates that are not finite.
    """
    batch, places = vertices.shape[:2]
    triangle = vertices.new_full((batch, height, width), -1, dtype=torch.int64)
    weights = vertices.new_zeros(batch, height, width, 3)
    depth = vertices.new_full((batch, height, width), -torch.inf)
    if not len(triangles):
        return triangle, weights, depth
    sound = ((triangles >= 0) & (triangles < places)).all()
    corners = triangles.long().clamp(0, places - 1).T.contiguous()  # a wrong index must not reach a gather on CUDA
    step = max(1, min(_TRIANGLES // len(triangles), _PIXELS // (height * width)))
    for first in range(0, batch, step):
        part = slice(first, first + step)
        boxes = _boxes(vertices[part], corners, height, width)
        total, finite, listed = torch.stack([boxes.end[-1], vertices[part].isfinite().all(), sound]).tolist()
        if not listed:
            raise ValueError(f"triangles: expected indices from 0 to {places - 1}")
        if not finite:
            raise ValueError("vertices: expected finite coordinates, found NaN or infinity")
        best = triangle.new_full((triangle[part].numel(),), _NOTHING)
        for begin, stop, size in _pieces(boxes.end, total):
            pixel, key = _candidates(boxes, begin, stop, size, len(triangles), height, width)
            best.scatter_reduce_(0, pixel, key, "amax")
        _decode(best.view_as(triangle[part]), boxes, len(triangles), triangle[part], weights[part], depth[part])
    return triangle, weights, depth


def _boxes(vertices: Tensor, corners: Tensor, height: int, width: int) -> _Boxes:
    points = vertices.permute(2, 0, 1).contiguous()
    a, b, c = (points[:, :, corner].flatten(1) for corner in corners)
    limit = points.new_tensor([[width - 1], [height - 1]])
    low = torch.minimum(torch.minimum(a[:2], b[:2]), c[:2]).ceil_().clamp_(min=0)
    high = torch.maximum(torch.maximum(a[:2], b[:2]), c[:2]).floor_().minimum(limit)
    wide, tall = (high - low + 1).clamp_(min=0).int()
    pixels = wide * tall
    return _Boxes((a, b, c), low, wide, pixels, pixels.cumsum(0))


def _pieces(end: Tensor, total: int) -> list[tuple[int, int, int]]:
    """Ranges of triangles, with the number of their candidates, that together hold all of them in bounded pieces."""
    if total <= _CANDIDATES:
        return [(0, len(end), total)]
    wanted = torch.arange(_CANDIDATES, total, _CANDIDATES, device=end.device)
    stops = torch.cat([torch.searchsorted(end, wanted) + 1, wanted.new_tensor([len(end)])]).unique()
    bounds = [[0, 0], *torch.stack([stops, end[stops - 1]], 1).tolist()]
    return [(begin, stop, after - before) for (begin, before), (stop, after) in pairwise(bounds)]


def _candidates(
    boxes: _Boxes, begin: int, stop: int, size: int, triangles: int, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Places in the pictures of a round, and keys, of all candidates of the triangles from ``begin`` to ``stop``."""
    numbers = torch.arange(begin, stop, device=boxes.end.device)
    owner = numbers.repeat_interleave(boxes.pixels[begin:stop], output_size=size)
    skipped = (boxes.end - boxes.pixels)[begin:stop]
    place = torch.arange(size, device=owner.device) - (skipped - skipped[0])[owner - begin]
    wide = boxes.wide[owner]
    row = place // wide
    x = boxes.low[0, owner].double() + (place - row * wide)
    y = boxes.low[1, owner].double() + row
    a, b, c = _barycentric(boxes.corners, owner, x, y)
    z, z_b, z_c = (corner[2, owner].double() for corner in boxes.corners)
    near = (z + b * (z_b - z) + c * (z_c - z)).float() + 0.0  # + 0.0 turns -0.0 into 0.0, its equal
    face = owner // triangles
    key = (_order(near.view(torch.int32)).long() << 32) + (_LAST - (owner - face * triangles))
    inside = (a >= 0) & (b >= 0) & (c >= 0)
    return face * (height * width) + (y * width + x).long(), torch.where(inside, key, _NOTHING)


def _barycentric(corners: tuple[Tensor, Tensor, Tensor], owner: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """Weights in float64 of the corners of triangles ``owner`` at pixels (x, y); NaN if a triangle has no area."""
    (ax, ay), (bx, by), (cx, cy) = ((corner[0, owner].double(), corner[1, owner].double()) for corner in corners)
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    share = torch.where(area != 0, area, torch.nan).reciprocal_()
    ax, bx, cx = ax - x, bx - x, cx - x
    ay, by, cy = ay - y, by - y, cy - y
    return [(bx * cy - cx * by) * share, (cx * ay - ax * cy) * share, (ax * by - bx * ay) * share]


def _order(bits: Tensor) -> Tensor:
    """The bits of float32 numbers as int32 of the same order, and back: the function is its own inverse."""
    return bits ^ ((bits >> 31) & _LAST)


def _decode(best: Tensor, boxes: _Boxes, triangles: int, triangle: Tensor, weights: Tensor, depth: Tensor) -> None:
    """Writes the winners of a round (n, H, W) into its part of the buffers."""
    faces, height, width = best.shape
    seen = best != _NOTHING
    index = torch.where(seen, _LAST - (best & _LOW_HALF), 0)
    owner = index + triangles * torch.arange(faces, device=best.device)[:, None, None]
    x = torch.arange(width, device=best.device)
    y = torch.arange(height, device=best.device)[:, None]
    triangle.copy_(torch.where(seen, index, -1))
    for corner, weight in enumerate(_barycentric(boxes.corners, owner, x, y)):
        weights[..., corner] = torch.where(seen, weight, 0)
    depth.copy_(torch.where(seen, _order((best >> 32).int()).view(torch.float32), -torch.inf))


def blend(triangle: Tensor, weights: Tensor, triangles: Tensor, attributes: Tensor, background: Tensor) -> Tensor:
    """The attributes (B, V, C) of what is seen over a background (B, H, W, C); differentiable in both."""
    seen = triangle >= 0
    corners = triangles.long()[triangle.clamp(min=0)]  # (B, H, W, 3)
    faces = torch.arange(len(attributes), device=attributes.device)[:, None, None]
    a, b, c = (weights[..., k, None] * attributes[faces, corners[..., k]] for k in range(3))
    return torch.where(seen[..., None], a + b + c, background)
