"""What drawings of networks are made of: boxes, arrows, words, and the shapes and parameters to write beside them."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from facelab.models.counting import parameters
from facelab.viz.style import NEUTRAL

Shape = tuple[int, ...]

TEXT = 7.2  # points


def measured_shapes(network: nn.Module, side: int) -> dict[str, Shape]:
    """What a picture becomes: the path of every module to the shape ``(C, H, W)`` that leaves it, without the batch.

    The network runs once on an empty picture, and is left as it was. Modules with several outputs are left out; ``""``
    is the picture itself. A network on the device ``meta`` is measured without computing anything.

    Args:
        network: takes ``(B, C, side, side)``; C is its ``in_channels``, or 3 if it has none.
    Raises:
        ValueError: from the network, on a side that it does not take.
    """
    shapes: dict[str, Shape] = {"": (getattr(network, "in_channels", 3), side, side)}

    def note(path: str, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[path] = tuple(output.shape[1:])

    modes = {module: module.training for module in network.modules()}
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, path=path: note(path, output))
        for path, module in network.named_modules()
        if path
    ]
    like = next(network.parameters())
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *shapes[""], dtype=like.dtype, device=like.device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return shapes


def block(ax: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    """A box around its middle."""
    ax.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, **paint(colour)))


def paint(colour: str) -> dict[str, Any]:
    """How a shape of that colour is filled and edged."""
    return {"facecolor": to_rgba(colour, 0.3), "edgecolor": colour}


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place to another."""
    look = {"arrowstyle": "-|>", "color": NEUTRAL, "linewidth": 1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
    ax.annotate("", end, start, arrowprops=look)


def write(ax: Axes, x: float, y: float, text: str, size: float = TEXT, **options: Any) -> None:
    """Words that hang from their place."""
    look: dict[str, Any] = {"ha": "center", "va": "top", "linespacing": 1.1}
    ax.text(x, y, text, fontsize=size, **look | options)


def in_lines(shape: Shape) -> str:
    """A shape ``(C, H, W)`` over two lines."""
    channels, rows, columns = shape
    return f"{channels} ×\n{rows}×{columns}"


def millions(*modules: nn.Module) -> str:
    """Parameters in millions, small numbers with a third digit."""
    count = parameters(*modules) / 1e6
    return f"{count:.2f}" if count >= 0.1 else f"{count:.3f}"
