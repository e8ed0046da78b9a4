"""The similarity that best moves one set of points onto another (Umeyama 1991)."""

from typing import NamedTuple

import torch
from torch import Tensor


class Similarity(NamedTuple):
    """``y = scale * rotation @ x + translation`` for a batch.

    Attributes:
        scale: ``(B,)``. rotation: ``(B, D, D)``. translation: ``(B, D)``.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def apply(self, points: Tensor) -> Tensor:
        """Moves points ``(B, L, D)``."""
        turned = points @ self.rotation.transpose(1, 2)
        return self.scale[:, None, None] * turned + self.translation[:, None]


def similarity(source: Tensor, target: Tensor) -> Similarity:
    """Least-squares similarity from ``source`` to ``target``, without reflection.

    Args:
        source, target: ``(B, L, D)`` corresponding points, D of 2 or 3. Computed in float64.
    Returns:
        A :class:`Similarity` in the dtype of ``source``.
    Raises:
        ValueError: on unequal or wrong shapes, or when the points of a source coincide.
    Source: Umeyama 1991, eq. 40-42.
    """
    if source.shape != target.shape or source.ndim != 3 or source.shape[2] not in (2, 3):
        raise ValueError(
            f"similarity: expected two (B, L, 2) or (B, L, 3) sets, got {tuple(source.shape)}, {tuple(target.shape)}"
        )
    x, y = source.double(), target.double()
    x_mean, y_mean = x.mean(1), y.mean(1)
    x, y = x - x_mean[:, None], y - y_mean[:, None]
    variance = x.square().sum((1, 2)) / x.shape[1]
    if bool((variance <= 0).any()):
        raise ValueError("similarity: all points of a source coincide, so its scale is undefined")
    u, d, vt = torch.linalg.svd(y.transpose(1, 2) @ x / x.shape[1])
    sign = torch.ones_like(d)
    sign[:, -1] = torch.det(u @ vt).sign()  # a mirrored fit is turned into the best proper rotation
    rotation = u @ (sign[:, :, None] * vt)
    scale = (d * sign).sum(1) / variance
    translation = y_mean - scale[:, None] * (rotation @ x_mean[:, :, None])[:, :, 0]
    return Similarity(scale.to(source), rotation.to(source), translation.to(source))
