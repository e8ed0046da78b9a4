"""A picture of a face bent to another pose of its mesh: hair and background follow without a seam."""

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.geometry import Affine, interpolate, rasterize, sampled

_COARSEST = 4  # cells a side at which the spreading of displacements ends
_HIDDEN = 0.02  # of the picture's side: a surface that lies deeper than this behind what is seen counts as hidden
_SLANT = 0.25  # a triangle counts as shown before if it had at least this share of its area now


def mesh_warp(
    images: Tensor, still: Tensor, moved: Tensor, triangles: Tensor, affine: Affine, clip_of: Tensor | None = None
) -> Tensor:
    """Pictures of faces after their meshes moved, each sampled once.

    A pixel of the moved mesh takes its colour from where that point of the surface was in the picture. Elsewhere it
    follows the affine, with the displacement of the nearby mesh on top, which is gone far from it. So does surface
    that the picture did not show well, since it was turned away or something was in front: what is beside it is
    stretched over it, nothing is seen twice, and outlines stay whole.

    Args:
        images: ``(B, C, H, W)``. still: ``(B, V, 3)`` the meshes in these pictures, in pixels, larger z is nearer.
        moved: ``(N, V, 3)`` the meshes as they are wanted. triangles: ``(F, 3)``.
        affine: of ``N`` maps, how the plane of the picture moves far away from the mesh.
        clip_of: ``(N,)`` int64, which picture each of the ``N`` is made of; one each if not given.
    Returns:
        ``(N, C, H, W)``; zero where the map leaves the picture, as :meth:`Affine.warp`.
    """
    height, width = images.shape[2:]
    rows = torch.arange(len(moved), device=images.device) if clip_of is None else clip_of
    plane = _pulled_back(affine, height, width)
    raster = rasterize(moved, triangles, height, width)
    before = still[rows]
    source = interpolate(raster, triangles, before, F.pad(plane, (0, 1)))
    front = rasterize(still, triangles, height, width).depth[rows]
    known = _shown(raster.triangle, triangles, before, moved)
    known &= ~_hidden(source, front, _HIDDEN * max(height, width))
    offset = (source[..., :2] - plane).permute(0, 3, 1, 2)
    spread = _spread(offset, known[:, None].to(offset)).permute(0, 2, 3, 1)
    return sampled(images[rows], plane + spread)


def _shown(seen: Tensor, triangles: Tensor, still: Tensor, moved: Tensor) -> Tensor:
    """``(N, H, W)``: does a pixel show the outside of the mesh, and a part that was turned to the viewer before?

    Triangles run counter-clockwise seen from outside. A part that looks much larger than it did was seen at a slant,
    next to an outline, and its few pixels are no texture.
    """
    face, y, x = (seen >= 0).nonzero(as_tuple=True)
    corners = triangles.index_select(0, seen[face, y, x])
    places = (face[:, None] * moved.shape[1] + corners).flatten()
    before, after = (
        _area(points[..., :2].reshape(-1, 2).index_select(0, places).unflatten(0, (-1, 3))) for points in (still, moved)
    )
    shown = torch.zeros_like(seen, dtype=torch.bool)
    shown[face, y, x] = (after > 0) & (before > _SLANT * after)
    return shown


def _area(corners: Tensor) -> Tensor:
    """Twice the area of triangles ``(..., 3, 2)``, positive if counter-clockwise on the screen, where y points down."""
    first, second = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    return first[..., 1] * second[..., 0] - first[..., 0] * second[..., 1]


def _pulled_back(affine: Affine, height: int, width: int) -> Tensor:
    """Where each pixel of the moved pictures comes from, ``(N, H, W, 2)``, by the affine alone."""
    back = affine.inverse()
    ys, xs = torch.arange(height).to(back.matrix), torch.arange(width).to(back.matrix)
    grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(1, -1, 2)
    return back.apply(grid).unflatten(1, (height, width))


def _hidden(source: Tensor, front: Tensor, tolerance: float) -> Tensor:
    """``(N, H, W)``: does the surface at ``source`` ``(N, H, W, 3)`` lie behind what the picture shows there?

    The farthest of the mesh's depth in the 2 x 2 pixels around decides, so that an outline does not hide itself.
    """
    height, width = front.shape[1:]
    farthest = -F.max_pool2d(F.pad(-front[:, None], (0, 1, 0, 1), value=-torch.inf), 2, stride=1)[:, 0]
    x, y = source[..., 0].floor().long(), source[..., 1].floor().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    at = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).flatten(1)
    seen = farthest.flatten(1).gather(1, at).unflatten(1, (height, width))
    return inside & (source[..., 2] < seen - tolerance)


def _spread(values: Tensor, known: Tensor) -> Tensor:
    """Values ``(N, C, H, W)`` where they are known, elsewhere the mean of the known ones nearby.

    A normalised convolution over a pyramid: where a cell knows nothing, the next coarser level speaks. So values join
    at the border of what is known, however far they are carried. Where the coarsest cells know nothing, it is zero.
    """
    height, width = values.shape[2:]
    if max(height, width) <= _COARSEST:
        return values * known
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    mean = F.avg_pool2d(values * known, 2, ceil_mode=True) / share.clamp_min(1e-6)
    coarse = _spread(mean, (4 * share).clamp(max=1))
    fine = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return fine + known * (values - fine)
