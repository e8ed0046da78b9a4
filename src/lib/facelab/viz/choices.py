"""Which branch meta-joint training kept, round by round."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from facelab.viz.style import BASELINE, NEUTRAL, PREDICTION, style

_WINDOW = 0.2  # of the training, over which the running share is taken
_ROW = 0.42  # inches, of a seed


def choices_figure(
    traces: Mapping[str, Sequence[Sequence[bool | int]]], branches: tuple[str, str] = ("fWPDC", "VDC")
) -> Figure:
    """Marks for the branch that each round kept, two rows a seed, and below them the share of the second branch.

    Runs of different lengths are laid over each other by their share of the training. The thick line is the mean over
    seeds of the share within a window of a fifth of the training, the thin ones are the seeds.

    Args:
        traces: name of a training to the choices of its seeds, false or 0 for the first branch and true or 1 for the
            second; :attr:`facelab.training.state.State.kept` has one seed's. branches: their names.
    Raises:
        ValueError: without a training, or on a seed without rounds or with anything but 0 and 1.
    Source: Guo et al. 2020 (3DDFA_V2), section 3.2, algorithm 1.
    """
    kept = {name: [_checked(name, row) for row in rows] for name, rows in traces.items()}
    if not kept or not all(kept.values()):
        raise ValueError("choices_figure traces: expected at least one training with at least one seed")
    most = max(len(rows) for rows in kept.values())
    heights = (_ROW * most + 0.3, 1.5)
    with style():
        figure, grid = plt.subplots(
            2, len(kept), figsize=(max(3.4 * len(kept), 6.0), sum(heights) + 0.9), height_ratios=heights,
            sharex=True, sharey="row", squeeze=False, layout="constrained",
        )  # fmt: skip
        for (above, below), (name, rows) in zip(grid.T, kept.items(), strict=True):
            share = np.concatenate(rows).mean()
            above.set_title(f"{name}: {branches[1]} in {100 * share:.0f} % of the rounds", fontsize=9)
            _marks(above, rows)
            _shares(below, rows)
            below.set(xlabel="share of the training", xlim=(0, 1), ylim=(0, 100))
        grid[0, 0].set(ylim=(most - 0.4, -0.6), ylabel="seed", yticks=range(most))
        grid[1, 0].set_ylabel(f"rounds that kept\n{branches[1]} (%)")
        look: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 11, "markeredgewidth": 2}
        handles = [Line2D([], [], color=colour, **look) for colour in (BASELINE, PREDICTION)]
        labels = [f"{branch} kept" for branch in branches]
        figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=9)
    return figure


def _checked(name: str, row: Sequence[bool | int]) -> NDArray[Any]:
    found = np.array([int(choice) for choice in row])
    if not len(found) or not set(found.tolist()) <= {0, 1}:
        raise ValueError(
            f"choices_figure traces[{name!r}]: expected rounds of 0 and 1 for each seed, got {list(row)[:8]}"
        )
    return found


def _times(rounds: int) -> NDArray[Any]:
    """The middles of rounds as shares of the training."""
    return (np.arange(rounds) + 0.5) / rounds


def _marks(ax: Axes, rows: Sequence[NDArray[Any]]) -> None:
    """A mark a round: the first branch above the middle of the seed's row, the second below it."""
    for seed, row in enumerate(rows):
        for branch, colour in enumerate((BASELINE, PREDICTION)):
            places = _times(len(row))[row == branch]
            ax.eventplot(
                places, lineoffsets=seed + 0.36 * (branch - 0.5), linelengths=0.32, colors=colour, linewidths=1.4
            )
    ax.grid(visible=False)


def _shares(ax: Axes, rows: Sequence[NDArray[Any]]) -> None:
    shown = np.linspace(0, 1, 101)
    curves = np.stack([_running(row, shown) for row in rows])
    ax.plot(shown, 100 * curves.T, color=NEUTRAL, linewidth=0.7, alpha=0.5)
    ax.plot(shown, 100 * curves.mean(0), color=PREDICTION, linewidth=2)
    ax.axhline(50, color=NEUTRAL, linewidth=0.8, linestyle="dashed")


def _running(row: NDArray[Any], shown: NDArray[Any]) -> NDArray[Any]:
    """The share of the second branch in a window around each time; at the ends the window is cut off."""
    near = np.abs(_times(len(row))[None] - shown[:, None]) <= max(_WINDOW / 2, 0.5 / len(row) + 1e-9)
    return (near * row).sum(1) / near.sum(1)
