"""Re-parametrisation, drawn: kernels that are read off a trained block add up to its one kernel."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from facelab import viz
from facelab.models import RepVGGBlock


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def block(before: int = 5, after: int = 5, stride: int = 1) -> RepVGGBlock:
    """In evaluation mode, with numbers of its own in every BN."""
    random = torch.Generator().manual_seed(0)
    made = RepVGGBlock(before, after, stride)
    with torch.no_grad():
        for norm in made.modules():
            if isinstance(norm, nn.BatchNorm2d):
                for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                    assert part is not None
                    part.copy_(0.5 + torch.rand(part.shape, generator=random))
    return made.eval()


@pytest.mark.parametrize(("before", "after"), [(5, 5), (4, 6)])
def test_branches_add_up_to_the_one_kernel(before: int, after: int) -> None:
    made = block(before, after)
    whole, _ = made.kernel_and_bias()
    for output, given in ((0, 0), (2, 3), (after - 1, before - 1)):
        kernels = viz.branch_kernels(made, output, given)
        assert list(kernels) == ["3 x 3", "1 x 1", "identity"][: 3 if before == after else 2]
        torch.testing.assert_close(torch.stack(list(kernels.values())).sum(0), whole[output, given], atol=1e-6, rtol=0)
        ring = kernels["1 x 1"].clone()
        ring[1, 1] = 0
        assert bool((ring == 0).all())
    if before == after:
        assert bool((viz.branch_kernels(made, 0, 1)["identity"] == 0).all())
        assert float(viz.branch_kernels(made, 1, 1)["identity"][1, 1]) > 0


def test_a_kernel_is_not_turned_round() -> None:
    made = block()
    with torch.no_grad():
        made.dense[0].weight.zero_()
        made.dense[0].weight[0, 0, 0, 2] = 1.0  # looks up and to the right
    kernel = viz.branch_kernels(made, 0, 0)["3 x 3"]
    assert float(kernel[0, 2]) > 0 and int((kernel != 0).sum()) == 1


def test_the_figure_writes_the_numbers() -> None:
    made = block()
    figure = viz.kernel_figure(made, [(0, 0), (0, 1)])
    pictures = [ax for ax in figure.axes if ax.images]
    assert len(pictures) == 8
    assert [ax.get_title() for ax in pictures[:4]] == ["3 × 3", "1 × 1", "identity", "one kernel"]
    whole = made.kernel_and_bias()[0]
    written = [text.get_text() for text in pictures[3].texts]
    assert written[:9] == [f"{float(value):.3f}" for value in whole[0, 0].flatten()]
    assert [text.get_text() for text in pictures[2].texts][-1] == "="


def test_the_drawing_counts_parameters() -> None:
    made = block()
    words = [text.get_text() for text in viz.block_figure(made).axes[0].texts]
    trained, one = 5 * 5 * 9 + 10 + 5 * 5 + 10 + 10, 5 * 5 * 9 + 5
    assert f"in training: {trained} parameters" in words and f"deployed: {one} parameters" in words
    assert words.count("BN") == 3
    assert [text.get_text() for text in viz.block_figure(block(5, 5, 2)).axes[0].texts].count("BN") == 2


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="evaluation mode of stride 1, got stride 2"):
        viz.branch_kernels(block(stride=2), 0, 0)
    with pytest.raises(ValueError, match="training mode"):
        viz.branch_kernels(block().train(), 0, 0)
    with pytest.raises(ValueError, match="an output of 6 channels and an input of 4, got 6 and 0"):
        viz.branch_kernels(block(4, 6), 6, 0)
    with pytest.raises(ValueError, match="at least one pair"):
        viz.kernel_figure(block(), [])
