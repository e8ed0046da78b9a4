"""The mean distance of two sets of points, the inner loop of every evaluation: plain, and compiled for the CPU.

On the CPU the plain form spends its time on copies in float64 and on memory that is as large as the set; the compiled
loop reads every number once and keeps nothing. Both give the same numbers.
"""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def mean_distances(predicted: Tensor, target: Tensor, visible: Tensor | None = None) -> Tensor:
    """``(N,)`` float64: mean over the visible landmarks of checked sets ``(N, L, D)``, not finite where one is not."""
    if target.device.type != "cpu" or predicted.device.type != "cpu":
        return plain(predicted.detach(), target.detach(), visible)
    same = predicted.dtype == target.dtype and target.dtype in (torch.float32, torch.float64)
    points, truth = ((each if same else each.double()).detach().contiguous().numpy() for each in (predicted, target))
    seen = np.empty((0, 0), bool) if visible is None else visible.cpu().contiguous().numpy()
    means = np.empty(len(truth))
    _compiled(points, truth, seen, means)
    return torch.from_numpy(means)


def plain(predicted: Tensor, target: Tensor, visible: Tensor | None = None) -> Tensor:
    """The same on any device."""
    apart = (predicted.double() - target.double()).norm(dim=2)
    if visible is None:
        return apart.mean(1)
    seen = visible.to(apart.device)
    return torch.where(seen, apart, 0.0).sum(1) / seen.sum(1)


@numba.njit(cache=True, nogil=True)
def _compiled(
    predicted: NDArray[Any], target: NDArray[Any], visible: NDArray[np.bool_], means: NDArray[np.float64]
) -> None:
    """Fills ``means``; ``visible`` is empty if all landmarks count."""
    masked = visible.size > 0
    for face in range(predicted.shape[0]):
        total, count = 0.0, 0
        for landmark in range(predicted.shape[1]):
            if masked and not visible[face, landmark]:
                continue
            square = 0.0
            for axis in range(predicted.shape[2]):
                step = np.float64(predicted[face, landmark, axis]) - np.float64(target[face, landmark, axis])
                square += step * step
            total += np.sqrt(square)
            count += 1
        means[face] = total / count
