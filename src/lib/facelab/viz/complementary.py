"""CLN, drawn: two streams, what each of them sees, and where their features meet."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from facelab.models import CLN
from facelab.viz.boxes import Shape, arrow, block, in_lines, measured_shapes, millions, write
from facelab.viz.faces import show_image
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, PREDICTION, TRUTH, style

# An axis unit is less than an inch, so that words are large enough for a phone.
_WIDTH, _HEIGHT, _SHRUNK = 8.0, 4.3, 0.82
_ROWS = {"global": 3.15, "local": 1.15}  # heights of the streams
_PICTURE, _FIRST, _PITCH, _BOX = 0.95, 1.5, 0.62, 0.26
_OCTAVE, _LEAST = 0.13, 0.16  # a box grows by the first when the resolution doubles
_TITLE, _NAME = 9.5, 8.0  # points


def complementary_figure(network: CLN, side: int, images: tuple[Tensor, Tensor]) -> Figure:
    """The two streams from what they see to the joint answer; all shapes are measured, all parameters counted.

    Args:
        network: with a global and a local stream. side: of its input, in pixels.
        images: ``(3, H, W)`` in [0, 1], what the global stream sees and what the local one sees.
    Raises:
        ValueError: for other streams; from the network, on a side that it does not take.
    """
    if set(network.streams) != set(_ROWS):
        raise ValueError(f"complementary_figure: expected streams {', '.join(_ROWS)}, got {', '.join(network.streams)}")
    shapes = measured_shapes(network, side)
    with style():
        figure = plt.figure(figsize=(_SHRUNK * _WIDTH, _SHRUNK * _HEIGHT), dpi=110)
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT))
        ax.axis("off")
        for (name, y), image in zip(_ROWS.items(), images, strict=True):
            _picture(figure, image, y)
            _stream(ax, name, network, shapes, y)
        _joint(ax, network)
    return figure


def _picture(figure: Figure, image: Tensor, y: float) -> None:
    place = (0.1 / _WIDTH, (y - _PICTURE / 2) / _HEIGHT, _PICTURE / _WIDTH, _PICTURE / _HEIGHT)
    show_image(figure.add_axes(place), image)


def _stream(ax: Axes, name: str, network: CLN, shapes: dict[str, Shape], y: float) -> None:
    stream, path = network.streams[name], f"streams.{name}"
    stages = [key for key in shapes if key.startswith(f"{path}.trunk.stages.") and key.count(".") == 4]
    boxes = [("stem", shapes[f"{path}.trunk.stem"], BASELINE)]
    boxes += [(f"stage {index + 1}", shapes[key], BASELINE) for index, key in enumerate(stages)]
    boxes.append(("attention", shapes[f"{path}.attention"], ACCENT))
    boxes.append(("mean", (*shapes[path], 1, 1), TRUTH))
    told = "" if name == "global" else ", shuffled in training"
    write(ax, 0.1, y + 0.92, f"{name.capitalize()} stream{told}: {millions(stream)} million",
          size=_TITLE, ha="left", weight="bold")  # fmt: skip
    low = y - 0.52
    for index, (label, shape, colour) in enumerate(boxes):
        x = _FIRST + index * _PITCH
        height = _LEAST + _OCTAVE * (shape[1].bit_length() - 1)
        block(ax, x, y, _BOX, height, colour)
        write(ax, x, low, f"{label}\n{in_lines(shape)}", size=_NAME - 0.6)
        start = 0.1 + _PICTURE if index == 0 else x - _PITCH + _BOX / 2
        arrow(ax, (start, y), (x - _BOX / 2, y))


def _joint(ax: Axes, network: CLN) -> None:
    end, middle = _FIRST + 6 * _PITCH + _BOX / 2, sum(_ROWS.values()) / 2
    join = end + 0.45
    for name, y in _ROWS.items():
        ax.plot([end, join], [y, y], color=NEUTRAL, linewidth=1)
        arrow(ax, (join, y), (join, middle + (0.3 if y > middle else -0.3)))
        if name in network.heads:  # a deployed network has none
            head = network.heads[name]
            assert isinstance(head, nn.Linear)
            block(ax, join + 1.05, y, 0.9, 0.42, NEUTRAL)
            write(ax, join + 1.05, y, f"{head.out_features}: alone", size=_NAME, va="center")
            write(ax, join + 1.05, y - 0.24, f"in training,\n{millions(head)} M", size=_NAME - 0.6)
            arrow(ax, (join, y), (join + 0.6, y))
    block(ax, join, middle, 0.66, 0.6, TRUTH)
    write(ax, join, middle, f"both:\n{network.head.in_features}", size=_NAME, va="center")
    block(ax, join + 1.05, middle, 0.9, 0.5, PREDICTION)
    write(ax, join + 1.05, middle, f"{network.head.out_features}:\nthe answer", size=_NAME, va="center")
    write(ax, join + 1.05, middle - 0.28, f"{millions(network.head)} M", size=_NAME - 0.6)
    arrow(ax, (join + 0.33, middle), (join + 0.6, middle))
