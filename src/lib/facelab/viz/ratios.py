"""Ratios with their intervals, beside those that are printed."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facelab.viz.style import BASELINE, NEUTRAL, PREDICTION, style

_ROW = 0.36  # inches
_OURS, _PRINTED = "ours", "printed"


@dataclass(frozen=True)
class Ratio:
    """An error over another.

    Attributes:
        mean, low, high: the ratio and the ends of its interval. printed: that of a paper; None without one.
    """

    mean: float
    low: float
    high: float
    printed: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.mean <= self.high < float("inf") or not (self.printed is None or self.printed > 0):
            raise ValueError(
                f"Ratio: expected 0 < low <= mean <= high, finite, and a positive printed one, got {self.low}, "
                f"{self.mean}, {self.high} and {self.printed}"
            )


def ratios_figure(
    panels: Mapping[str, Mapping[str, Ratio]], xlabel: str, labels: tuple[str, str] = ("here", "paper")
) -> Figure:
    """Rows of ratios: a dot with its interval for ours, a diamond for the printed one, a line at 1.

    Args:
        panels: title to name of a row to its ratio; all panels have the same rows, the first on top.
        xlabel: of the axes. labels: of ours and of the printed ones.
    Raises:
        ValueError: without a panel or a row, or if the panels have different rows.
    """
    rows = [list(panel) for panel in panels.values()]
    if not rows or not rows[0] or any(names != rows[0] for names in rows):
        raise ValueError(f"ratios_figure panels: expected the same rows in each, at least one, got {rows}")
    height = _ROW * len(rows[0]) + 1.1
    with style():
        figure, grid = plt.subplots(
            1, len(panels), figsize=(2.2 + 2.1 * len(panels), height), sharey=True, squeeze=False, layout="constrained"
        )
        for ax, (title, panel) in zip(grid[0], panels.items(), strict=True):
            _panel(ax, list(panel.values()))
            ax.set_title(title, fontsize=9)
        grid[0, 0].set_yticks(range(len(rows[0])), rows[0], fontsize=9)
        grid[0, 0].invert_yaxis()
        figure.supxlabel(xlabel, fontsize=10)
        drawn = dict(zip(*reversed(grid[0, 0].get_legend_handles_labels()), strict=True))
        handles = [drawn[each] for each in (_OURS, _PRINTED) if each in drawn]
        figure.legend(handles, labels[: len(handles)], loc="outside upper right", ncols=2, fontsize=9)
    return figure


def _panel(ax: Axes, ratios: list[Ratio]) -> None:
    ax.axvline(1, color=NEUTRAL, linewidth=1)
    means = [ratio.mean for ratio in ratios]
    reach = [
        [ratio.mean - ratio.low for ratio in ratios],
        [ratio.high - ratio.mean for ratio in ratios],
    ]
    ax.errorbar(means, range(len(ratios)), xerr=reach, fmt="o", color=PREDICTION, capsize=3, label=_OURS)
    printed = [(ratio.printed, row) for row, ratio in enumerate(ratios) if ratio.printed is not None]
    if printed:
        ax.plot(*zip(*printed, strict=True), "D", color=BASELINE, markerfacecolor="white", label=_PRINTED)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.grid(visible=False, axis="y")
