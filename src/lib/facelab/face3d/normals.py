"""Normals of a triangle mesh."""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit vertex normals: the mean of the normals of the triangles around, weighted by their areas.

    Compiled loops on the CPU; tensor operations on other devices and where a gradient is asked for. Both agree within
    rounding (sums run in another order).

    Args:
        vertices: (B, V, 3) or (V, 3).
        triangles: (F, 3) int64 or int32, counter-clockwise seen from outside (in a right-handed space).
    Returns:
        Like ``vertices``; the zero vector where a vertex has no triangle.
    Raises:
        ValueError: on wrong shapes or, on the CPU, a corner index out of range.
    """
    if vertices.ndim not in (2, 3) or vertices.shape[-1] != 3:
        raise ValueError(f"vertices: expected shape (V, 3) or (B, V, 3), got {tuple(vertices.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"triangles: expected int64 or int32 of shape (F, 3), got {triangles.dtype} {tuple(triangles.shape)}"
        )
    if vertices.device.type == "cpu" and not (torch.is_grad_enabled() and vertices.requires_grad):
        return _compiled_normals(vertices, triangles)
    return _tensor_normals(vertices, triangles)


def _tensor_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    triangles = triangles.long()
    a, b, c = (vertices[..., triangles[:, corner], :] for corner in range(3))
    doubled_area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(-2, triangles[:, corner], doubled_area)
    length = total.norm(dim=-1, keepdim=True)
    return total / torch.where(length > 0, length, 1)


def _compiled_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    points = vertices.detach().reshape(-1, *vertices.shape[-2:]).contiguous()
    normals = torch.empty_like(points)
    if not _normals_of_batch(points.numpy(), triangles.cpu().contiguous().numpy(), normals.numpy()):
        raise ValueError(f"triangles: expected indices from 0 to {vertices.shape[-2] - 1}")
    return normals.view_as(vertices)


@numba.njit(cache=True, parallel=True)
def _normals_of_batch(vertices: Array, triangles: Array, normals: Array) -> bool:
    faults = 0
    for face in numba.prange(len(vertices)):
        faults += not _normals_of_face(vertices[face], triangles, normals[face])
    return faults == 0


@numba.njit(cache=True, nogil=True)
def _normals_of_face(vertices: Array, triangles: Array, normals: Array) -> bool:
    """Overwrites ``normals`` (V, 3); False if a triangle names a vertex that is not there."""
    normals[:] = 0
    places = np.uint64(len(vertices))
    for index in range(np.uint64(len(triangles))):
        i, j, k = np.uint64(triangles[index, 0]), np.uint64(triangles[index, 1]), np.uint64(triangles[index, 2])
        if i >= places or j >= places or k >= places:
            return False
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        bx, by, bz = vertices[j, 0] - x, vertices[j, 1] - y, vertices[j, 2] - z
        cx, cy, cz = vertices[k, 0] - x, vertices[k, 1] - y, vertices[k, 2] - z
        across, up, near = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        for corner in (i, j, k):
            normals[corner, 0] += across
            normals[corner, 1] += up
            normals[corner, 2] += near
    for place in range(places):
        x, y, z = normals[place, 0], normals[place, 1], normals[place, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            share = 1 / length
            normals[place, 0], normals[place, 1], normals[place, 2] = x * share, y * share, z * share
    return True
