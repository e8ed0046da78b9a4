"""A z-buffer: which triangle does each pixel see, and where in it?

Visibility comes first and colour after, so the colours of hidden triangles are never computed. A pixel belongs to a
triangle when its centre lies inside it or on its border (the inclusive rule), so two triangles that share an edge leave
no hole; where both cover a pixel the nearer one wins, and at equal depth the one listed first.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

_EDGE = 1e-9  # rounding allowed at an edge, as a share of the triangle: far below a pixel, above float64 noise


class Raster(NamedTuple):
    """What each pixel sees.

    Attributes:
        triangle: ``(B, H, W)`` int64, -1 where there is background.
        barycentric: ``(B, H, W, 3)`` float32 weights of the three corners, zero on background.
        depth: ``(B, H, W)`` float32, larger is nearer, -inf on background.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor


@numba.njit(cache=True, nogil=True)
def _draw_triangle(corners: Array, index: int, triangle: Array, weights: Array, depth: Array) -> None:
    """Draws one triangle (3, 3) of pixel coordinates into the buffers of one picture."""
    height, width = depth.shape
    x0, y0, z0 = corners[0, 0], corners[0, 1], corners[0, 2]
    x1, y1, z1 = corners[1, 0], corners[1, 1], corners[1, 2]
    x2, y2, z2 = corners[2, 0], corners[2, 1], corners[2, 2]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if area == 0.0:
        return
    left = max(0, int(np.ceil(min(x0, x1, x2))))
    right = min(width - 1, int(np.floor(max(x0, x1, x2))))
    top = max(0, int(np.ceil(min(y0, y1, y2))))
    bottom = min(height - 1, int(np.floor(max(y0, y1, y2))))
    # Weights of corners 1 and 2 are affine in (x, y): gradients once a triangle.
    b_x, b_y = (y2 - y0) / area, (x0 - x2) / area
    c_x, c_y = (y0 - y1) / area, (x1 - x0) / area
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            b = b_x * (x - x0) + b_y * (y - y0)
            c = c_x * (x - x0) + c_y * (y - y0)
            a = 1.0 - b - c
            if a < -_EDGE or b < -_EDGE or c < -_EDGE:
                continue
            z = a * z0 + b * z1 + c * z2
            if z > depth[y, x]:
                depth[y, x] = z
                triangle[y, x] = index
                weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = a, b, c


@numba.njit(cache=True, parallel=True)
def _draw_batch(vertices: Array, triangles: Array, triangle: Array, weights: Array, depth: Array) -> None:
    for face in numba.prange(vertices.shape[0]):
        corners = np.empty((3, 3), np.float64)
        for index in range(triangles.shape[0]):
            for k in range(3):
                for axis in range(3):
                    corners[k, axis] = vertices[face, triangles[index, k], axis]
            _draw_triangle(corners, index, triangle[face], weights[face], depth[face])


def rasterize(vertices: Tensor, triangles: Tensor, height: int, width: int) -> Raster:
    """Finds the nearest triangle of every pixel (CPU, threads over the batch).

    Args:
        vertices: ``(B, V, 3)`` or ``(V, 3)`` pixels: x right, y down, z larger is nearer.
        triangles: ``(F, 3)`` int64, either orientation (nothing is culled).
        height, width: pixels, positive.
    Returns:
        A :class:`Raster`; without the leading B when ``vertices`` had none.
    Raises:
        ValueError: on wrong shapes, a corner index out of range, or coordinates that are not finite.
    """
    _check_mesh(vertices, triangles)
    if height < 1 or width < 1:
        raise ValueError(f"picture size: expected positive height and width, got {height} x {width}")
    batched = vertices.reshape(-1, *vertices.shape[-2:])
    shape = (len(batched), height, width)
    triangle = np.full(shape, -1, np.int64)
    weights = np.zeros((*shape, 3), np.float32)
    depth = np.full(shape, -np.inf, np.float32)
    points = np.ascontiguousarray(batched.detach().cpu().numpy(), np.float32)
    _draw_batch(points, np.ascontiguousarray(triangles.cpu().numpy()), triangle, weights, depth)
    fields = [torch.from_numpy(field).to(vertices.device) for field in (triangle, weights, depth)]
    return Raster(*(fields if vertices.ndim == 3 else [field[0] for field in fields]))


def _check_mesh(vertices: Tensor, triangles: Tensor) -> None:
    if vertices.ndim not in (2, 3) or vertices.shape[-1] != 3:
        raise ValueError(f"vertices: expected shape (V, 3) or (B, V, 3), got {tuple(vertices.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype != torch.int64:
        raise ValueError(f"triangles: expected int64 of shape (F, 3), got {triangles.dtype} {tuple(triangles.shape)}")
    if triangles.numel() and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices.shape[-2]:
        raise ValueError(f"triangles: expected indices from 0 to {vertices.shape[-2] - 1}")
    if not bool(torch.isfinite(vertices).all()):
        raise ValueError("vertices: expected finite coordinates, found NaN or infinity")


@numba.njit(cache=True, parallel=True)
def _blend(triangle: Array, weights: Array, triangles: Array, attributes: Array, background: Array) -> Array:
    batch, height, width = triangle.shape
    channels = attributes.shape[2]
    picture = background.copy()
    for face in numba.prange(batch):
        for y in range(height):
            for x in range(width):
                index = triangle[face, y, x]
                if index < 0:
                    continue
                for channel in range(channels):
                    value = np.float32(0.0)
                    for k in range(3):
                        value += weights[face, y, x, k] * attributes[face, triangles[index, k], channel]
                    picture[face, y, x, channel] = value
    return picture


def interpolate(raster: Raster, triangles: Tensor, attributes: Tensor, background: Tensor) -> Tensor:
    """Spreads vertex attributes (colours, normals, positions ...) over the pixels of a batch.

    Args:
        raster: of a batch, ``(B, H, W)``. triangles: ``(F, 3)``. attributes: ``(B, V, C)`` float32.
        background: ``(B, H, W, C)``, kept where no triangle is seen.
    Returns:
        ``(B, H, W, C)`` float32.
    """
    if attributes.shape[2] != background.shape[3] or raster.triangle.shape != background.shape[:3]:
        raise ValueError(
            f"background: expected shape {(*raster.triangle.shape, attributes.shape[2])}, got {tuple(background.shape)}"
        )
    arrays = (raster.triangle, raster.barycentric, triangles, attributes.float(), background.float())
    picture = _blend(*(np.ascontiguousarray(array.cpu().numpy()) for array in arrays))
    return torch.from_numpy(picture).to(attributes.device)
