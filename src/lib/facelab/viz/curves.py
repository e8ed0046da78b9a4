"""Curves: training histories and cumulative error distributions."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from facelab.metrics import auc, ced
from facelab.viz.style import BASELINE, CYCLE, LINES, PREDICTION, style


def ced_figure(errors: Mapping[str, Tensor], threshold: float, normalizer: str) -> Figure:
    """Cumulative error distribution of some methods.

    Args:
        errors: method to ``(N,)`` fractions. threshold: right end, a fraction. normalizer: for the label of the axis.
    """
    with style():
        figure, ax = plt.subplots(figsize=(6.0, 3.6))
        for index, (name, values) in enumerate(errors.items()):
            x, share = ced(values, threshold)
            label = f"{name} (AUC {100 * auc(values, threshold):.1f} %)"
            ax.step(100 * x, 100 * share, where="post", label=label, color=CYCLE[index], linestyle=LINES[index])
        ax.set(xlim=(0, 100 * threshold), ylim=(0, 100))
        ax.set_xlabel(f"NME, normaliser {normalizer} (%)")
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
