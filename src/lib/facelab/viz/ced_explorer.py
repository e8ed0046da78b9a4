"""Cumulative error distributions of many methods: a click on a name hides its curve."""

from collections.abc import Mapping

import plotly.graph_objects as go
from torch import Tensor

from facelab.metrics import auc, ced
from facelab.viz.curves import ced_figure
from facelab.viz.figure import InteractiveFigure
from facelab.viz.style import CYCLE

_HEIGHT = 560
_POINTS = 120  # of a curve, at least, if it has so many; at most twice as many
_DASHES = ("solid", "dash", "dot")


def ced_explorer(errors: Mapping[str, Tensor], threshold: float, normalizer: str, alt: str) -> InteractiveFigure:
    """The share of faces with at most an error, for every error up to a threshold, a curve a method.

    Pointing at a curve tells error and share; a click on a name in the legend hides or shows its curve, a double click
    shows it alone.

    Args:
        errors: method to ``(N,)`` fractions. threshold: right end, a fraction. normalizer: for the label of the axis.
        alt: what is to be seen.
    Raises:
        ValueError: without a method, or as :func:`facelab.metrics.ced`.
    """
    if not errors:
        raise ValueError("ced_explorer: expected at least one method")
    figure = go.Figure()
    for index, (name, values) in enumerate(errors.items()):
        x, share = ced(values, threshold)
        step = max(1, len(x) // _POINTS)
        places = [*range(0, len(x) - 1, step), len(x) - 1]
        figure.add_trace(
            go.Scatter(
                x=(100 * x[places]).float().numpy(), y=(100 * share[places]).float().numpy(),
                name=f"{name}, {100 * auc(values, threshold):.1f} %", mode="lines",
                line={"color": CYCLE[index % len(CYCLE)], "dash": _DASHES[index // len(CYCLE) % len(_DASHES)],
                      "shape": "hv"},
                hovertemplate="%{y:.1f} % of the faces have at most %{x:.2f} %",
            )
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": f"NME, normaliser {normalizer} (%)"}, "range": [0, 100 * threshold]},
        yaxis={"title": {"text": "faces with at most this error (%)"}, "range": [0, 100]},
        legend={
            "orientation": "h",
            "y": -0.2,
            "yanchor": "top",
            "title": {"text": "method, area under the curve", "side": "top"},
        },
        margin={"l": 52, "r": 12, "t": 20, "b": 48},
        height=_HEIGHT,
        plot_bgcolor="white",
        hovermode="closest",
    )
    figure.update_xaxes(gridcolor="#DDDDDD")
    figure.update_yaxes(gridcolor="#DDDDDD")
    return InteractiveFigure(figure, alt, ced_figure(errors, threshold, normalizer))
