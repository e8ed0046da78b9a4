"""What the losses of landmarks share: which landmarks count, and the mean over them."""

from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "none"]


def landmark_errors(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Predicted minus true coordinates, and which landmarks have a true place.

    The target is data: no gradient flows to it, and none to the prediction of a landmark that is missing.

    Args:
        predicted, target: ``(B, L, D)``; a landmark with a target coordinate that is not finite is missing.
    Returns:
        Errors ``(B, L, D)``, zero for missing landmarks, and ``(B, L)`` bool.
    Raises:
        ValueError: on shapes that are unequal or not ``(B, L, D)``, or a target of integers.
    """
    if target.ndim != 3 or not target.is_floating_point():
        raise ValueError(f"target: expected (B, L, D) of floating point, got {tuple(target.shape)} {target.dtype}")
    if predicted.shape != target.shape:
        raise ValueError(f"predicted: expected shape {tuple(target.shape)}, got {tuple(predicted.shape)}")
    present = target.isfinite().all(-1)
    return torch.where(present[..., None], predicted - target.detach(), 0), present


def averaged(costs: Tensor, present: Tensor, reduction: Reduction) -> Tensor:
    """The mean of the costs ``(B, L)`` of all landmarks that are ``present`` ``(B, L)`` bool, or the costs.

    Args:
        reduction: ``"mean"``: a scalar, every landmark of the batch counting the same; 0 where none is present.
            ``"none"``: the costs, 0 for landmarks that are missing.
    Raises:
        ValueError: on another reduction.
    """
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction: expected 'mean' or 'none', got {reduction!r}")
    counted = torch.where(present, costs, 0)
    return counted if reduction == "none" else counted.sum() / present.sum().clamp(min=1)


def check_positive(**values: float) -> None:
    """Raise ValueError for the first value that is not above zero, with its name."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, got {value}")
