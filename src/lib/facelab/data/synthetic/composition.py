"""From a raster and lit vertices to a picture: colours between the vertices, fine strands and pores, the background.

The fine detail is a random pattern of the place on the mean face, stretched along the fall of hair or the stroke of
a brow: it moves with the skin, has no seams and belongs to no texture file.
"""

from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelab.face3d import MorphableModel
from facelab.geometry import Raster

Array = NDArray[Any]
_CELLS = 32  # side of the periodic volume of random numbers
GRAINS = ("pores", "strands", "brows", "stubble")
# Cells per face height along x, y and z: hair falls, strokes of a brow run outward, stubble stands on end.
_CELL_SIZES = np.array([(38, 38, 38), (62, 5, 40), (26, 44, 30), (80, 60, 80)], np.float32)


@lru_cache(maxsize=1)
def _noise() -> Tensor:
    """``(32, 32, 32)`` float32 in [-1, 1], periodic."""
    generator = torch.Generator().manual_seed(7)
    return 2 * torch.rand(_CELLS, _CELLS, _CELLS, generator=generator) - 1


@lru_cache(maxsize=16)
def grain(model: MorphableModel) -> Tensor:
    """``(V, 3 + 4)``: the place of a vertex on the mean face, in face heights, and how much it shows of each grain."""
    points = model.mean.T.cpu()
    face = points[model.landmarks[model.landmarks >= 0].cpu()]
    face = face if len(face) else points
    place = (points - face.mean(0)) / (face[:, 1].max() - face[:, 1].min())
    amount = torch.zeros(len(points), len(GRAINS))
    for region, column, value in (
        ("face", 0, 0.05), ("neck", 0, 0.05), ("lips", 0, 0.05), ("ears", 0, 0.04), ("scalp", 0, 0.05),
        ("hair", 1, 0.42), ("beard", 1, 0.35), ("clothes", 0, 0.08), ("cap", 0, 0.08),
    ):  # fmt: skip
        if region in model.region_names:
            amount[(model.region == model.region_names.index(region)).cpu(), column] = value
    for mask, column, strength in (("brows", 2, 0.5), ("beard", 3, 0.22)):
        if mask in model.masks:
            amount[:, column] = strength * model.masks[mask].cpu()
    return torch.cat([place, amount], 1).contiguous()


def compose(
    model: MorphableModel,
    raster: Raster,
    colours: Tensor,
    background: Tensor,
    grains: Tensor,
    backend: str | None = None,
) -> Tensor:
    """The picture of a batch.

    Args:
        raster: ``(B, H, W)``. colours: ``(B, V, 3)`` of the vertices. background: ``(B, 3, h, w)`` with H and W whole
            multiples of h and w: its pixels are repeated. grains: ``(B, 4)`` strength of each of ``GRAINS``.
        backend: ``"numba"`` or ``"torch"``; chosen by the device if not given.
    Returns:
        ``(B, 3, h, w)`` float32: blocks of fine pixels are averaged.
    """
    if (backend or ("torch" if colours.is_cuda else "numba")) == "torch":
        return _compose_torch(model, raster, colours, background, grains)
    fields = (raster.triangle, raster.barycentric, model.triangles, colours, grain(model), _noise(), background, grains)
    arrays = [np.ascontiguousarray(field.numpy()) for field in fields]
    return torch.from_numpy(_compose_numba(*arrays, _CELL_SIZES))  # type: ignore[call-arg]


def _compose_torch(
    model: MorphableModel, raster: Raster, colours: Tensor, background: Tensor, grains: Tensor
) -> Tensor:
    block = raster.triangle.shape[1] // background.shape[2]
    seen = raster.triangle >= 0
    face, row, column = seen.nonzero(as_tuple=True)
    corners = model.triangles.to(colours.device)[raster.triangle[face, row, column]]  # (N, 3)
    weights = raster.barycentric[face, row, column][..., None]  # (N, 3, 1)
    colour = (colours[face[:, None], corners] * weights).sum(1)
    detail = (grain(model).to(colours.device)[corners] * weights).sum(1)
    volume = _noise().to(colours.device)
    change = torch.ones_like(colour[:, 0])
    for number in range(len(GRAINS)):
        at = detail[:, :3] * torch.from_numpy(_CELL_SIZES[number]).to(colours.device)
        change = change + detail[:, 3 + number] * grains[face, number] * _trilinear(volume, at)
    picture = background.repeat_interleave(block, 2).repeat_interleave(block, 3)
    picture = picture.permute(0, 2, 3, 1).contiguous()
    picture[face, row, column] = colour * change[:, None]
    return torch.nn.functional.avg_pool2d(picture.permute(0, 3, 1, 2), block)


def _trilinear(volume: Tensor, at: Tensor) -> Tensor:
    """Values ``(N,)`` of a periodic volume at places ``(N, 3)`` in cells."""
    low = at.floor()
    share, cell = at - low, low.long() % _CELLS
    following = (cell + 1) % _CELLS
    total = torch.zeros_like(at[:, 0])
    for corner in range(8):
        index, weight = [], torch.ones_like(total)
        for axis in range(3):
            far = bool(corner >> axis & 1)
            index.append((following if far else cell)[:, axis])
            weight = weight * (share[:, axis] if far else 1 - share[:, axis])
        total = total + weight * volume[index[0], index[1], index[2]]
    return total


@numba.njit(cache=True)
def _noise_at(volume: Array, x: float, y: float, z: float) -> float:
    x0, y0, z0 = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - x0, y - y0, z - z0
    x0, y0, z0 = x0 & (_CELLS - 1), y0 & (_CELLS - 1), z0 & (_CELLS - 1)
    x1, y1, z1 = (x0 + 1) & (_CELLS - 1), (y0 + 1) & (_CELLS - 1), (z0 + 1) & (_CELLS - 1)
    low = (volume[x0, y0, z0] * (1 - fz) + volume[x0, y0, z1] * fz) * (1 - fy)
    low += (volume[x0, y1, z0] * (1 - fz) + volume[x0, y1, z1] * fz) * fy
    high = (volume[x1, y0, z0] * (1 - fz) + volume[x1, y0, z1] * fz) * (1 - fy)
    high += (volume[x1, y1, z0] * (1 - fz) + volume[x1, y1, z1] * fz) * fy
    return low * (1 - fx) + high * fx


@numba.njit(cache=True, parallel=True)
def _compose_numba(
    triangle: Array, weights: Array, triangles: Array, colours: Array, detail: Array, volume: Array, background: Array,
    grains: Array, cells: Array,
) -> Array:  # fmt: skip
    batch, height, width = triangle.shape
    block = height // background.shape[2]
    share = np.float32(1.0 / (block * block))
    picture = np.zeros_like(background)
    for face in numba.prange(batch):
        for y in range(height):
            for x in range(width):
                index = triangle[face, y, x]
                row, column = y // block, x // block
                if index < 0:
                    for c in range(3):
                        picture[face, c, row, column] += share * background[face, c, row, column]
                    continue
                a, b, c2 = weights[face, y, x, 0], weights[face, y, x, 1], weights[face, y, x, 2]
                i, j, k = triangles[index, 0], triangles[index, 1], triangles[index, 2]
                change = np.float32(1.0)
                for number in range(cells.shape[0]):
                    amount = a * detail[i, 3 + number] + b * detail[j, 3 + number] + c2 * detail[k, 3 + number]
                    amount *= grains[face, number]
                    if amount > 0:
                        px = (a * detail[i, 0] + b * detail[j, 0] + c2 * detail[k, 0]) * cells[number, 0]
                        py = (a * detail[i, 1] + b * detail[j, 1] + c2 * detail[k, 1]) * cells[number, 1]
                        pz = (a * detail[i, 2] + b * detail[j, 2] + c2 * detail[k, 2]) * cells[number, 2]
                        change += amount * _noise_at(volume, px, py, pz)
                for c in range(3):
                    value = a * colours[face, i, c] + b * colours[face, j, c] + c2 * colours[face, k, c]
                    picture[face, c, row, column] += share * change * value
    return picture
