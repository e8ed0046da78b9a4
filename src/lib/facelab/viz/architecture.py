"""The network of FAN, drawn: what is inside, and the shapes that a picture takes on its way through."""

import math
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from torch import nn

from facelab.models import FAN, Hourglass
from facelab.models.fan import Stack
from facelab.viz.boxes import Shape, arrow, block, in_lines, measured_shapes, millions, paint, write
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, PREDICTION, TRUTH, style

# An axis unit is an inch; the figure is this wide unless it has more than four stacks.
_WIDTH, _HEIGHT = 8.0, 6.2
_LARGE = 9.0  # points
_OCTAVE, _LEAST = 0.3, 0.22  # a box grows by the first when the resolution doubles; the second is the lowest height
_BOX, _STEM_PITCH, _GAP = 0.2, 0.54, 0.25  # of what is opened: a box, a step in the stem, from there to the hourglass
_TRUNK, _MAPS, _OPENED = 4.85, 4.0, 1.55  # heights of the trunk, of the heatmaps, of what is opened
_FIRST, _PITCH = 1.4, 1.64  # where the first stack begins, and how far it is to the next one
_TALL = 0.45  # half the height of what lies on the trunk
_STEM, _HOURGLASS, _FEATURES, _HEATMAPS = BASELINE, ACCENT, TRUTH, PREDICTION


@dataclass(frozen=True)
class _Layer:
    """A box: its name, the shape that leaves it, its colour."""

    name: str
    shape: Shape
    colour: str


def network_figure(network: FAN, side: int) -> Figure:
    """FAN from the picture to the heatmaps, with its stem and its first hourglass opened.

    Above are all stacks, each with its heatmaps and with what flows from them into the next one. Below are the stem
    and the hourglass of the first stack, layer by layer. All shapes are measured, all parameters are counted.

    Args:
        network: FAN. side: of its input, in pixels.
    Raises:
        ValueError: from the network, on a side that it does not take.
    """
    shapes = measured_shapes(network, side)
    width = max(_WIDTH, _FIRST + _PITCH * len(network.stacks))
    with style():
        figure = plt.figure(figsize=(width, _HEIGHT))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(0, width), ylim=(0, _HEIGHT))
        ax.axis("off")
        _overview(ax, network, shapes)
        _opened(ax, network, shapes, width)
    return figure


def _overview(ax: Axes, network: FAN, shapes: dict[str, Shape]) -> None:
    count = len(network.stacks)
    title = f"FAN, {count} stack{'s' * (count > 1)}: {millions(network)} million parameters"
    write(ax, 0.1, _HEIGHT - 0.12, title, ha="left", size=_LARGE, weight="bold")
    for x, name, colour, note in (
        (0.38, "picture", NEUTRAL, in_lines(shapes[""])),
        (1.0, "stem", _STEM, f"{millions(network.stem)} M"),
    ):
        block(ax, x, _TRUNK, 0.42, 2 * _TALL, colour)
        write(ax, x, _TRUNK, name, va="center")
        write(ax, x, _TRUNK - _TALL - 0.05, note)
    arrow(ax, (0.59, _TRUNK), (0.79, _TRUNK))
    arrow(ax, (1.21, _TRUNK), (_FIRST + 0.2, _TRUNK))
    for index, stack in enumerate(_stacks(network)):
        _stack(ax, _FIRST + index * _PITCH, stack, index, shapes)


def _stacks(network: FAN) -> list[Stack]:
    return [stack for stack in network.stacks if isinstance(stack, Stack)]


def _stack(ax: Axes, left: float, stack: Stack, index: int, shapes: dict[str, Shape]) -> None:
    """One stack from the trunk back to the trunk: ``left`` is where it begins."""
    features, plus = left + 1.0, left + 1.42
    write(ax, left + 0.8, _TRUNK + 0.88, f"stack {index + 1}: {millions(stack)} M", size=_LARGE)
    ends = ((0.2, _TALL), (0.5, 0.12), (0.8, _TALL))
    outline = [(left + x, _TRUNK + y) for x, y in ends] + [(left + x, _TRUNK - y) for x, y in reversed(ends)]
    ax.add_patch(Polygon(outline, **paint(_HOURGLASS)))
    write(ax, left + 0.5, _TRUNK, "hourglass", va="center")
    arrow(ax, (left + 0.8, _TRUNK), (features - 0.1, _TRUNK))
    block(ax, features, _TRUNK, 0.2, 2 * _TALL, _FEATURES)
    write(ax, features, _TRUNK, "features", va="center", rotation=90)
    block(ax, features, _MAPS, 0.86, 0.26, _HEATMAPS)
    write(ax, features, _MAPS, _written(shapes[f"stacks.{index}.heatmaps"]), va="center")
    arrow(ax, (features, _TRUNK - _TALL), (features, _MAPS + 0.13))
    parts: dict[str, list[nn.Module]] = {
        "hourglass": [stack.hourglass],
        "features": [stack.block, stack.features],
        "heatmaps": [stack.heatmaps],
    }
    if stack.from_features is not None and stack.from_heatmaps is not None:
        parts["passed on"] = [stack.from_features, stack.from_heatmaps]
        _feedback(ax, left, features, plus)
    write(ax, features, _MAPS - 0.2, "\n".join(f"{name} {millions(*modules)} M" for name, modules in parts.items()))


def _feedback(ax: Axes, left: float, features: float, plus: float) -> None:
    """Trunk, features and heatmaps are added up and go into the next stack."""
    above = _TRUNK + _TALL + 0.2
    ax.plot([left + 0.08, left + 0.08, plus], [_TRUNK, above, above], color=NEUTRAL, linewidth=1)
    arrow(ax, (plus, above), (plus, _TRUNK + 0.09))
    arrow(ax, (features + 0.1, _TRUNK), (plus - 0.09, _TRUNK))
    ax.plot([features + 0.43, plus + 0.04], [_MAPS, _MAPS], color=NEUTRAL, linewidth=1)
    arrow(ax, (plus + 0.04, _MAPS), (plus + 0.04, _TRUNK - 0.08))
    ax.add_patch(Circle((plus, _TRUNK), 0.09, facecolor="white", edgecolor=NEUTRAL))
    write(ax, plus, _TRUNK - 0.005, "+", va="center", size=_LARGE)
    arrow(ax, (plus + 0.09, _TRUNK), (left + _PITCH + 0.2, _TRUNK))


def _opened(ax: Axes, network: FAN, shapes: dict[str, Shape], width: float) -> None:
    """Stem and first hourglass, box by box. Heights go with the logarithm of the resolution."""
    stem, hourglass = _stem_layers(network.stem, shapes), _hourglass_layers(_stacks(network)[0].hourglass, shapes)
    lowest = min(layer.shape[1] for layer in stem + hourglass)
    second = _STEM_PITCH * len(stem) + _GAP
    pitch = (width - second) / len(hourglass)

    def half(layer: _Layer) -> float:
        return (_LEAST + _OCTAVE * math.log2(layer.shape[1] / lowest)) / 2

    for first, step, layers, title in (
        (0.0, _STEM_PITCH, stem, "The stem"),
        (second, pitch, hourglass, "The hourglass of stack 1"),
    ):
        write(ax, first + 0.1, _MAPS - 1.0, title, ha="left", size=_LARGE, weight="bold")
        for index, layer in enumerate(layers):
            x = first + (index + 0.5) * step
            block(ax, x, _OPENED, _BOX, 2 * half(layer), layer.colour)
            write(ax, x, _OPENED - half(layer) - 0.03, f"{layer.name}\n{in_lines(layer.shape)}")
            if index:
                arrow(ax, (x - step + _BOX / 2, _OPENED), (x - _BOX / 2, _OPENED))
    for level in range(len(hourglass) // 2 - 1):
        y = _OPENED + half(hourglass[level]) - 0.05
        ends = [second + (index + 0.5) * pitch for index in (level, len(hourglass) - 1 - level)]
        arrow(ax, (ends[0] + _BOX / 2, y), (ends[1] - _BOX / 2, y))
        blank = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        write(ax, sum(ends) / 2, y, "keep, add", va="center", bbox=blank)
    write(ax, width / 2, 0.16, "Shapes: channels × rows × columns. A box one step lower has half the resolution.")


def _stem_layers(stem: nn.Module, shapes: dict[str, Shape]) -> list[_Layer]:
    """The picture and the layers of the stem; those that leave its shape as it is share a box."""
    layers = [_Layer("in", shapes[""], NEUTRAL)]
    for path, module in stem.named_children():
        shape = shapes[f"stem.{path}"]
        name = _stem_name(module)
        if shape != layers[-1].shape:
            layers.append(_Layer(name, shape, _STEM))
        elif name:
            layers[-1] = replace(layers[-1], name=f"{layers[-1].name},\n{name}")
    return layers


def _stem_name(module: nn.Module) -> str:
    if isinstance(module, nn.BatchNorm2d | nn.ReLU):
        return ""
    if isinstance(module, nn.Conv2d):
        return "conv"
    return "pool" if isinstance(module, nn.AvgPool2d | nn.MaxPool2d) else "block"


def _hourglass_layers(hourglass: nn.Module, shapes: dict[str, Shape]) -> list[_Layer]:
    """From what goes in, down to the innermost block, and up to what comes out."""
    path = "stacks.0.hourglass"
    first, last = _Layer("in", shapes[f"{path}.keep"], _STEM), _Layer("out", shapes[path], _FEATURES)
    down: list[_Layer] = []
    up: list[_Layer] = []
    inside: nn.Module = hourglass
    while isinstance(inside, Hourglass):
        down.append(_Layer("down", shapes[f"{path}.down"], _HOURGLASS))
        up.append(_Layer("up", shapes[f"{path}.up"], _HOURGLASS))
        inside, path = inside.inner, f"{path}.inner"
    return [first, *down, _Layer("inner", shapes[path], _HOURGLASS), *reversed(up), last]


def _written(shape: Shape) -> str:
    return " × ".join(map(str, shape))
