"""Work against error: what networks of several sizes cost and how well they do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from facelab.viz.style import CYCLE, NEUTRAL, style

_MARKS = "osD^vP"
_LARGEST = 420.0  # area of the largest marker, in squared points
_SMALLEST = 0.09  # of that area, or small networks would be lost
_GAP = 3.0  # points between a marker and its name
_SIDES = {1: ("left", "bottom"), 0: ("center", "center"), -1: ("right", "top")}  # of a name, by where it stands
# Where a name may stand beside its marker, as shares of the marker's radius, the best first.
_PLACES = [
    (far * x, far * y)
    for far in (1.0, 1.8, 2.6)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
]
_KEYS = 3  # markers in the key of sizes


@dataclass(frozen=True)
class TradeOff:
    """What a network costs and how well it does.

    Attributes:
        macs: multiply-adds for one face. errors: fractions, one a seed. parameters: numbers that are learned.
    """

    macs: float
    errors: Sequence[float]
    parameters: float

    def __post_init__(self) -> None:
        if not self.macs > 0 or not self.parameters > 0 or not self.errors or not all(e >= 0 for e in self.errors):
            raise ValueError(
                "TradeOff: expected positive macs and parameters and at least one error that is not negative, got "
                f"{self.macs}, {self.parameters} and {list(self.errors)}"
            )


def trade_off_figure(points: Mapping[str, TradeOff], measure: str = "NME (bbox)") -> Figure:
    """Networks by multiply-adds and mean error over seeds, with a bar from the least error to the largest.

    The area of a marker is in proportion to the number of parameters, except that the smallest stay visible.

    Args:
        points: name of a network to its numbers. measure: of the error, for the label of the axis.
    Raises:
        ValueError: without a network.
    Source: Guo et al. 2020 (3DDFA_V2), supplement, figure 3.
    """
    if not points:
        raise ValueError("trade_off_figure: expected at least one network")
    most = max(point.parameters for point in points.values())
    with style():
        figure, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        for index, point in enumerate(points.values()):
            macs, mean = _centre(point)
            colour, mark = CYCLE[index % len(CYCLE)], _MARKS[index % len(_MARKS)]
            ax.scatter(macs, mean, _area(point.parameters, most), colour, marker=mark, alpha=0.65, edgecolor="white")
            if len(point.errors) > 1:
                ends = 100 * min(point.errors), 100 * max(point.errors)
                ax.errorbar(macs, mean, [[max(0, mean - ends[0])], [max(0, ends[1] - mean)]], color=colour, capsize=4)
        ax.set_xscale("log")
        ax.margins(x=0.14, y=0.14)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set(xlabel="multiply-adds for a face (millions)", ylabel=f"{measure} (%), mean over seeds")
        _key(ax, most)
        figure.draw_without_rendering()
        _name(ax, points, most)
    return figure


def _area(parameters: float, most: float) -> float:
    return _LARGEST * max(parameters / most, _SMALLEST)


def _key(ax: Axes, most: float) -> None:
    """What the sizes of markers mean."""
    sizes = [most / 4**step for step in range(_KEYS)]
    handles = [ax.scatter([], [], _area(size, most), NEUTRAL, alpha=0.5) for size in sizes]
    labels = [f"{size / 1e6:.2g} M parameters" for size in sizes]
    ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=_KEYS, fontsize=8, handletextpad=0.6)


def _name(ax: Axes, points: Mapping[str, TradeOff], most: float) -> None:
    """Writes each name where it covers no marker, bar or other name; where there is no such place, on the right."""
    taken = [_box(ax, point, most) for point in points.values()]
    frame = ax.get_window_extent()
    for name, point in points.items():
        label = ax.annotate(name, _centre(point), (0, 0), textcoords="offset points", fontsize=9, zorder=4)
        radius = math.sqrt(_area(point.parameters, most) / math.pi) + _GAP
        for place in _PLACES:
            _put(label, place, radius)
            box = label.get_window_extent()
            if frame.containsx(box.x0) and frame.containsx(box.x1) and not box.count_overlaps(taken):
                break
        else:
            _put(label, _PLACES[0], radius)
        taken.append(label.get_window_extent())


def _centre(point: TradeOff) -> tuple[float, float]:
    """Millions of multiply-adds, and the mean error in percent."""
    return point.macs / 1e6, 100 * sum(point.errors) / len(point.errors)


def _box(ax: Axes, point: TradeOff, most: float) -> Bbox:
    """What a marker and its bar cover, in pixels."""
    macs, mean = _centre(point)
    x, y = ax.transData.transform((macs, mean))
    ends = ax.transData.transform([(macs, 100 * min(point.errors)), (macs, 100 * max(point.errors))])[:, 1]
    radius = math.sqrt(_area(point.parameters, most) / math.pi) * ax.figure.dpi / 72
    return Bbox([[x - radius, min(ends[0], y - radius)], [x + radius, max(ends[1], y + radius)]])


def _put(label: Annotation, place: tuple[float, float], radius: float) -> None:
    """Beside its point, ``radius`` points off in the direction of the place."""
    label.xyann = (radius * place[0], radius * place[1])
    across, up = (int(np.sign(part)) for part in place)
    label.set(horizontalalignment=_SIDES[across][0], verticalalignment=_SIDES[up][1])
