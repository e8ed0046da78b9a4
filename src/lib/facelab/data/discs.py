"""Landmarks to discs and back: what a network that detects parts is taught."""

import torch
from torch import Tensor


def encode_discs(points: Tensor, height: int, width: int, radius: float | Tensor) -> Tensor:
    """One map a landmark: 1 within ``radius`` of it, 0 elsewhere.

    Args:
        points: ``(B, L, 2)`` pixels (x, y); whole numbers are centres of pixels.
        radius: in pixels, positive; a number, or ``(B,)``, one a face.
    Returns:
        ``(B, L, height, width)`` of 0 and 1, in the dtype and on the device of ``points``. A landmark that is not
        finite gives a map of zeros.
    Raises:
        ValueError: on points of another shape or dtype, or a radius that is not positive.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), section 2.1: radius 7 where the box of the face is 220 pixels high.
    """
    if points.ndim != 3 or points.shape[2] != 2 or not points.is_floating_point():
        raise ValueError(f"points: expected floating-point (B, L, 2), got {points.dtype} {tuple(points.shape)}")
    reach = torch.as_tensor(radius, dtype=points.dtype, device=points.device).expand(len(points))
    if not bool((reach > 0).all()):
        raise ValueError(f"radius: expected positive numbers of pixels, got {radius}")
    across = torch.arange(width, device=points.device, dtype=points.dtype) - points[..., :1]
    down = torch.arange(height, device=points.device, dtype=points.dtype) - points[..., 1:]
    squared = down.square()[..., :, None] + across.square()[..., None, :]
    return (squared <= reach.square()[:, None, None, None]).to(points)  # False for NaN


def decode_discs(maps: Tensor) -> Tensor:
    """The middle of what is bright in each map: the centre of mass of the pixels above half of the largest.

    A disc is flat, so its brightest pixel may be any of it; its centre of mass is its centre.

    Args:
        maps: ``(B, L, H, W)``, probabilities.
    Returns:
        ``(B, L, 2)`` float32 pixels (x, y).
    Raises:
        ValueError: on another shape.
    Source: ours; the paper reads no landmark from the maps of its detection.
    """
    if maps.ndim != 4:
        raise ValueError(f"maps: expected shape (B, L, H, W), got {tuple(maps.shape)}")
    values = maps.float()
    bright = values * (values > values.amax((2, 3), keepdim=True) / 2)
    total = bright.sum((2, 3)).clamp_min(1e-12)
    x = torch.arange(maps.shape[3], device=maps.device, dtype=torch.float32)
    y = torch.arange(maps.shape[2], device=maps.device, dtype=torch.float32)
    return torch.stack([bright.sum(2) @ x, bright.sum(3) @ y], 2) / total[..., None]
