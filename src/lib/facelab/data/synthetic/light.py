r"""Light: spherical harmonics for what comes from everywhere, one lamp that casts shadows, and a shine.

The light that reaches a surface of direction ``n`` from all around is, to within a few percent, a quadratic polynomial
of ``n``: nine numbers a colour (Ramamoorthi and Hanrahan 2001, eq. 13). A lamp in direction ``d`` and colour ``L`` adds
``L max(0, n . d)`` where nothing of the head stands between.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelab.data.draws import Draws
from facelab.geometry import rasterize

Array = NDArray[Any]
_SHADOW_SIZE = 128  # side of the lamp's z-buffer in pixels
_WRAP = (0.30, 0.14, 0.10)  # light that skin scatters round the edge of shade: red goes farthest
_BAND = (math.pi, 2 * math.pi / 3, math.pi / 4)  # of a cosine lobe, by degree of the harmonics


@dataclass(frozen=True)
class Light:
    """Light on a batch of scenes, in the axes of the viewer (x right, y up, z to the viewer).

    Attributes:
        ambient: ``(B, 9, 3)`` coefficients of the light from everywhere, in the order of :func:`harmonics`.
        direction: ``(B, 3)`` unit vectors to the lamp. lamp: ``(B, 3)`` its colour.
        gloss: ``(B,)`` strength of the shine. exposure: ``(B,)`` wanted mean brightness of the lit face, in (0, 1).
    """

    ambient: Tensor
    direction: Tensor
    lamp: Tensor
    gloss: Tensor
    exposure: Tensor


def harmonics(directions: Tensor) -> Tensor:
    """The nine real spherical harmonics up to degree two, ``(..., 9)``, of unit vectors ``(..., 3)``."""
    x, y, z = directions.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, 0.282095),
            *(0.488603 * y, 0.488603 * z, 0.488603 * x),
            *(1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z),
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def ambient_of(directions: Tensor, colours: Tensor) -> Tensor:
    """Coefficients ``(B, 9, 3)`` of soft light from distant sources: directions, colours ``(B, S, 3)``.

    A surface that faces a single source of colour 1 receives about 1.
    """
    band = directions.new_tensor([_BAND[0]] + [_BAND[1]] * 3 + [_BAND[2]] * 5)
    return torch.einsum("bsk,bsc->bkc", harmonics(directions) * band, colours)


def sample_light(draws: Draws) -> Light:
    """A sky, a ground and three soft sources of their own colours, and in most scenes a lamp."""
    toward = torch.nn.functional.normalize(draws.normal(5, 3), dim=2)
    toward[:, 0] = torch.tensor([0.0, 1.0, 0.0])
    toward[:, 1] = torch.tensor([0.0, -1.0, 0.0])
    toward[:, 2] = torch.nn.functional.normalize(draws.normal(3) * 0.6 + torch.tensor([0.0, 0.2, 1.0]), dim=1)
    tint = 1 + draws.uniform(-0.14, 0.14, 5, 3)
    power = torch.cat([draws.uniform(0.13, 0.32, 1), draws.uniform(0.05, 0.19, 1), draws.uniform(0.03, 0.25, 3)], 1)
    warmth = draws.uniform(-0.12, 0.16, 1) * torch.tensor([1.0, 0.1, -1.0])
    direction = draws.normal(3) * torch.tensor([1.0, 0.7, 0.5]) + torch.tensor([0.0, 0.5, 0.8])
    return Light(
        ambient=ambient_of(toward, tint * power[:, :, None]),
        direction=torch.nn.functional.normalize(direction, dim=1),
        lamp=(draws.some(0.8, 0.15, 1.2) * draws.uniform(0.3, 1.0))[:, None] * (1 + warmth),
        gloss=draws.uniform(0.0, 1.0) ** 2,
        exposure=draws.uniform(0.30, 0.62),
    )


def cast_shadow(turned: Tensor, triangles: Tensor, direction: Tensor, softness: float = 0.03) -> Tensor:
    """How much of the lamp each vertex sees: a z-buffer drawn from the lamp, compared with the vertex's own depth.

    Args:
        turned: ``(B, V, 3)`` vertices in the axes of the viewer. triangles: ``(F, 3)``.
        direction: ``(B, 3)`` unit vectors to the lamp.
        softness: depth over which shade fades in, as a share of the head's extent: it also keeps a surface from
            shading itself.
    Returns:
        ``(B, V)`` in [0, 1], 1 in full light.
    """
    upright = direction[:, 1:2].abs() < 0.9
    up = torch.where(upright, direction.new_tensor([[0.0, 1, 0]]), direction.new_tensor([[1.0, 0, 0]]))
    right = torch.nn.functional.normalize(torch.linalg.cross(up, direction), dim=1)
    axes = torch.stack([right, torch.linalg.cross(direction, right), direction], 2)  # (B, 3, 3)
    seen = turned @ axes
    low, high = seen.amin(1, keepdim=True), seen.amax(1, keepdim=True)
    extent = (high - low)[..., :2].amax(2, keepdim=True)
    pixels = (seen - low) * ((_SHADOW_SIZE - 1) / extent)
    depth = rasterize(pixels, triangles, _SHADOW_SIZE, _SHADOW_SIZE).depth
    sampled = _sample_depth(depth, pixels[..., :2])  # (B, V, 4): the depths of the four pixels about each vertex
    fade = softness * _SHADOW_SIZE
    lit = 1 - ((sampled - pixels[..., 2:] - fade) / fade).clamp(0, 1)
    x, y = (pixels[..., :2] - pixels[..., :2].floor()).unbind(2)
    weights = torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 2)
    return (lit * weights).sum(2)


def _sample_depth(depth: Tensor, at: Tensor) -> Tensor:
    corner = at.floor().long().clamp(0, _SHADOW_SIZE - 2)
    first = corner[..., 1] * _SHADOW_SIZE + corner[..., 0]
    places = torch.stack([first, first + 1, first + _SHADOW_SIZE, first + _SHADOW_SIZE + 1], 2)
    return depth.flatten(1).gather(1, places.flatten(1)).view_as(places)


def shade(
    albedo: Tensor, normals: Tensor, light: Light, lit: Tensor, gloss: Tensor, backend: str | None = None
) -> Tensor:
    """Colours of the vertices under a light.

    Args:
        albedo: ``(B, V, 3)``. normals: ``(B, V, 3)`` unit, in the axes of the viewer. lit: ``(B, V)`` of
            :func:`cast_shadow`. gloss: ``(V, 2)`` how much each vertex shines, softly (skin) and sharply (eyes).
        backend: ``"numba"`` or ``"torch"``; chosen by the device if not given.
    Returns:
        ``(B, V, 3)`` light sent to the viewer, not negative; multiply by an exposure before display.
    """
    half = torch.nn.functional.normalize(light.direction + light.direction.new_tensor([0.0, 0.0, 1.0]), dim=1)
    if (backend or ("torch" if albedo.is_cuda else "numba")) == "torch":
        return _shade_torch(albedo, normals, light, half, lit, gloss)
    tensors = (albedo, normals, light.ambient, light.direction, light.lamp, half, light.gloss, lit, gloss)
    return torch.from_numpy(_shade_numba(*(np.ascontiguousarray(t.numpy()) for t in tensors)))


def _shade_torch(albedo: Tensor, normals: Tensor, light: Light, half: Tensor, lit: Tensor, gloss: Tensor) -> Tensor:
    wrap = normals.new_tensor(_WRAP)
    around = (harmonics(normals) @ light.ambient).clamp_min(0)
    facing = normals @ light.direction[:, :, None]
    direct = ((facing + wrap) / (1 + wrap)).clamp_min(0) * light.lamp[:, None] * lit[..., None]
    mirror = (normals @ half[:, :, None]).clamp_min(0)
    soft = mirror**16
    shine = soft * gloss[None, :, :1] * light.gloss[:, None, None] + soft**8 * gloss[None, :, 1:]
    return albedo * (around + direct) + shine * lit[..., None] * light.lamp[:, None]


@numba.njit(cache=True, parallel=True)
def _shade_numba(
    albedo: Array, normals: Array, ambient: Array, lamp_at: Array, lamp: Array, half: Array, shine: Array, lit: Array,
    gloss: Array,
) -> Array:  # fmt: skip
    batch, vertices = albedo.shape[:2]
    colours = np.empty((batch, vertices, 3), np.float32)
    for face in numba.prange(batch):
        a = ambient[face]
        for v in range(vertices):
            x, y, z = normals[face, v, 0], normals[face, v, 1], normals[face, v, 2]
            y1, y2, y3 = np.float32(0.488603) * y, np.float32(0.488603) * z, np.float32(0.488603) * x
            y4, y5 = np.float32(1.092548) * x * y, np.float32(1.092548) * y * z
            y6 = np.float32(0.315392) * (np.float32(3) * z * z - np.float32(1))
            y7, y8 = np.float32(1.092548) * x * z, np.float32(0.546274) * (x * x - y * y)
            facing = x * lamp_at[face, 0] + y * lamp_at[face, 1] + z * lamp_at[face, 2]
            mirror = max(x * half[face, 0] + y * half[face, 1] + z * half[face, 2], np.float32(0))
            mirror *= mirror
            mirror *= mirror
            mirror *= mirror
            mirror *= mirror
            sharp = mirror * mirror
            sharp *= sharp
            sharp *= sharp
            spot = (mirror * gloss[v, 0] * shine[face] + sharp * gloss[v, 1]) * lit[face, v]
            for c in range(3):
                around = np.float32(0.282095) * a[0, c] + y1 * a[1, c] + y2 * a[2, c] + y3 * a[3, c] + y4 * a[4, c]
                around += y5 * a[5, c] + y6 * a[6, c] + y7 * a[7, c] + y8 * a[8, c]
                wrap = np.float32(_WRAP[c])
                direct = max((facing + wrap) / (np.float32(1) + wrap), np.float32(0)) * lamp[face, c] * lit[face, v]
                colours[face, v, c] = albedo[face, v, c] * (max(around, np.float32(0)) + direct) + spot * lamp[face, c]
    return colours
