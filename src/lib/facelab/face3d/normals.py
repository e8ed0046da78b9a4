"""Normals of a triangle mesh."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit vertex normals: the mean of the normals of the triangles around, weighted by their areas.

    Args:
        vertices: (B, V, 3) or (V, 3).
        triangles: (F, 3) int64, counter-clockwise seen from outside (in a right-handed space).
    Returns:
        Like ``vertices``; the zero vector where a vertex has no triangle.
    """
    a, b, c = (vertices[..., triangles[:, i], :] for i in range(3))
    doubled_area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total.index_add_(-2, triangles[:, corner], doubled_area)
    return normalize(total, dim=-1)
