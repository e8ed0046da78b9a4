"""How steady landmarks are from frame to frame."""

import torch
from torch import Tensor

from facelab.markups import Markup
from facelab.metrics.normalizers import lengths_of
from facelab.metrics.points import check_visible, checked_pair


def stability(
    predicted: Tensor,
    target: Tensor,
    normalizer: str | Tensor = "bbox",
    *,
    markup: str | Markup | None = None,
    boxes: Tensor | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """How much the predicted motion differs from the true one, for each step between frames of one video.

    A step is the offset of a landmark from a frame to the next; its error is the distance of predicted and true
    offset. A constant shift of the prediction costs nothing, trembling does. The error of a step is averaged over
    landmarks and divided by the length of the later frame.

    Args:
        predicted, target: ``(T, L, D)`` of consecutive frames, T of at least 2, D of 2 or 3.
        normalizer, markup, boxes: as in :func:`facelab.metrics.nme`; a tensor has ``(T,)`` lengths.
        visible: ``(T, L)`` bool; a landmark counts in a step if it is visible in both frames.
    Returns:
        ``(T - 1,)`` float64 fractions. Their mean is the stability of the video; lower is steadier.
    Raises:
        ValueError: as ``nme``; fewer than two frames; a step without a landmark visible in both frames.
    Source: the measure that 3DDFA_V2 (Guo et al. 2020) reports for Menpo-3D, which divides by the size of a box;
        that it is the box of the later frame is a choice made here.
    """
    points, truth = checked_pair(predicted, target, visible)
    if len(truth) < 2:
        raise ValueError(f"predicted, target: expected at least two frames, got {len(truth)}")
    lengths = lengths_of(target, normalizer, markup, boxes, visible)[1:]
    apart = (points - truth).diff(dim=0).norm(dim=2)
    if visible is None:
        return apart.mean(1) / lengths
    both = visible[1:] & visible[:-1]
    check_visible(both, tuple(apart.shape))
    both = both.to(apart.device)
    return torch.where(both, apart, 0.0).sum(1) / both.sum(1) / lengths
