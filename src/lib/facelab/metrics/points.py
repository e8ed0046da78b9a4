"""What all measures ask of the points they are given."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_pair(
    predicted: Tensor, target: Tensor, visible: Tensor | None = None, dimensions: Sequence[int] = (2, 3)
) -> None:
    """Checks everything of two sets ``(N, L, D)`` but their numbers; :func:`check_finite` is for these.

    Args:
        visible: ``(N, L)`` bool.
        dimensions: the D that are taken.
    Raises:
        ValueError: on an empty set, wrong or unequal shapes, or a face without a visible landmark.
        TypeError: if one is no tensor.
    """
    for name, points in (("predicted", predicted), ("target", target)):
        if not isinstance(points, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(points).__name__}")
    if predicted.shape != target.shape or target.ndim != 3 or target.shape[2] not in dimensions:
        shapes = " or ".join(f"(N, L, {dimension})" for dimension in dimensions)
        raise ValueError(
            f"predicted, target: expected two sets of shape {shapes}, "
            f"got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if target.numel() == 0:
        raise ValueError(f"predicted, target: expected at least one face and one landmark, got {tuple(target.shape)}")
    check_visible(visible, tuple(target.shape[:2]))


def check_visible(visible: Tensor | None, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless the mask, if there is one, is ``(N, L)`` bool and shows a landmark of every face."""
    if visible is None:
        return
    if not isinstance(visible, Tensor) or visible.dtype != torch.bool or visible.shape != shape:
        got = f"{tuple(visible.shape)} {visible.dtype}" if isinstance(visible, Tensor) else type(visible).__name__
        raise ValueError(f"visible: expected a bool tensor of shape {shape}, got {got}")
    seen = visible.any(1)
    if not bool(seen.all()):
        raise ValueError(f"visible: face {first(~seen)} has no visible landmark; leave it out")


def check_finite(name: str, points: Tensor, visible: Tensor | None = None) -> None:
    """Raises ValueError if a coordinate of a visible landmark is NaN or infinite."""
    bad = ~torch.isfinite(points).all(2)
    if visible is not None:
        bad &= visible.to(bad.device)
    if bool(bad.any()):
        raise ValueError(
            f"{name}: expected finite coordinates, found NaN or infinity in face {first(bad.any(1))}; "
            "landmarks that are not there are left out by the mask visible"
        )


def checked_pair(
    predicted: Tensor, target: Tensor, visible: Tensor | None = None, dimensions: Sequence[int] = (2, 3)
) -> tuple[Tensor, Tensor]:
    """Both sets, wholly checked, in float64."""
    check_pair(predicted, target, visible, dimensions)
    check_finite("predicted", predicted, visible)
    check_finite("target", target, visible)
    return predicted.detach().double(), target.detach().double()


def extents(points: Tensor, visible: Tensor | None = None) -> Tensor:
    """``(N, D)`` float64: largest less smallest coordinate of the visible landmarks of ``(N, L, D)``."""
    if visible is None:
        rows = points.detach().transpose(1, 2).contiguous()  # the largest of a row is found fast, that of a column not
        return rows.amax(2).double() - rows.amin(2).double()
    hidden = ~visible.to(points.device)[:, :, None]
    low, high = (points.detach().double().masked_fill(hidden, end) for end in (torch.inf, -torch.inf))
    return high.amax(1) - low.amin(1)


def first(faces: Tensor) -> int:
    """Index of the first True of ``(N,)``."""
    return int(faces.to(torch.uint8).argmax())
