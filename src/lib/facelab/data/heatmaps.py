"""Landmarks to heatmaps and back: a pair of functions that are each other's inverse.

Heatmap pixels have whole-number centres. A network that divides the picture by ``stride`` has heatmap coordinates
``(x + 0.5) / stride - 0.5`` for picture coordinate ``x``: pixel edges stay on pixel edges.
"""

import torch
from torch import Tensor

DECODERS = ("argmax", "quarter", "log-parabola")


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
    columns = torch.arange(width, device=points.device, dtype=points.dtype)
    rows = torch.arange(height, device=points.device, dtype=points.dtype)
    x, y = points[..., 0, None], points[..., 1, None]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)  # False for NaN
    across = torch.exp(-((columns - x) ** 2) / (2 * sigma**2)).where(inside, points.new_zeros(()))
    down = torch.exp(-((rows - y) ** 2) / (2 * sigma**2)).where(inside, points.new_zeros(()))
    return down[..., :, None] * across[..., None, :]


def decode_heatmaps(heatmaps: Tensor, method: str = "log-parabola") -> Tensor:
    """The position of the peak of each map.

    Args:
        heatmaps: ``(B, L, H, W)``.
        method: ``"argmax"``: the largest pixel. ``"quarter"``: a quarter pixel from there towards its larger
            neighbour, as in FAN. ``"log-parabola"``: the top of the parabola through the logarithms of the largest
            pixel and its two neighbours, exact for a Gaussian. Peaks on the border are not refined.
    Returns:
        ``(B, L, 2)`` float32 heatmap pixels (x, y).
    Raises:
        ValueError: on another shape or an unknown method.
    Source: FAN, section 3 (quarter); Zhang et al. 2020, "Distribution-aware coordinate representation", section 3
    (the same idea with a two-dimensional expansion).
    """
    if heatmaps.ndim != 4:
        raise ValueError(f"heatmaps: expected shape (B, L, H, W), got {tuple(heatmaps.shape)}")
    if method not in DECODERS:
        raise ValueError(f"decoder: expected one of {', '.join(DECODERS)}, got {method!r}")
    maps = heatmaps.float()
    # Rows first, then columns: on a CPU far faster than one arg-max over the flattened map.
    y = maps.amax(3).argmax(2)  # (B, L)
    row = maps.gather(2, y[..., None, None].expand(-1, -1, 1, maps.shape[3]))[:, :, 0]  # (B, L, W)
    x = row.argmax(2)
    column = maps.gather(3, x[..., None, None].expand(-1, -1, maps.shape[2], 1))[..., 0]  # (B, L, H)
    peak = torch.stack([x, y], -1).float()
    if method == "argmax":
        return peak
    return peak + torch.stack([_offset(row, x, method), _offset(column, y, method)], -1)


def _offset(line: Tensor, peak: Tensor, method: str) -> Tensor:
    """Sub-pixel part along one axis: ``line`` ``(B, L, N)`` through the peak at index ``peak`` ``(B, L)``."""
    last = line.shape[2] - 1
    at = (peak.clamp(1, max(last - 1, 1))[..., None] + torch.arange(-1, 2, device=peak.device)).clamp(0, last)
    left, centre, right = line.gather(2, at).unbind(2)
    if method == "quarter":
        offset = 0.25 * (right - left).sign()
    else:
        left, centre, right = (value.clamp_min(1e-10).log() for value in (left, centre, right))
        curvature = (2 * centre - left - right).clamp_min(1e-10)
        offset = (0.5 * (right - left) / curvature).clamp(-0.5, 0.5)
    refined = (peak > 0) & (peak < last)
    return torch.where(refined, offset, torch.zeros_like(offset))
