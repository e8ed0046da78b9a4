"""How jagged a surface is. Two measures, since meshes come in two kinds.

:func:`bending` goes by the edges of the mesh. It needs no picture and sees every vertex, but its number depends on how
far apart the vertices are, so it compares meshes of one connectivity alone: parameters, position maps, the truth.

:func:`high_frequency_energy` goes by a picture of the depth. It compares any surfaces that are drawn at one resolution,
as a mesh with the surface of a volume, but sees only what faces the viewer, and nothing finer than a pixel.

Both are shares of the face's box, so that size does not matter, and neither is zero on a smooth face, which is curved:
compare with the true surface.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, normalize, pad

from facelab.metrics.normalizers import positive
from facelab.metrics.points import extents, first

_REACH = 3  # standard deviations at which the Gaussian is cut


def bending(vertices: Tensor, triangles: Tensor) -> Tensor:
    r"""Mean distance of the vertices from their neighbours' mean along the normal, over the root of width times height.

    For vertex i with neighbours N(i) and normal n_i: ``|n_i . (mean_{j in N(i)} v_j - v_i)|``, the part of the umbrella
    Laplacian across the surface. The part along it says only that vertices are unevenly spaced. Vertices at a border
    of the mesh do not count. A plane has 0 whatever its triangles are.

    Args:
        vertices: ``(B, V, 3)``. triangles: ``(F, 3)`` int64, in one sense of rotation.
    Returns:
        ``(B,)`` float64 fractions.
    Raises:
        ValueError: on wrong shapes, a corner that is no vertex, coordinates that are not finite, a mesh without an
            inner vertex, or a face whose box has no area.
    Source: Taubin 1995, "A signal processing approach to fair surface design", for the umbrella Laplacian.
    """
    _check_mesh(vertices, triangles)
    points = vertices.detach().double()
    start, end, inner = _edges(triangles, points.shape[1])
    around = torch.zeros_like(points).index_add(1, start, points[:, end])
    valence = torch.zeros_like(points[0, :, :1]).index_add(0, start, points.new_ones(len(start), 1))
    offset = around / valence.clamp_min(1) - points
    across = (offset * _normals(points, triangles)).sum(2).abs()
    return across[:, inner].mean(1) / positive(extents(points[..., :2]).prod(1).sqrt())


def high_frequency_energy(depth: Tensor, mask: Tensor, sigma: float = 1.5, jump: float = 0.03) -> Tensor:
    """Root mean square of the depth less the same smoothed, over the root of width times height of the mask's box.

    Smoothed by a Gaussian. Pixels to which it reaches from beyond the mask do not count, and neither do those beside a
    jump of the depth, as from the nose to the cheek behind it, which is no roughness. On a ball of radius R about
    ``sigma ** 2 / R`` is left, on a checkerboard of amplitude a about a.

    Args:
        depth: ``(B, 1, H, W)`` in pixels of the picture. mask: ``(B, 1, H, W)`` bool, the pixels that have a depth.
        sigma: pixels; what is coarser is form. Faces that are compared should be of one size in the picture.
        jump: difference of neighbouring pixels, as a share of the same root, from which there is a border between them.
    Returns:
        ``(B,)`` float64 fractions.
    Raises:
        ValueError: on wrong shapes, a depth inside the mask that is not finite, a sigma or jump that is not positive,
            or a face of which no pixel counts.
    """
    _check_picture(depth, mask, sigma, jump)
    height = torch.where(mask, depth.detach().double(), 0)
    size = _box_root(mask)
    weights = _gaussian(sigma).to(height)
    smooth = conv2d(conv2d(height, weights[None, None, None], padding="same"), weights[None, None, :, None],
                    padding="same")  # fmt: skip
    counted = _eroded(mask & ~_beside_jump(height, mask, jump * size), len(weights) // 2)
    empty = ~counted.flatten(1).any(1)
    if bool(empty.any()):
        raise ValueError(f"mask: no pixel of face {first(empty)} is {len(weights) // 2} pixels away from every border")
    energy = torch.where(counted, (height - smooth).square(), 0).flatten(1).sum(1) / counted.flatten(1).sum(1)
    return energy.sqrt() / size


def _edges(triangles: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Both directions of every edge, once each, as starts and ends; and which of ``count`` vertices are inside."""
    corner = triangles.long()
    directed = torch.cat([corner, corner[:, [1, 2, 0]]]), torch.cat([corner[:, [1, 2, 0]], corner])
    codes, uses = (directed[0] * count + directed[1]).flatten().unique(return_counts=True)
    start, end = codes // count, codes % count
    inner = torch.zeros(count, dtype=torch.bool, device=triangles.device)
    inner[start] = True
    inner[start[uses == 1]] = False  # an edge of one triangle
    if not bool(inner.any()):
        raise ValueError("triangles: expected a mesh with at least one vertex inside, all lie at its border")
    return start, end, inner


def _normals(points: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals ``(B, V, 3)`` of vertices, their triangles weighted by area."""
    a, b, c = (points[:, triangles[:, corner]] for corner in range(3))
    doubled_area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(points)
    for corner in range(3):
        total.index_add_(1, triangles[:, corner], doubled_area)
    return normalize(total, dim=2)


def _gaussian(sigma: float) -> Tensor:
    reach = math.ceil(_REACH * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma).square())
    return weights / weights.sum()


def _box_root(mask: Tensor) -> Tensor:
    """``(B,)`` root of width times height of the tight box of each mask ``(B, 1, H, W)``, in pixels."""
    sides = []
    for along in (2, 3):
        places = mask[:, 0].any(along - 1).long()
        sides.append(places.shape[1] - places.argmax(1) - places.flip(1).argmax(1))
    return (sides[0] * sides[1]).double().sqrt()


def _beside_jump(height: Tensor, mask: Tensor, jump: Tensor) -> Tensor:
    """Pixels ``(B, 1, H, W)`` whose depth differs by more from that of the next one in the mask, in any direction."""
    found = torch.zeros_like(height, dtype=torch.bool)
    for axis in (2, 3):
        steep = height.diff(dim=axis).abs() > jump[:, None, None, None]
        length = steep.shape[axis]
        steep &= mask.narrow(axis, 0, length) & mask.narrow(axis, 1, length)
        found.narrow(axis, 0, length).logical_or_(steep)
        found.narrow(axis, 1, length).logical_or_(steep)
    return found


def _eroded(mask: Tensor, radius: int) -> Tensor:
    """Pixels of a mask ``(B, 1, H, W)`` with nothing else, nor the end of the picture, within a square about them."""
    outside = pad((~mask).float(), [radius] * 4, value=1.0)
    return max_pool2d(outside, 2 * radius + 1, stride=1) == 0


def _check_mesh(vertices: Tensor, triangles: Tensor) -> None:
    if vertices.ndim != 3 or vertices.shape[2] != 3 or not len(vertices):
        raise ValueError(f"vertices: expected shape (B, V, 3), got {tuple(vertices.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype != torch.int64 or not len(triangles):
        raise ValueError(f"triangles: expected int64 of shape (F, 3), got {triangles.dtype} {tuple(triangles.shape)}")
    if not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices.shape[1]:
        raise ValueError(f"triangles: expected indices from 0 to {vertices.shape[1] - 1}")
    bad = ~torch.isfinite(vertices).flatten(1).all(1)
    if bool(bad.any()):
        raise ValueError(f"vertices: expected finite coordinates, found NaN or infinity in face {first(bad)}")


def _check_picture(depth: Tensor, mask: Tensor, sigma: float, jump: float) -> None:
    if depth.ndim != 4 or depth.shape[1] != 1 or not len(depth):
        raise ValueError(f"depth: expected shape (B, 1, H, W), got {tuple(depth.shape)}")
    if mask.shape != depth.shape or mask.dtype != torch.bool:
        raise ValueError(f"mask: expected bool of shape {tuple(depth.shape)}, got {mask.dtype} {tuple(mask.shape)}")
    if not (sigma > 0 and jump > 0):
        raise ValueError(f"sigma, jump: expected positive numbers, got {sigma} and {jump}")
    bad = (mask & ~torch.isfinite(depth)).flatten(1).any(1)
    if bool(bad.any()):
        raise ValueError(f"depth: expected finite numbers in the mask, found NaN or infinity in face {first(bad)}")
