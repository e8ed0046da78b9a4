"""The loss of stacked heatmaps."""

import pytest
import torch

from facelab.losses import stacked_heatmap_l2


def test_sum_over_stacks_of_means() -> None:
    target = torch.zeros(2, 3, 4, 4)
    assert float(stacked_heatmap_l2([target + 1, target + 2], target)) == pytest.approx(1.0 + 4.0)


def test_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 2, 3, 3, generator=generator, dtype=torch.float64)
    maps = [torch.rand(1, 2, 3, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(lambda *m: stacked_heatmap_l2(m, target), maps)


def test_shapes_are_checked_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"stack 1: expected shape \(2, 3, 4, 4\), got \(1, 3, 4, 4\)"):
        stacked_heatmap_l2([torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4)], torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="at least one stack"):
        stacked_heatmap_l2([], torch.zeros(1))
