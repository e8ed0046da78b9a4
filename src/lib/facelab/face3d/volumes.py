"""Faces as volumes: which cells of a grid lie inside, and the surface around those that do.

A volume ``(depth, size, size)`` has cubic cells and lies over a square picture: cell (k, r, c) is in slice k counted
towards the viewer, row r counted down, column c counted to the right. Its edge is ``side / size`` pixels, and the
slices lie evenly about z = ``middle``.
"""

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from facelab.geometry import rasterize


def voxelize(
    points: Tensor, triangles: Tensor, size: int, depth: int, side: float | None = None, middle: float = 0.0
) -> Tensor:
    """Cells whose centre lies inside a face: between its nearest and its farthest surface on the ray of the viewer.

    An open mesh, such as a face without the back of its head, is closed first: a cone over each rim, its tip at the
    mean of the rim's vertices. Hollows that are seen neither from the front nor from behind count as inside.

    Args:
        points: ``(B, V, 3)`` pixels of the picture, z larger is nearer. triangles: ``(F, 3)`` int64.
        size: cells a side of the picture. depth: slices.
        side: of the picture in pixels; by default ``size``, a cell is then a pixel wide.
        middle: z in pixels about which the slices lie.
    Returns:
        ``(B, depth, size, size)`` bool.
    Raises:
        ValueError: on a wrong shape, or a number that is not positive.
    Source: Jackson et al. 2017, section 3 (the volume; closing by cones is ours).
    """
    edge = _edge(size, depth, side)
    points, triangles = _closed(points, triangles.to(points.device))
    cells = torch.stack(
        [
            (points[..., 0] + 0.5) / edge - 0.5,
            (points[..., 1] + 0.5) / edge - 0.5,
            (points[..., 2] - middle) / edge + (depth - 1) / 2,
        ],
        2,
    )
    nearest = rasterize(cells, triangles, size, size).depth[:, None]
    farthest = -rasterize(cells * cells.new_tensor([1, 1, -1]), triangles, size, size).depth[:, None]
    slices = torch.arange(depth, device=points.device)[:, None, None]
    return (farthest <= slices) & (slices <= nearest)  # of background: from infinity to -infinity


def iso_surface(
    volume: Tensor, level: float = 0.5, side: float | None = None, middle: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The surface between cells above and below a level, by marching cubes. It is closed at the borders of the volume.

    Args:
        volume: ``(depth, size, size)``, bool or floating point: occupancy, or logits with level 0.
        level: what the volume has on the surface.
        side, middle: as they were for :func:`voxelize`.
    Returns:
        Vertices ``(V, 3)`` float32 in pixels of the picture, and triangles ``(F, 3)`` int64, counter-clockwise where
        they are seen from outside, both on the CPU. They are empty if no cell is above the level.
    Raises:
        ImportError: without scikit-image.
        ValueError: on a wrong shape.
    """
    if volume.ndim != 3 or volume.shape[1] != volume.shape[2]:
        raise ValueError(f"volume: expected shape (depth, size, size), got {tuple(volume.shape)}")
    try:
        from skimage.measure import marching_cubes
    except ImportError:
        raise ImportError("iso_surface needs scikit-image: pip install 'facelab[volumes]'") from None
    depth, size, _ = volume.shape
    edge = _edge(size, depth, side)
    values = volume.detach().float().cpu().numpy()
    if not (values > level).any():
        return torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)
    # Around the volume is what lies as far below the level as anything in it lies above.
    padded = np.pad(values, 1, constant_values=min(values.min(), 2 * level - values.max()))
    # "ascent" for a fall outwards: the axes are read backwards below, and y points down.
    places, corners, _, _ = marching_cubes(padded, level, gradient_direction="ascent", allow_degenerate=False)
    slices, rows, columns = torch.from_numpy(places - 1).float().unbind(1)  # the border is not of the volume
    vertices = [
        (columns + 0.5) * edge - 0.5,
        (rows + 0.5) * edge - 0.5,
        (slices - (depth - 1) / 2) * edge + middle,
    ]
    return torch.stack(vertices, 1), torch.from_numpy(corners.astype(np.int64))


def _edge(size: int, depth: int, side: float | None) -> float:
    """Of a cell, in pixels."""
    for name, value in (("size", size), ("depth", depth), ("side", size if side is None else side)):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, got {value}")
    return 1.0 if side is None else side / size


def _closed(points: Tensor, triangles: Tensor) -> tuple[Tensor, Tensor]:
    """The mesh with a fan of triangles over each rim, around a new vertex in the middle of it.

    A rim is a connected set of edges that only one triangle has.
    """
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"points: expected shape (B, V, 3), got {tuple(points.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"triangles: expected shape (F, 3), got {tuple(triangles.shape)}")
    edges = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, inverse, uses = edges.sort(1).values.unique(dim=0, return_inverse=True, return_counts=True)
    rim = edges[uses[inverse] == 1]
    of_rim, ends = rim.unique(return_inverse=True)  # vertices, and the places of the ends of edges among them
    links = ends.cpu().numpy()
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(of_rim), len(of_rim)))
    count, labels = connected_components(graph, directed=False)
    rims = torch.from_numpy(labels.astype(np.int64)).to(points.device)  # of each vertex
    totals = points.new_zeros(len(points), count, 3).index_add(1, rims, points[:, of_rim])
    tips = totals / rims.bincount(minlength=count)[:, None]
    fan = torch.cat([rim.flip(1), points.shape[1] + rims[ends[:, :1]]], 1)
    return torch.cat([points, tips], 1), torch.cat([triangles, fan])
