"""Re-parametrisation, drawn: a RepVGG block before and after, and its kernels, which add up to one."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor, nn

from facelab.models import RepVGGBlock
from facelab.models.counting import parameters
from facelab.viz.boxes import arrow, block, write
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, PREDICTION, TRUTH, style

_LARGE, _SMALL = 9.0, 8.0  # points


def branch_kernels(trained: RepVGGBlock, output: int, given: int) -> dict[str, Tensor]:
    """What each branch does to one channel for another, with its BN: a 3 x 3 kernel, ``(3, 3)`` float64.

    They are not computed but read off: each branch answers a picture that is 0 but for one pixel, less its answer to
    0. So their sum can be held against that of :meth:`RepVGGBlock.kernel_and_bias`.

    Args:
        trained: in evaluation mode, of stride 1. output, given: the channels, counted from 0.
    Returns:
        ``"3 x 3"``, ``"1 x 1"`` and, if there is that branch, ``"identity"``.
    Raises:
        ValueError: for a block in training mode or of another stride, or a channel that is not there.
    """
    convolution = trained.dense[0]
    assert isinstance(convolution, nn.Conv2d)
    if trained.training or trained.stride != 1:
        raise ValueError(
            f"branch_kernels: expected a block in evaluation mode of stride 1, got stride {trained.stride}, "
            f"{'training' if trained.training else 'evaluation'} mode"
        )
    if not (0 <= output < convolution.out_channels and 0 <= given < convolution.in_channels):
        raise ValueError(
            f"branch_kernels: expected an output of {convolution.out_channels} channels and an input of "
            f"{convolution.in_channels}, got {output} and {given}"
        )
    blank = torch.zeros(1, convolution.in_channels, 3, 3).to(convolution.weight)
    impulse = blank.clone()
    impulse[0, given, 1, 1] = 1
    branches = {"3 x 3": trained.dense, "1 x 1": trained.pointwise, "identity": trained.identity}
    with torch.no_grad():
        return {  # an impulse comes out as the kernel, turned by half a circle
            name: (branch(impulse).double() - branch(blank).double())[0, output].flip(0, 1).cpu()
            for name, branch in branches.items()
            if branch is not None
        }


def kernel_figure(trained: RepVGGBlock, pairs: Sequence[tuple[int, int]]) -> Figure:
    """The kernels of the branches and their sum, in numbers and colours, a row for each pair of channels.

    The sum is that of :meth:`RepVGGBlock.kernel_and_bias`. A row has colours of its own.

    Args:
        trained: as of :func:`branch_kernels`. pairs: channels out and in.
    Raises:
        ValueError: without a pair, and as :func:`branch_kernels`.
    """
    if not pairs:
        raise ValueError("kernel_figure pairs: expected at least one pair of channels")
    rows = [branch_kernels(trained, *pair) for pair in pairs]
    whole = trained.kernel_and_bias()[0].cpu()
    columns = [*rows[0], "one kernel"]
    with style():
        figure, axes = plt.subplots(
            len(pairs), len(columns), figsize=(1.55 * len(columns), 1.5 * len(pairs) + 0.3), squeeze=False, dpi=110
        )
        for line, pair, kernels in zip(axes, pairs, rows, strict=True):
            shown = [*kernels.values(), whole[pair]]
            reach = max(float(kernel.abs().max()) for kernel in shown)
            for ax, name, kernel in zip(line, columns, shown, strict=True):
                _kernel(ax, kernel, reach)
                if pair == pairs[0]:
                    ax.set_title(name.replace("x", "×"), fontsize=_LARGE)
            for ax, sign in zip(line, ["+"] * (len(columns) - 2) + ["="], strict=False):
                ax.text(1.11, 0.5, sign, transform=ax.transAxes, ha="center", va="center", fontsize=14)
            line[0].set_ylabel(f"channel {pair[1]}\nto channel {pair[0]}", fontsize=_SMALL)
        figure.tight_layout(pad=0.4, w_pad=1.3)
    return figure


def _kernel(ax: Axes, kernel: Tensor, reach: float) -> None:
    ax.imshow(kernel.numpy(), cmap="PuOr", vmin=-reach, vmax=reach)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for (row, column), value in zip(
        torch.cartesian_prod(torch.arange(3), torch.arange(3)), kernel.flatten(), strict=True
    ):
        text = "0" if abs(float(value)) < 5e-7 else f"{float(value):.3f}"
        dark = abs(float(value)) > 0.6 * reach
        ax.text(column, row, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "#222222")


def block_figure(trained: RepVGGBlock) -> Figure:
    """A block as it is trained, and as it is deployed; parameters are counted.

    Args:
        trained: with or without the third branch.
    """
    branches: list[tuple[str, nn.Module, str]] = [
        ("3 × 3", trained.dense, PREDICTION),
        ("1 × 1", trained.pointwise, BASELINE),
    ]
    if trained.identity is not None:
        branches.append(("identity", trained.identity, ACCENT))
    one = trained.deploy()
    with style():
        figure = plt.figure(figsize=(6.2, 2.77), dpi=110)  # of 7.4 by 3.3 units: words stay large on a phone
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(0, 7.4), ylim=(0, 3.3))
        ax.axis("off")
        _before(ax, branches)
        _after(ax, one)
        for x, name, module in ((2.0, "in training", trained), (6.1, "deployed", one)):
            write(ax, x, 3.25, f"{name}: {parameters(module):,} parameters", size=_LARGE, weight="bold")
    return figure


def _before(ax: Axes, branches: list[tuple[str, nn.Module, str]]) -> None:
    step, top, plus = 0.85, 2.5, 3.15
    heights = [top - step * index for index in range(len(branches))]
    middle = (heights[0] + heights[-1]) / 2
    ax.plot([0.1, 0.35], [middle, middle], color=NEUTRAL, linewidth=1)
    ax.plot([0.35, 0.35], [heights[-1], heights[0]], color=NEUTRAL, linewidth=1)
    for y, (name, branch, colour) in zip(heights, branches, strict=True):
        ends = [0.35]
        if name != "identity":
            block(ax, 1.05, y, 0.8, 0.36, colour)
            write(ax, 1.05, y, name, size=_LARGE, va="center")
            arrow(ax, (0.35, y), (0.65, y))
            ends = [1.45]
        block(ax, 2.05, y, 0.6, 0.36, colour)
        write(ax, 2.05, y, "BN", size=_LARGE, va="center")
        arrow(ax, (ends[0], y), (1.75, y))
        write(ax, 1.55, y - 0.2, f"{parameters(branch):,}", size=_SMALL)
        if y != middle:
            ax.plot([2.35, plus], [y, y], color=NEUTRAL, linewidth=1)
            arrow(ax, (plus, y), (plus, middle + (0.12 if y > middle else -0.12)))
        else:
            arrow(ax, (2.35, y), (plus - 0.12, y))
    ax.add_patch(Circle((plus, middle), 0.12, facecolor="white", edgecolor=NEUTRAL))
    write(ax, plus, middle, "+", size=_LARGE, va="center")
    _to_relu(ax, plus + 0.12, middle, plus + 0.55)


def _after(ax: Axes, one: nn.Module) -> None:
    y = 1.65
    block(ax, 5.65, y, 0.9, 0.42, TRUTH)
    write(ax, 5.65, y, "3 × 3, bias", size=_LARGE, va="center")
    write(ax, 5.65, y - 0.24, f"{parameters(one):,}", size=_SMALL)
    arrow(ax, (4.85, y), (5.2, y))
    _to_relu(ax, 6.1, y, 6.6)
    ax.axvline(4.55, 0.05, 0.86, color=NEUTRAL, linestyle="dotted", linewidth=1)


def _to_relu(ax: Axes, start: float, y: float, x: float) -> None:
    block(ax, x, y, 0.5, 0.36, NEUTRAL)
    write(ax, x, y, "ReLU", size=_SMALL, va="center")
    arrow(ax, (start, y), (x - 0.25, y))
    arrow(ax, (x + 0.25, y), (x + 0.5, y))
