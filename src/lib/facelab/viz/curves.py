"""Curves: cumulative error distributions, training histories, learning rates; and the bits of numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from facelab.metrics import auc, ced
from facelab.viz.style import ACCENT, BASELINE, CYCLE, LINES, NEUTRAL, ON_SKIN, PREDICTION, style


def ced_figure(errors: Mapping[str, Tensor], threshold: float, normalizer: str, measure: str = "NME") -> Figure:
    """Cumulative error distribution of some methods.

    Args:
        errors: method to ``(N,)`` fractions. threshold: right end, a fraction.
        normalizer, measure: for the label of the axis.
    """
    with style():
        figure, ax = plt.subplots(figsize=(6.0, 3.6))
        for index, (name, values) in enumerate(errors.items()):
            x, share = ced(values, threshold)
            label = f"{name} (AUC {100 * auc(values, threshold):.1f} %)"
            ax.step(100 * x, 100 * share, where="post", label=label, **_look(index))
        ax.set(xlim=(0, 100 * threshold), ylim=(0, 100))
        ax.set_xlabel(f"{measure}, normaliser {normalizer} (%)")
        ax.set_ylabel("faces with at most this error (%)")
        ax.legend(loc="best")
        figure.tight_layout()
    return figure


def history_figure(history: Sequence[Mapping[str, float]], baseline: float) -> Figure:
    """Training loss and test error of each epoch; ``baseline`` is the error of the mean shape, a fraction."""
    epochs = [entry["epoch"] for entry in history]
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.0))
        left.semilogy(epochs, [entry["loss"] for entry in history], marker="o", color=BASELINE)
        left.set(xlabel="epoch", ylabel="training loss (squared heatmap units)")
        right.plot(epochs, [100 * entry["nme"] for entry in history], marker="o", color=PREDICTION, label="FAN")
        right.axhline(100 * baseline, color=BASELINE, linestyle="dashed", label="mean shape")
        right.set(xlabel="epoch", ylabel="NME (bbox) on test faces (%)", ylim=(0, None))
        right.legend()
        figure.tight_layout()
    return figure


def rates_figure(rates: Mapping[str, tuple[float, Callable[[float], float]]], points: int = 400) -> Figure:
    """Learning rates over a run, each on its own axes, since only their shapes compare.

    Args:
        rates: name to the first rate and its factor at every share of the run, from 0 to 1.
        points: at which each is drawn.
    """
    shares = [index / points for index in range(points + 1)]
    with style():
        figure, row = plt.subplots(1, len(rates), figsize=(2.6 * len(rates), 2.6), squeeze=False)
        for index, (name, (first, factor)) in enumerate(rates.items()):
            ax = row[0, index]
            ax.semilogy(shares, [first * factor(share) for share in shares], color=CYCLE[index % len(CYCLE)])
            ax.set_title(name, fontsize=9)
            ax.set(xlabel="share of the run", xlim=(0, 1))
        row[0, 0].set_ylabel("learning rate")
        figure.tight_layout()
    return figure


def runs_figure(
    histories: Mapping[str, Sequence[Mapping[str, float]]], measures: Mapping[str, str], logarithmic: bool = True
) -> Figure:
    """Several runs side by side, epoch by epoch.

    Args:
        histories: name of a run to its history. Epochs that lack a measure are left out.
        measures: name in the history to the label of its axis; each gets axes of its own.
        logarithmic: the vertical axes.
    """
    with style():
        figure, row = plt.subplots(1, len(measures), figsize=(4.2 * len(measures) + 0.4, 3.2), squeeze=False)
        for ax, (measure, label) in zip(row[0], measures.items(), strict=True):
            for index, (name, history) in enumerate(histories.items()):
                seen = [(entry["epoch"], entry[measure]) for entry in history if measure in entry]
                epochs, values = [epoch for epoch, _ in seen], [value for _, value in seen]
                ax.plot(epochs, values, marker=".", label=name, **_look(index))
            ax.set(xlabel="epoch", ylabel=label)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            if logarithmic:
                ax.set_yscale("log")
        row[0, -1].legend()
        figure.tight_layout()
    return figure


def sweep_figure(losses: Mapping[str, Mapping[float, float]]) -> Figure:
    """Where runs end, by their learning rate: optimiser to rate to final loss."""
    with style():
        figure, ax = plt.subplots(figsize=(6.0, 3.4))
        for index, (name, row) in enumerate(losses.items()):
            rates = sorted(row)
            ax.plot(rates, [row[rate] for rate in rates], marker="o", label=name, **_look(index))
        ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss of the last epoch")
        ax.legend()
        figure.tight_layout()
    return figure


def study_figure(
    x: Sequence[float],
    values: Mapping[str, Tensor],
    xlabel: str,
    ylabel: str,
    band: float | None = None,
    logx: bool = False,
    band_text: str = "below this, differences mean nothing",
) -> Figure:
    """Something measured at several places with several seeds: the mean over seeds, and a bar from least to largest.

    Args:
        x: the S places. values: name of a curve to its ``(S, seeds)`` numbers, in the units of the axis.
        band: the floor of what can be told apart, in the same units; the area below it is shaded.
        logx: a logarithmic horizontal axis. band_text: written into the area.
    Raises:
        ValueError: on numbers that are not one row a place, or none, or not finite.
    """
    for name, rows in values.items():
        if rows.ndim != 2 or len(rows) != len(x) or not rows.shape[1] or not bool(rows.isfinite().all()):
            raise ValueError(
                f"study_figure values[{name!r}]: expected finite numbers ({len(x)}, seeds), a row a place on the "
                f"axis, got {tuple(rows.shape)}"
            )
    with style():
        figure, ax = plt.subplots(figsize=(6.0, 3.6))
        for index, (name, rows) in enumerate(values.items()):
            mean = rows.mean(1)
            reach = torch.stack([mean - rows.amin(1), rows.amax(1) - mean]).clamp_min(0)
            bars = None if rows.shape[1] == 1 else reach.tolist()
            ax.errorbar(x, mean.tolist(), bars, label=name, marker="o", markersize=4, capsize=3, **_look(index))
        if logx:
            ax.set_xscale("log")
            ax.set_xticks(list(x), [f"{place:g}" for place in x])
            ax.minorticks_off()
        if band is not None:
            ax.axhspan(0, band, color=NEUTRAL, alpha=0.15, linewidth=0)
            ax.text(0.99, band, band_text, transform=ax.get_yaxis_transform(), ha="right", va="top", fontsize=8)
            ax.set_ylim(bottom=0)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        figure.tight_layout()
    return figure


def _look(index: int) -> dict[str, Any]:
    """Colour and line of a curve among several."""
    return {"color": CYCLE[index % len(CYCLE)], "linestyle": LINES[index % len(LINES)]}


def bits_figure(formats: Mapping[str, tuple[int, int]]) -> Figure:
    """Binary numbers, bit by bit: sign, exponent, fraction.

    Args:
        formats: name to the number of bits of the exponent and of the fraction.
    """
    parts = (("sign", NEUTRAL), ("exponent: how large", ACCENT), ("fraction: how exact", ON_SKIN))
    with style():
        figure, ax = plt.subplots(figsize=(8.0, 0.5 * len(formats) + 0.8))
        for row, (exponent, fraction) in enumerate(formats.values()):
            left = 0
            for (label, colour), count in zip(parts, (1, exponent, fraction), strict=True):
                widths, places = [0.9] * count, range(left, left + count)
                ax.barh([row] * count, widths, left=places, color=colour, label=None if row else label)
                left += count
            ax.text(left + 0.4, row, f"1 + {exponent} + {fraction} bits", va="center", fontsize=9)
        ax.set_yticks(range(len(formats)), formats)
        ax.invert_yaxis()
        ax.xaxis.set_visible(False)
        ax.grid(visible=False)
        ax.set_frame_on(False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3)
        figure.tight_layout()
    return figure
