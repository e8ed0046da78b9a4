"""The landmark maps that the authors' depth network was given."""

import torch
from torch import Tensor

_SIDE = 13  # of the patch drawn, in pixels
_DEVIATION = _SIDE / 4  # pixels


def landmark_maps(points: Tensor, height: int = 256, width: int = 256) -> Tensor:
    """One map a landmark, drawn pixel for pixel as the authors' package draws them for its depth network.

    A Gaussian of standard deviation 3.25 pixels is cut off to 13 x 13 pixels, and its centre is a whole pixel: the
    landmark rounded down, minus one in both directions. Near the upper and left border the patch is moved instead of
    cut, by up to two pixels. A landmark on or beyond those borders gives an empty map. All this is what the released
    weights know; a network trained here is better given exact positions.

    Args:
        points: ``(B, L, 2)``, pixels (x, y) of the crop; the centre of the top-left pixel is (0, 0).
        height, width: of the crop.
    Returns:
        ``(B, L, height, width)``, at most 1.
    Raises:
        ValueError: on points of another shape or dtype.
    Source: ``draw_gaussian`` of face-alignment, and its use before the depth network.
    """
    if points.ndim != 3 or points.shape[2] != 2 or not points.is_floating_point():
        raise ValueError(f"points: expected floating-point (B, L, 2), got {points.dtype} {tuple(points.shape)}")
    edges = points + 0.5  # theirs count from the corner of the first pixel
    across = _profile(edges[..., 0], width)[..., None, :]
    down = _profile(edges[..., 1], height)[..., :, None]
    drawn = (edges > 0).all(2)[..., None, None]
    return torch.where(drawn, down * across, 0.0)


def _profile(edges: Tensor, length: int) -> Tensor:
    """The patch along one axis, ``(B, L)`` to ``(B, L, length)``; pixels are counted from 1, as in their code."""
    first = torch.floor(edges - _SIDE // 2)[..., None]
    last = torch.floor(edges + _SIDE // 2)[..., None]
    pixels = torch.arange(1, length + 1, device=edges.device, dtype=edges.dtype)
    entry = pixels - first.clamp_min(1) + (-first).clamp_min(1)  # of the kernel, whose middle is entry 7
    bell = torch.exp(-0.5 * ((entry - (_SIDE + 1) / 2) / _DEVIATION).square())
    return torch.where((pixels >= first.clamp_min(1)) & (pixels <= last), bell, 0.0)
