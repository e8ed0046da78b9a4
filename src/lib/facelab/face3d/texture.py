"""Colours of a photograph laid over the texture coordinates of a face, so that its mesh can be turned in colour."""

from functools import lru_cache
from typing import NamedTuple

import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d, normalize

from facelab.face3d.model import MorphableModel
from facelab.face3d.normals import vertex_normals
from facelab.geometry import Raster, interpolate, rasterize

_FACING = 0.15  # surface turned away by more than 81 degrees: a texel there would smear what is beside it
_BEHIND = 0.01  # share of the face's longer side that a seen point may lie behind the z-buffer, which has whole pixels


class Texture(NamedTuple):
    """A texture. Attributes: colour: ``(B, 3, size, size)`` in [0, 1]. seen: ``(B, 1, size, size)`` bool."""

    colour: Tensor
    seen: Tensor


def uv_texture(image: Tensor, points: Tensor, model: MorphableModel, size: int = 256, fill: bool = False) -> Texture:
    """The texture of faces in pictures, over the model's texture coordinates.

    A texel is seen if its point of the face turns to the viewer, lies in the picture, and nothing is before it. Texel
    (row r, column c) has its centre at ``u = (c + 1/2) / size``, ``v = 1 - (r + 1/2) / size``, which is how programs
    read a texture file (unlike :class:`facelab.face3d.maps.PositionMaps`, whose outer texels lie on the border). Where
    a layout has two pieces of the face in one place, the first one counts.

    Args:
        image: ``(B, 3, H, W)`` in [0, 1]. points: ``(B, V, 3)`` pixels of the picture, all vertices of ``model``.
        size: texels a side.
        fill: whether what is not seen takes the colour of its mirror point, and, where that is hidden as well or no
            part of the face, that of the nearest texel with a colour. Else it is black.
    Raises:
        ValueError: on other shapes.
    """
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"image: expected shape (B, 3, H, W), got {tuple(image.shape)}")
    if points.shape != (len(image), model.mean.shape[1], 3):
        expected = (len(image), model.mean.shape[1], 3)
        raise ValueError(f"points: expected shape {expected}, got {tuple(points.shape)}")
    layout = _layout(model, size)
    normals = vertex_normals(points * points.new_tensor([1.0, -1.0, 1.0]), model.triangles)
    texels = _over(layout, model.triangles, torch.cat([points, normals], 2))
    at, facing = texels[..., :3], normalize(texels[..., 3:], dim=3)[..., 2]
    seen = (layout.triangle >= 0) & (facing > _FACING) & _in_front(at, points, model.triangles, *image.shape[2:])
    colour = torch.where(seen[:, None], _sampled(image, at[..., :2]), 0)
    return Texture(_filled(colour, seen, model) if fill else colour, seen[:, None])


@lru_cache(maxsize=8)
def _layout(model: MorphableModel, size: int) -> Raster:
    """``(1, size, size)``: the triangle of each texel."""
    if size < 1:
        raise ValueError(f"size: expected at least one texel a side, got {size}")
    u, v = model.uv.unbind(1)
    return rasterize(
        torch.stack([u * size, (1 - v) * size, torch.zeros_like(u)], 1)[None] - 0.5, model.triangles, size, size
    )


def _over(layout: Raster, triangles: Tensor, values: Tensor) -> Tensor:
    """Values ``(B, V, C)`` of vertices at every texel, ``(B, size, size, C)``."""
    raster = Raster(*(field.expand(len(values), *field.shape[1:]) for field in layout))
    return interpolate(raster, triangles, values, values.new_zeros(()))


def _in_front(at: Tensor, points: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
    """Whether nothing hides the points ``(B, size, size, 3)``, and the picture shows them.

    The farthest of the 3 x 3 pixels about a point decides, so that a slope does not hide itself.
    """
    depth = rasterize(points, triangles, height, width).depth[:, None]
    farthest = -max_pool2d(-depth, 3, stride=1, padding=1)[:, 0]
    x, y, z = at.unbind(3)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    row, column = y.round().long().clamp(0, height - 1), x.round().long().clamp(0, width - 1)
    surface = farthest.flatten(1).gather(1, (row * width + column).flatten(1)).view_as(z)
    extent = (points[..., :2].amax(1) - points[..., :2].amin(1)).amax(1)
    return inside & (z > surface - _BEHIND * extent[:, None, None])


def _sampled(image: Tensor, at: Tensor) -> Tensor:
    """Colours ``(B, 3, size, size)`` of a picture at pixels ``(B, size, size, 2)``, bilinear."""
    last = at.new_tensor([image.shape[3] - 1, image.shape[2] - 1]).clamp_min(1)
    return grid_sample(image, 2 * at / last - 1, padding_mode="border", align_corners=True)


def _filled(colour: Tensor, seen: Tensor, model: MorphableModel) -> Tensor:
    mirror = _mirror_texels(model, colour.shape[-1])
    mirrored, known = colour.flatten(2)[:, :, mirror].view_as(colour), seen.flatten(1)[:, mirror].view_as(seen)
    colour = torch.where(seen[:, None], colour, torch.where(known[:, None], mirrored, 0))
    return torch.stack([_spread(one, mask) for one, mask in zip(colour, seen | known, strict=True)])


def _spread(colour: Tensor, known: Tensor) -> Tensor:
    """A texture ``(3, size, size)`` whose unknown texels have the colour of the nearest known one."""
    if not bool(known.any()):
        return colour
    _, nearest = distance_transform_edt(~known.cpu().numpy(), return_indices=True)
    row, column = torch.from_numpy(nearest).to(known.device)
    return colour[:, row, column]


@lru_cache(maxsize=8)
def _mirror_texels(model: MorphableModel, size: int) -> Tensor:
    """``(size * size)`` int64: for each texel of the mean face, that of the point across the plane x = 0.

    Found in space and within a region, so that any layout will do; texels without a face stand for themselves.
    """
    layout = _layout(model, size)
    used = (layout.triangle[0] >= 0).flatten().nonzero()[:, 0]
    points = _over(layout, model.triangles, model.vertices())[0].flatten(0, 1)[used]
    region = model.region[model.triangles[layout.triangle[0].flatten()[used], 0]]
    extent = float((model.mean.amax(1) - model.mean.amin(1)).max())
    apart = torch.cat([points, 2 * extent * region[:, None]], 1)  # farther from other regions than any two of one
    across = apart * apart.new_tensor([-1.0, 1.0, 1.0, 1.0])
    nearest = torch.from_numpy(cKDTree(apart.cpu().numpy()).query(across.cpu().numpy())[1]).to(used.device)
    return torch.arange(size * size, device=used.device).index_put((used,), used[nearest])
