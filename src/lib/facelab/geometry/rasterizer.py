"""A z-buffer: which triangle does each pixel see, and where in it?

Visibility comes first and colour after, so the colours of hidden triangles are never computed. A pixel belongs to a
triangle when its centre lies inside it or on its border (the inclusive rule), so two triangles that share an edge leave
no hole; where both cover a pixel the nearer one wins, and at equal depth (in float32) the one listed first.

Two implementations give the same picture: compiled loops on the CPU, and whole-batch tensor operations on CUDA.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelab.geometry import rasterizer_cpu, rasterizer_torch

_BACKENDS = ("numba", "torch")


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


def rasterize(vertices: Tensor, triangles: Tensor, height: int, width: int, backend: str | None = None) -> Raster:
    """Finds the nearest triangle of every pixel. The result carries no gradient.

    Args:
        vertices: ``(B, V, 3)`` or ``(V, 3)`` pixels: x right, y down, z larger is nearer. Read as float32.
        triangles: ``(F, 3)`` int64 or int32, either orientation (nothing is culled).
        height, width: pixels, positive.
        backend: ``"numba"`` (CPU, threads over the batch) or ``"torch"`` (any device with float64, meant for CUDA).
            By default ``"torch"`` for vertices on CUDA and ``"numba"`` for all others. Both give the same result.
    Returns:
        A :class:`Raster` on the device of ``vertices``; without the leading B when ``vertices`` had none.
    Raises:
        ValueError: on wrong shapes, a corner index out of range, coordinates that are not finite, an unknown backend.
    """
    _check_shapes(vertices, triangles, height, width)
    chosen = _backend(backend, vertices)
    batched = vertices.detach().reshape(-1, *vertices.shape[-2:]).float()
    triangles = triangles.to(vertices.device)
    draw = _draw_compiled if chosen == "numba" else rasterizer_torch.draw_batch
    fields = draw(batched, triangles, height, width)
    return Raster(*(fields if vertices.ndim == 3 else (field[0] for field in fields)))


def _draw_compiled(vertices: Tensor, triangles: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    shape = (len(vertices), height, width)
    triangle, depth = np.empty(shape, np.int64), np.empty(shape, np.float32)
    weights = np.empty((*shape, 3), np.float32)
    points, corners = vertices.cpu().contiguous().numpy(), triangles.cpu().contiguous().numpy()
    state = rasterizer_cpu.draw_batch(points, corners, triangle, weights, depth)
    if state == rasterizer_cpu.BAD_INDEX:
        raise ValueError(f"triangles: expected indices from 0 to {vertices.shape[1] - 1}")
    if state == rasterizer_cpu.NOT_FINITE:
        raise ValueError("vertices: expected finite coordinates, found NaN or infinity")
    first, second, third = (torch.from_numpy(field).to(vertices.device) for field in (triangle, weights, depth))
    return first, second, third


def _check_shapes(vertices: Tensor, triangles: Tensor, height: int, width: int) -> None:
    if vertices.ndim not in (2, 3) or vertices.shape[-1] != 3 or not vertices.shape[-2]:
        raise ValueError(f"vertices: expected shape (V, 3) or (B, V, 3) with V > 0, got {tuple(vertices.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"triangles: expected int64 or int32 of shape (F, 3), got {triangles.dtype} {tuple(triangles.shape)}"
        )
    if height < 1 or width < 1:
        raise ValueError(f"picture size: expected positive height and width, got {height} x {width}")


def _backend(named: str | None, values: Tensor) -> str:
    if named is None:
        return "torch" if values.is_cuda else "numba"
    if named not in _BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(_BACKENDS)} or None, got {named!r}")
    return named


def interpolate(
    raster: Raster, triangles: Tensor, attributes: Tensor, background: Tensor, backend: str | None = None
) -> Tensor:
    """Spreads vertex attributes (colours, normals, positions ...) over the pixels of a batch.

    Args:
        raster: of a batch, ``(B, H, W)``. triangles: ``(F, 3)``, those of the raster.
        attributes: ``(B, V, C)`` float32.
        background: ``(B, H, W, C)``, kept where no triangle is seen; any shape that broadcasts to this one.
        backend: as in :func:`rasterize`. By default ``"torch"`` on CUDA and where a gradient is asked for, which
            ``"numba"`` does not carry.
    Returns:
        ``(B, H, W, C)`` float32 on the device of ``attributes``.
    Raises:
        ValueError: on shapes that do not fit each other, an unknown backend or (``"numba"``) another mesh's raster.
    """
    shape = (*raster.triangle.shape, attributes.shape[-1])
    if len(shape) != 4 or attributes.ndim != 3 or len(attributes) != shape[0]:
        raise ValueError(
            f"attributes: expected shape (B, V, C) for a raster (B, H, W), got {tuple(attributes.shape)} "
            f"for {tuple(raster.triangle.shape)}"
        )
    try:
        behind = background.to(attributes.device, torch.float32).expand(shape)
    except RuntimeError:
        raise ValueError(f"background: expected shape {shape}, got {tuple(background.shape)}") from None
    values, device = attributes.float(), attributes.device
    differentiable = torch.is_grad_enabled() and (attributes.requires_grad or background.requires_grad)
    if _backend(backend or ("torch" if differentiable else None), attributes) == "torch":
        parts = (raster.triangle.to(device), raster.barycentric.to(device), triangles.to(device))
        return rasterizer_torch.blend(*parts, values, behind)
    seen, corners = raster.triangle.cpu().contiguous().numpy(), triangles.cpu().contiguous().numpy()
    if seen.max(initial=-1) >= len(corners) or not _in_range(corners, attributes.shape[1]):
        raise ValueError(
            f"attributes: expected those of the mesh that was rasterised, got {attributes.shape[1]} vertices and "
            f"{len(corners)} triangles, which do not fit the raster"
        )
    weights, points = raster.barycentric.cpu().contiguous().numpy(), values.detach().cpu().contiguous().numpy()
    picture = np.empty(shape, np.float32)
    rasterizer_cpu.blend(seen, weights, corners, points, behind.detach().cpu().numpy(), picture)
    return torch.from_numpy(picture).to(device)


def _in_range(corners: NDArray[Any], count: int) -> bool:
    unsigned = corners.view(f"u{corners.itemsize}")  # negative numbers become huge ones
    return bool(unsigned.max(initial=0) < count) or not len(corners)
