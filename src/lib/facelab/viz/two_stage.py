"""The two-stage method, drawn: three networks, one below the other, and what goes from one into the next."""

import math
from dataclasses import dataclass
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from facelab.models import Hourglass, TwoStage
from facelab.viz.boxes import Shape, arrow, block, in_lines, measured_shapes, millions, write
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, PREDICTION, TRUTH, style

# An axis unit is an inch.
_WIDTH, _ROW, _TITLE = 8.0, 2.15, 9.0
_OCTAVE, _LEAST, _BOX = 0.11, 0.14, 0.24  # a box grows by the first when the resolution doubles
_LINE, _NAME, _MIDDLE = 0.08, 0.16, 1.05  # from the top of a row: the line into it, its name, its boxes


@dataclass(frozen=True)
class _Box:
    """A place in a network: its name, the shape that is there, its colour."""

    name: str
    shape: Shape
    colour: str


def two_stage_figure(network: TwoStage, side: int) -> Figure:
    """Detection, regression and depth network, row by row; all shapes are measured, all parameters counted.

    Args:
        network: with a detection; on the device ``meta`` it costs nothing to measure. side: of the picture in pixels.
    Raises:
        ValueError: without a detection or a regression; from the networks, on a side that they do not take.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), figures 1 and 2.
    """
    detection, regression, depth = network.cascade.detection, network.cascade.regression, network.depth
    if detection is None or regression is None:
        raise ValueError("two_stage_figure: expected a cascade of a detection and a regression")
    shapes = measured_shapes(network, side)
    rows = {
        f"Detection, {millions(detection)} million parameters": _detection(shapes),
        f"Regression, {millions(regression)} million": _regression(shapes, regression.in_channels, regression),
        f"Depth, {millions(depth)} million": _depth(shapes, depth.in_channels),
    }
    with style():
        figure = plt.figure(figsize=(_WIDTH, _ROW * len(rows)))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(0, _WIDTH), ylim=(-_ROW * len(rows), 0))
        ax.axis("off")
        for index, (title, boxes) in enumerate(rows.items()):
            _draw(ax, title, boxes, -_ROW * index)
        for index, (above, below) in enumerate(pairwise(rows.values())):
            _lead(ax, above, below, -_ROW * index)
    return figure


def _detection(shapes: dict[str, Shape]) -> list[_Box]:
    path = "cascade.detection"
    trunk = {"conv": 0, "pool": 3, "block 2": 4, "block 3": 5, "block 4": 6, "block 5": 7}
    return [
        _Box("picture", shapes[""], NEUTRAL),
        *(_Box(name, shapes[f"{path}.trunk.{index}"], BASELINE) for name, index in trunk.items()),
        _Box("1 × 1", shapes[f"{path}.reduce"], PREDICTION),
        _Box("deconv", shapes[f"{path}.enlarge"], PREDICTION),
        _Box("discs", shapes[path], PREDICTION),
    ]


def _regression(shapes: dict[str, Shape], channels: int, network: nn.Module) -> list[_Box]:
    path = "cascade.regression"
    levels = [f"{path}.hourglass"]
    while isinstance(network.get_submodule(f"{levels[-1][len(path) + 1 :]}.inner"), Hourglass):
        levels.append(f"{levels[-1]}.inner")
    return [
        _Box("picture,\ndiscs", (channels, *shapes[""][1:]), NEUTRAL),
        _Box("conv", shapes[f"{path}.stem.0"], BASELINE),
        _Box("blocks", shapes[f"{path}.stem"], BASELINE),
        *(_Box("down", shapes[f"{level}.down"], ACCENT) for level in levels),
        *(_Box("up", shapes[level], ACCENT) for level in reversed(levels)),
        _Box("features", shapes[f"{path}.features"], TRUTH),
        _Box("1 × 1", shapes[f"{path}.heatmaps"], PREDICTION),
        _Box("deconv", shapes[path], PREDICTION),
    ]


def _depth(shapes: dict[str, Shape], channels: int) -> list[_Box]:
    stages = [path for path in shapes if path.rpartition(".")[0] == "depth.stages"]
    return [
        _Box("picture,\nheatmaps", (channels, *shapes[""][1:]), NEUTRAL),
        _Box("conv", shapes["depth.stem.0"], BASELINE),
        _Box("pool", shapes["depth.stem"], BASELINE),
        *(_Box(f"B{2 + index}", shapes[path], BASELINE) for index, path in enumerate(stages)),
        _Box("mean", (*shapes["depth.last"], 1, 1), TRUTH),
        _Box("depths", (*shapes["depth"], 1, 1), PREDICTION),
    ]


def _places(boxes: list[_Box]) -> list[float]:
    pitch = _WIDTH / len(boxes)
    return [(index + 0.5) * pitch for index in range(len(boxes))]


def _half(box: _Box) -> float:
    """Half the height: it goes with the logarithm of the resolution."""
    return (_LEAST + _OCTAVE * math.log2(box.shape[1])) / 2


def _draw(ax: Axes, title: str, boxes: list[_Box], top: float) -> None:
    y, places = top - _MIDDLE, _places(boxes)
    write(ax, 0.75, top - _NAME, title, size=_TITLE, ha="left", weight="bold")
    low = y - max(map(_half, boxes)) - 0.04
    for x, box in zip(places, boxes, strict=True):
        block(ax, x, y, _BOX, 2 * _half(box), box.colour)
        write(ax, x, low, f"{box.name}\n{in_lines(box.shape)}")
    for x, following in pairwise(places):
        arrow(ax, (x + _BOX / 2, y), (following - _BOX / 2, y))


def _lead(ax: Axes, above: list[_Box], below: list[_Box], top: float) -> None:
    """From the last box of a row, down its right side and back to the first box of the next."""
    line, first, edge = top - _ROW - _LINE, _places(below)[0], _WIDTH - 0.06
    y, start = top - _MIDDLE, _places(above)[-1] + _BOX / 2
    ax.plot([start, edge, edge, first], [y, y, line, line], color=NEUTRAL, linewidth=1)
    arrow(ax, (first, line), (first, top - _ROW - _MIDDLE + _half(below[0])))
