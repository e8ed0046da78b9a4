"""Landmarks to heatmaps and back: a pair of functions that are each other's inverse.

Heatmap pixels have whole-number centres. A network that divides the picture by ``stride`` has heatmap coordinates
``(x + 0.5) / stride - 0.5`` for picture coordinate ``x``: pixel edges stay on pixel edges.
"""

from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DECODERS = ("argmax", "quarter", "log-parabola", "log-quadratic")

Array = NDArray[Any]

_SMALLEST = 1e-10  # stands in for values that have no logarithm, and for no curvature
_FLOOR = 1e-4  # of the peak: smoothed neighbours count as at least this
_FARTHEST = 2.0  # pixels from the largest pixel to the top of the quadratic: noise may lift a neighbour above it
_RADIUS = 5  # of the smoothing kernel, in pixels; DARK's
_DEVIATION = 0.35  # of the kernel, in units of its radius; DARK has 0.4, better for peaks wider than 2 pixels only
_LOWEST = -40.0  # exponent: the product of two such Gaussians is still a normal float32; smaller ones are slow


def to_heatmap_pixels(points: Tensor, stride: float) -> Tensor:
    """Picture pixels ``(..., 2)`` to pixels of a heatmap that is ``stride`` times smaller."""
    return (points + 0.5) / stride - 0.5


def to_picture_pixels(points: Tensor, stride: float) -> Tensor:
    """The inverse of :func:`to_heatmap_pixels`."""
    return (points + 0.5) * stride - 0.5


def encode_heatmaps(points: Tensor, height: int, width: int, sigma: float = 1.0) -> Tensor:
    """One Gaussian a landmark, centred on the exact, not the rounded, position; peak value 1.

    Args:
        points: ``(B, L, 2)`` heatmap pixels (x, y).
        height, width: of the heatmaps.
        sigma: standard deviation in heatmap pixels, positive.
    Returns:
        ``(B, L, height, width)`` in the dtype and on the device of ``points``. A landmark outside the map, or one
        that is not finite, gives a map of zeros.
    Source: FAN trains with a standard deviation of 1 pixel on 64 x 64 maps (its released code draws 1.75 pixels
    around a rounded centre).
    """
    if points.ndim != 3 or points.shape[2] != 2 or not points.is_floating_point():
        raise ValueError(f"points: expected floating-point (B, L, 2), got {points.dtype} {tuple(points.shape)}")
    if sigma <= 0:
        raise ValueError(f"sigma: expected a positive number of heatmap pixels, got {sigma}")
    size = points.new_tensor([width, height])
    inside = ((points > -0.5) & (points < size - 0.5)).all(2, keepdim=True)  # False for NaN
    pixels = torch.arange(max(height, width), device=points.device, dtype=points.dtype)
    distance = pixels - torch.where(inside, points, 0.0)[..., None]  # (B, L, 2, the longer side)
    bells = torch.exp((distance.square() * (-0.5 / sigma**2)).clamp_min(_LOWEST)) * inside[..., None]
    return bells[..., 1, :height, None] * bells[..., 0, None, :width]


def decode_heatmaps(heatmaps: Tensor, method: str = "log-parabola") -> Tensor:
    """The position of the peak of each map.

    Args:
        heatmaps: ``(B, L, H, W)``.
        method: ``"argmax"``: the largest pixel. ``"quarter"``: a quarter pixel from there towards its larger
            neighbour, as in FAN. ``"log-parabola"``: the top of the parabola through the logarithms of the largest
            pixel and its two neighbours. ``"log-quadratic"``: the top of the quadratic fitted to the logarithms of
            3 x 3 pixels after smoothing, for maps with noise. The last two are exact for a Gaussian. Peaks on the
            border are not refined.
    Returns:
        ``(B, L, 2)`` float32 heatmap pixels (x, y). Only the two logarithmic decoders have gradients.
    Raises:
        ValueError: on another shape or an unknown method.
    Source: FAN, section 3 (quarter); Zhang et al. 2020, "Distribution-aware coordinate representation" (DARK),
    section 3: smoothing, logarithm, second-order expansion. DARK smooths whole maps; here only what the expansion
    reads is smoothed, by a kernel that shrinks towards the border.
    """
    if heatmaps.ndim != 4:
        raise ValueError(f"heatmaps: expected shape (B, L, H, W), got {tuple(heatmaps.shape)}")
    if method not in DECODERS:
        raise ValueError(f"decoder: expected one of {', '.join(DECODERS)}, got {method!r}")
    maps = heatmaps.float().flatten(0, 1)  # (N, H, W), N = B * L
    if maps.device.type == "cpu" and not (maps.requires_grad and torch.is_grad_enabled()):
        points = _decode_compiled(maps.detach().contiguous(), method)
    else:
        points = _decode(maps, method)
    return points.unflatten(0, heatmaps.shape[:2])


def _decode(maps: Tensor, method: str) -> Tensor:
    """:func:`decode_heatmaps` of maps ``(N, H, W)`` on any device, with gradients."""
    index = maps.flatten(1).argmax(1)
    x, y = index % maps.shape[2], index // maps.shape[2]
    peak = torch.stack([x, y], 1).float()
    if method == "argmax":
        return peak
    if method == "log-quadratic":
        return peak + _quadratic_offset(maps, x, y)
    map_number = torch.arange(len(maps), device=maps.device)
    row, column = maps[map_number, y], maps[map_number, :, x]
    return peak + torch.stack([_line_offset(row, x, method), _line_offset(column, y, method)], 1)


def _line_offset(line: Tensor, peak: Tensor, method: str) -> Tensor:
    """Sub-pixel part along one axis: ``line`` ``(N, K)`` through the peak at index ``peak`` ``(N,)``."""
    last = line.shape[1] - 1
    at = (peak[:, None] + torch.arange(-1, 2, device=peak.device)).clamp(0, last)
    left, centre, right = line.gather(1, at).unbind(1)
    if method == "quarter":
        offset = 0.25 * (right - left).sign()
    else:
        left, centre, right = (value.clamp_min(_SMALLEST).log() for value in (left, centre, right))
        curvature = (2 * centre - left - right).clamp_min(_SMALLEST)
        offset = (0.5 * (right - left) / curvature).clamp(-0.5, 0.5)
    refined = (peak > 0) & (peak < last)
    return torch.where(refined, offset, torch.zeros_like(offset))


@cache
def _smoothing() -> Tensor:
    """Weights ``(R + 1, 3, 2 R + 3)`` that give three smoothed neighbours from a line of ``2 R + 3`` pixels.

    The first index is the radius of the kernel, from 0 (no smoothing) to R. At every radius the kernel is a Gaussian
    cut at the same share of its deviation, so a Gaussian peak stays one.
    """
    distance = torch.arange(-_RADIUS - 1, _RADIUS + 2) - torch.arange(-1, 2)[:, None]  # (3, 2 R + 3)
    radius = torch.arange(_RADIUS + 1)[:, None, None]
    deviation = (_DEVIATION * radius).clamp_min(0.1)  # 0.1 leaves nothing of the neighbours at radius 0
    weights = torch.exp(-((distance / deviation) ** 2) / 2) * (distance.abs() <= radius)
    return weights / weights.sum(2, keepdim=True)


def _quadratic_offset(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sub-pixel part ``(N, 2)`` by the quadratic through smoothed logarithms round the peaks at ``x``, ``y``."""
    height, width = maps.shape[1:]
    around = torch.arange(-_RADIUS - 1, _RADIUS + 2, device=maps.device)
    rows, columns = (y[:, None] + around).clamp(0, height - 1), (x[:, None] + around).clamp(0, width - 1)
    map_number = torch.arange(len(maps), device=maps.device)[:, None, None]
    patch = maps[map_number, rows[:, :, None], columns[:, None, :]]  # (N, 2 R + 3, 2 R + 3)
    room_x, room_y = torch.minimum(x, width - 1 - x), torch.minimum(y, height - 1 - y)
    weights = _smoothing().to(maps.device)
    down, across = (weights[(room - 1).clamp(0, _RADIUS)] for room in (room_y, room_x))
    smooth = down @ patch @ across.mT  # (N, 3, 3)
    floor = (_FLOOR * smooth[:, 1:2, 1:2]).clamp_min(_SMALLEST)
    log = torch.maximum(smooth, floor).log()
    # Least squares on nine points: slopes and curvatures are means of differences.
    slope_x, slope_y = (log[:, :, 2] - log[:, :, 0]).sum(1) / 6, (log[:, 2] - log[:, 0]).sum(1) / 6
    bend_xx = (log[:, :, 0] - 2 * log[:, :, 1] + log[:, :, 2]).sum(1) / 3
    bend_yy = (log[:, 0] - 2 * log[:, 1] + log[:, 2]).sum(1) / 3
    bend_xy = (log[:, 0, 0] - log[:, 0, 2] - log[:, 2, 0] + log[:, 2, 2]) / 4
    determinant = bend_xx * bend_yy - bend_xy**2
    refined = (room_x > 0) & (room_y > 0) & (bend_xx < 0) & (determinant > _SMALLEST)
    divisor = torch.where(refined, determinant, 1.0)
    step_x = (bend_xy * slope_y - bend_yy * slope_x) / divisor
    step_y = (bend_xy * slope_x - bend_xx * slope_y) / divisor
    step = torch.stack([step_x, step_y], 1).clamp(-_FARTHEST, _FARTHEST)
    return torch.where(refined[:, None], step, 0.0)


def _decode_compiled(maps: Tensor, method: str) -> Tensor:
    """:func:`_decode` on a CPU: NumPy's arg-max reads memory as fast as it comes, and compiled loops do the rest."""
    values = maps.numpy()
    index = values.reshape(len(values), -1).argmax(1)
    points = np.empty((len(values), 2), np.float32)
    _refine(values, index, DECODERS.index(method), _smoothing().numpy(), points)
    return torch.from_numpy(points)


@numba.njit(cache=True, nogil=True)
def _refine(maps: Array, index: Array, method: int, smoothing: Array, points: Array) -> None:
    """Writes the refined positions ``points`` (N, 2) of the largest pixels at ``index`` (N,)."""
    _, height, width = maps.shape
    smooth = np.empty((3, 3), np.float32)
    for n in range(len(maps)):
        grid = maps[n]
        y, x = index[n] // width, index[n] % width
        inside_x, inside_y = 0 < x < width - 1, 0 < y < height - 1
        step_x = step_y = np.float32(0)
        if method == 3:
            if inside_x and inside_y:
                _smooth(grid, x, y, smoothing, smooth)
                step_x, step_y = _top(smooth)
        elif method > 0:
            if inside_x:
                step_x = _step(grid[y, x - 1], grid[y, x], grid[y, x + 1], method == 1)
            if inside_y:
                step_y = _step(grid[y - 1, x], grid[y, x], grid[y + 1, x], method == 1)
        points[n, 0], points[n, 1] = np.float32(x) + step_x, np.float32(y) + step_y


@numba.njit(cache=True, nogil=True)
def _step(left: float, centre: float, right: float, quarter: bool) -> np.float32:
    """:func:`_line_offset` of one peak."""
    if quarter:
        return np.float32(0.25 * np.sign(right - left))
    left, centre, right = np.log(max(left, _SMALLEST)), np.log(max(centre, _SMALLEST)), np.log(max(right, _SMALLEST))
    step = 0.5 * (right - left) / max(2 * centre - left - right, _SMALLEST)
    return np.float32(min(max(step, -0.5), 0.5))


@numba.njit(cache=True, nogil=True)
def _smooth(grid: Array, x: int, y: int, smoothing: Array, smooth: Array) -> None:
    """Writes the smoothed 3 x 3 neighbours of a peak that is not on the border: first along x, then along y."""
    height, width = grid.shape
    largest = len(smoothing) - 1
    middle = largest + 1  # of a line of weights
    radius_x, radius_y = min(largest, x - 1, width - 2 - x), min(largest, y - 1, height - 2 - y)
    smooth[:] = 0
    for row in range(-radius_y - 1, radius_y + 2):
        for i in range(3):
            total = np.float32(0)
            for column in range(-radius_x - 1, radius_x + 2):
                total += smoothing[radius_x, i, middle + column] * grid[y + row, x + column]
            for j in range(3):
                smooth[j, i] += smoothing[radius_y, j, middle + row] * total


@numba.njit(cache=True, nogil=True)
def _top(smooth: Array) -> tuple[np.float32, np.float32]:
    """The second half of :func:`_quadratic_offset` for one peak."""
    floor = max(np.float32(_FLOOR) * smooth[1, 1], np.float32(_SMALLEST))
    log = np.log(np.maximum(smooth, floor))
    west, middle, east = log[:, 0].sum(), log[:, 1].sum(), log[:, 2].sum()
    north, centre, south = log[0].sum(), log[1].sum(), log[2].sum()
    slope_x, slope_y = (east - west) / 6, (south - north) / 6
    bend_xx, bend_yy = (west - 2 * middle + east) / 3, (north - 2 * centre + south) / 3
    bend_xy = (log[0, 0] - log[0, 2] - log[2, 0] + log[2, 2]) / 4
    determinant = bend_xx * bend_yy - bend_xy**2
    if not (bend_xx < 0 and determinant > _SMALLEST):
        return np.float32(0), np.float32(0)
    step_x = (bend_xy * slope_y - bend_yy * slope_x) / determinant
    step_y = (bend_xy * slope_x - bend_xx * slope_y) / determinant
    return (
        np.float32(min(max(step_x, -_FARTHEST), _FARTHEST)),
        np.float32(min(max(step_y, -_FARTHEST), _FARTHEST)),
    )
