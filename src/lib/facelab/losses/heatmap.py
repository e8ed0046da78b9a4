"""Losses between predicted and target heatmaps."""

from collections.abc import Sequence

import torch
from torch import Tensor


def stacked_heatmap_l2(predicted: Sequence[Tensor], target: Tensor) -> Tensor:
    """Sum over the stacks of the mean squared error of each stack's heatmaps.

    Every stack is compared with the same target (intermediate supervision), so an early hourglass learns from its
    own error and not only through the later ones.

    Args:
        predicted: one ``(B, L, h, w)`` tensor a stack.
        target: ``(B, L, h, w)``.
    Returns:
        A scalar, in squared heatmap units.
    Raises:
        ValueError: without a stack, or if a shape differs.
    Source: the criterion of FAN's released training code; Newell et al. 2016, section 3.3.
    """
    if not predicted:
        raise ValueError("predicted: expected the heatmaps of at least one stack")
    for index, maps in enumerate(predicted):
        if maps.shape != target.shape:
            raise ValueError(f"stack {index}: expected shape {tuple(target.shape)}, got {tuple(maps.shape)}")
    return torch.stack([(maps - target).square().mean() for maps in predicted]).sum()
