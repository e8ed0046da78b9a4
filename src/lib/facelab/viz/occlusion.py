"""Where in a picture a network looks: what its answer loses when a place is covered."""

from collections.abc import Callable

import torch
from torch import Tensor

_GREY = 0.5


def occlusion_sensitivity(answer: Callable[[Tensor], Tensor], images: Tensor, square: int, stride: int = 1) -> Tensor:
    """How much each number of an answer changes when a grey square covers a place of the picture.

    Args:
        answer: from pictures ``(B, 3, S, S)`` to numbers ``(B, N)``.
        images: ``(B, 3, S, S)``. square: its side in pixels. stride: from one place to the next; the cell ``(i, j)``
            of the outcome has its centre at the pixel ``((j + 0.5) * stride - 0.5, (i + 0.5) * stride - 0.5)``.
    Returns:
        ``(B, N, S // stride, S // stride)``, at least 0, in units of the answer.
    Raises:
        ValueError: on a square or a stride that is not within the picture.
    Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2.
    """
    side = images.shape[3]
    if not 1 <= square <= side or not 1 <= stride <= side:
        raise ValueError(f"occlusion: expected square and stride from 1 to {side}, got {square} and {stride}")
    cells = side // stride
    with torch.no_grad():
        whole = answer(images)
        changes = [
            (answer(_covered(images, x, y, square)) - whole).abs()
            for y in _starts(cells, square, stride)
            for x in _starts(cells, square, stride)
        ]
    return torch.stack(changes, 2).unflatten(2, (cells, cells))


def share_near(sensitivity: Tensor, points: Tensor, radius: float, stride: int) -> Tensor:
    """Which part of its sensitivity each number owes to places near its own landmark.

    Args:
        sensitivity: ``(B, N, h, w)`` of :func:`occlusion_sensitivity`. points: ``(B, N, 2)`` pixels of the picture.
        radius: how near, in its pixels. stride: as of the sensitivity.
    Returns:
        ``(B, N)`` from 0 to 1; 0 where nothing changed the answer.
    """
    rows, columns = ((torch.arange(count) + 0.5) * stride - 0.5 for count in sensitivity.shape[2:])
    across, down = columns - points[..., :1], rows - points[..., 1:]
    near = down.square()[..., :, None] + across.square()[..., None, :] <= radius**2
    return (sensitivity * near).sum((2, 3)) / sensitivity.sum((2, 3)).clamp_min(1e-12)


def _starts(cells: int, square: int, stride: int) -> list[int]:
    """Left or upper edges of the squares, each around the middle of its cell."""
    return [round((index + 0.5) * stride - square / 2) for index in range(cells)]


def _covered(images: Tensor, x: int, y: int, square: int) -> Tensor:
    covered = images.clone()
    covered[:, :, max(y, 0) : y + square, max(x, 0) : x + square] = _GREY
    return covered
