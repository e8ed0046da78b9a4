"""Pictures of geometry: depth, normals, PNCC, and position maps over the UV layout of a model."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import normalize

from facelab.face3d.model import MorphableModel
from facelab.face3d.normals import vertex_normals
from facelab.geometry import Raster, interpolate, rasterize


def depth_map(raster: Raster, points: Tensor) -> Tensor:
    """Depth of what is seen, from 0 (the farthest vertex of that face, and background) to 1 (its nearest vertex).

    Args:
        raster: ``(B, H, W)`` of ``points``. points: ``(B, V, 3)`` pixels, z larger is nearer.
    Returns:
        ``(B, 1, H, W)`` float32.
    """
    low, high = points[..., 2].amin(1)[:, None, None], points[..., 2].amax(1)[:, None, None]
    depth = (raster.depth - low) / torch.where(high > low, high - low, 1)
    return torch.where(raster.triangle >= 0, depth, 0)[:, None].clamp(0, 1)


def normal_map(raster: Raster, points: Tensor, model: MorphableModel) -> Tensor:
    """Directions of the surface in the axes of the viewer: x right, y up, z to the viewer.

    Args:
        raster: ``(B, H, W)`` of ``points``. points: ``(B, V, 3)`` pixels of faces of ``model``.
    Returns:
        ``(B, 3, H, W)`` float32 unit vectors, zero on background. ``(normal + 1) / 2`` is the usual picture.
    """
    normals = vertex_normals(points * points.new_tensor([1.0, -1.0, 1.0]), model.triangles)
    seen = interpolate(raster, model.triangles, normals, normals.new_zeros(()))
    return normalize(seen, dim=3).permute(0, 3, 1, 2)


def normalized_coordinates(model: MorphableModel) -> Tensor:
    r"""Normalised coordinate code: the mean shape stretched to [0, 1] on each axis, a colour for every vertex.

    ``NCC_d = (mean_d - min mean_d) / (max mean_d - min mean_d)`` for d = x, y, z (Zhu et al. 2016, "Face alignment
    across large poses: a 3D solution", equation 5).

    Returns:
        ``(V, 3)`` float32.
    Raises:
        ValueError: when the mean shape is flat along an axis.
    """
    low, high = model.mean.amin(1, keepdim=True), model.mean.amax(1, keepdim=True)
    if not bool((high > low).all()):
        raise ValueError(f"mean: expected a shape with extent along x, y and z, {model.name} is flat")
    return ((model.mean - low) / (high - low)).T.contiguous()


def pncc_map(raster: Raster, model: MorphableModel) -> Tensor:
    """Projected normalised coordinate code: which point of the mean face does each pixel see? (Zhu et al. 2016.)

    Args:
        raster: ``(B, H, W)`` of faces of ``model``.
    Returns:
        ``(B, 3, H, W)`` float32 in [0, 1], zero on background.
    """
    colours = normalized_coordinates(model).to(raster.depth.device)
    codes = colours.expand(len(raster.triangle), -1, -1)
    return interpolate(raster, model.triangles, codes, colours.new_zeros(())).permute(0, 3, 1, 2)


class PositionMaps:
    """Faces as pictures: each texel of the model's UV layout holds the x, y, z of the point there.

    The output of PRNet (Feng et al. 2018, "Joint 3D face reconstruction and dense alignment with position map
    regression network"). Texel (row r, column c) has its centre at ``u = c / (size - 1)``, ``v = 1 - r / (size - 1)``.
    Build it once for a model: encoding and decoding are then one gather each, and differentiable.

    Args:
        model: with UV coordinates.
        size: texels a side, at least 2.
        regions: names of the model's regions to keep, such as ``("face", "lips")``; all by default.
    Attributes:
        mask: ``(size, size)`` bool, texels that hold a point.
        vertices: ``(N,)`` int64, the vertices of the model that :meth:`decode` returns, in their order.
    Raises:
        ValueError: on an unknown region, a size below 2, or a layout without a single texel.
    """

    def __init__(self, model: MorphableModel, size: int, regions: Sequence[str] | None = None) -> None:
        if size < 2:
            raise ValueError(f"size: expected at least 2 texels a side, got {size}")
        self.size = size
        self.vertices, self._triangles = _part(model, regions)
        texels = torch.stack([model.uv[:, 0], 1 - model.uv[:, 1], torch.zeros_like(model.uv[:, 0])], 1) * (size - 1)
        self._raster = rasterize(texels[None], self._triangles, size, size)
        self.mask = self._raster.triangle[0] >= 0
        if not bool(self.mask.any()):
            raise ValueError(f"uv: expected triangles over the unit square, those of {model.name} cover no texel")
        islands = _islands(self._triangles, len(texels))
        first_corner = self._triangles[self._raster.triangle[0].clamp(min=0), 0]
        texel_islands = torch.where(self.mask, islands[first_corner], -1)
        self._texels, self._shares = _taps(texels[self.vertices, :2], islands[self.vertices], texel_islands)

    def encode(self, points: Tensor) -> Tensor:
        """Maps of faces.

        Args:
            points: ``(B, V, 3)``, all vertices of the model, in any space.
        Returns:
            ``(B, 3, size, size)`` float32, zero outside the mask.
        """
        raster = Raster(*(field.expand(len(points), *field.shape[1:]) for field in self._raster))
        return interpolate(raster, self._triangles, points, points.new_zeros(())).permute(0, 3, 1, 2)

    def decode(self, maps: Tensor) -> Tensor:
        """Vertices of maps, sampled bilinearly among the texels of the same connected piece of the layout.

        Args:
            maps: ``(B, 3, size, size)``.
        Returns:
            ``(B, N, 3)``, the vertices named by :attr:`vertices`.
        Raises:
            ValueError: on another shape.
        """
        if maps.ndim != 4 or maps.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"maps: expected shape (B, 3, {self.size}, {self.size}), got {tuple(maps.shape)}")
        tapped = maps.flatten(2)[:, :, self._texels]  # (B, 3, N, 4)
        return (tapped * self._shares).sum(3).transpose(1, 2)


def _part(model: MorphableModel, regions: Sequence[str] | None) -> tuple[Tensor, Tensor]:
    """The vertices (N,) in these regions, and the triangles (F, 3) with all corners among them."""
    wanted = model.region_names if regions is None else tuple(regions)
    unknown = [name for name in wanted if name not in model.region_names]
    if unknown:
        raise ValueError(f"regions: expected some of {', '.join(model.region_names)}; got {', '.join(unknown)}")
    numbers = torch.tensor([model.region_names.index(name) for name in wanted], device=model.region.device)
    kept = torch.isin(model.region, numbers)
    return kept.nonzero()[:, 0], model.triangles[kept[model.triangles].all(dim=1)]


def _islands(triangles: Tensor, count: int) -> Tensor:
    """For each of ``count`` vertices the number of the connected piece of mesh that it belongs to, (count,) int64."""
    links = triangles.cpu().numpy()
    starts, ends = links.flatten(), links[:, [1, 2, 0]].flatten()
    graph = coo_matrix((np.ones(len(starts), bool), (starts, ends)), shape=(count, count))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).to(triangles)


def _taps(at: Tensor, own: Tensor, island: Tensor) -> tuple[Tensor, Tensor]:
    """The four texels (N, 4) about each place, and their bilinear shares among those of the place's own island.

    Beyond the border of an island lies another piece of the face, which says nothing of this one. A place with no texel
    of its own about it, as in a sliver of the layout, takes the nearest one.

    Args:
        at: (N, 2) texels. own: (N,) islands. island: (size, size) islands of the texels, -1 for none.
    """
    size = len(island)
    corner = at.floor().clamp(0, size - 2)
    x, y = (at - corner).unbind(1)
    first = (corner[:, 1] * size + corner[:, 0]).long()
    texels = torch.stack([first, first + 1, first + size, first + size + 1], 1)
    bilinear = torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)
    shares = bilinear * (island.flatten()[texels] == own[:, None])
    total = shares.sum(1, keepdim=True)
    lost = total[:, 0] == 0
    rows, columns = (island >= 0).nonzero().unbind(1)
    apart = 2 * size  # a third coordinate that sets the islands farther from each other than any two texels of one
    texel_points = torch.stack([columns, rows, apart * island[rows, columns]], 1)
    tree = cKDTree(texel_points.cpu().numpy())
    nearest = tree.query(torch.cat([at, apart * own[:, None]], 1)[lost].cpu().numpy())[1]
    texels[lost] = (rows * size + columns)[torch.from_numpy(nearest).to(rows)][:, None]
    return texels, torch.where(lost[:, None], 0.25, shares / torch.where(total > 0, total, 1))
