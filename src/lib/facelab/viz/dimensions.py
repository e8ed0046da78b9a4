"""What a face loses when only the first modes of identity and expression are kept."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from facelab.viz.figure import InteractiveFigure
from facelab.viz.style import style

_SCALE = "viridis"  # of matplotlib and, capitalised, of Plotly
_SHADE = "rgba(0, 0, 0, 0.55)"  # behind the words beside the star, which may lie on any colour
_HEIGHT = 420
_FLOOR = 1e-3  # of the largest error: what is below has the colour of it, since a logarithm has no zero


def dimensions_figure(
    errors: Tensor,
    alt: str,
    identity: Sequence[int] | None = None,
    expression: Sequence[int] | None = None,
    marked: tuple[int, int] = (40, 10),
    measure: str = "NME (bbox)",
) -> InteractiveFigure:
    """The error over the numbers of identity and expression modes kept, with one pair marked by a star.

    Colours are logarithmic. Pointing at a cell tells its numbers and its error. Cells of a coarse grid reach half way
    to their neighbours.

    Args:
        errors: ``(E, I)`` fractions, none negative: a row a number of expression modes, a column a number of identity
            modes. alt: what is to be seen.
        identity, expression: the I and the E numbers of modes, growing; 1 to I and 1 to E if not given.
        marked: numbers of identity and of expression modes of the star, both on the grid. measure: of the error.
    Raises:
        ValueError: on numbers that do not fit the errors or do not grow, errors that are negative, not finite or all
            zero, or a star that is not on the grid.
    Source: Guo et al. 2020 (3DDFA_V2), supplement, figure 2.
    """
    percent = 100 * errors.detach().cpu().double().numpy()
    if percent.ndim != 2 or not percent.size or not bool((percent >= 0).all() and 0 < percent.max() < np.inf):
        raise ValueError(
            f"dimensions_figure errors: expected (E, I) finite fractions, none negative and one above 0, got "
            f"{tuple(errors.shape)}"
        )
    columns = _axis("identity", identity, percent.shape[1], marked[0])
    rows = _axis("expression", expression, percent.shape[0], marked[1])
    place = rows.index(marked[1]), columns.index(marked[0])
    told = f"[{marked[0]}, {marked[1]}]: {percent[place]:.2f} %"
    floor = max(float(percent[percent > 0].min()), _FLOOR * float(percent.max()))
    ticks = _ticks(floor, float(percent.max()))
    heat = go.Heatmap(
        x=columns, y=rows, z=np.log10(percent.clip(floor)).astype(np.float32), customdata=percent.astype(np.float32),
        colorscale=_SCALE.capitalize(),
        colorbar={
            "title": {"text": f"{measure} (%)", "side": "top"}, "orientation": "h", "y": 1.0, "yanchor": "bottom",
            "thickness": 12, "tickvals": np.log10(ticks).tolist(), "ticktext": [f"{tick:g}" for tick in ticks],
        },
        hovertemplate="%{x} identity, %{y} expression modes: %{customdata:.3f} %<extra></extra>",
    )  # fmt: skip
    star = go.Scatter(
        x=[marked[0]], y=[marked[1]], mode="markers", hovertemplate=told + "<extra></extra>", showlegend=False,
        marker={"symbol": "star", "size": 16, "color": "white", "line": {"color": "black", "width": 1.2}},
    )  # fmt: skip
    figure = go.Figure([heat, star])
    look = {"font": {"color": "white", "size": 14}, "bgcolor": _SHADE, "showarrow": False, "borderpad": 2}
    figure.add_annotation(x=marked[0], y=marked[1], xanchor="left", xshift=12, text=told, **look)
    figure.update_layout(
        xaxis={"title": {"text": "identity modes"}, "showgrid": False, "constrain": "domain"},
        yaxis={"title": {"text": "expression modes"}, "showgrid": False},
        margin={"l": 52, "r": 12, "t": 74, "b": 48},
        height=_HEIGHT,
        plot_bgcolor="white",
    )
    return InteractiveFigure(figure, alt, _poster(percent, columns, rows, marked, floor, told, measure))


def _axis(name: str, numbers: Sequence[int] | None, count: int, marked: int) -> list[int]:
    """The numbers of modes along one side."""
    found = list(range(1, count + 1)) if numbers is None else [int(number) for number in numbers]
    if len(found) != count or any(later <= earlier for earlier, later in pairwise(found)):
        raise ValueError(f"dimensions_figure {name}: expected {count} growing numbers, one a cell, got {found}")
    if marked not in found:
        raise ValueError(f"dimensions_figure marked: expected a number of {name} modes on the grid, got {marked}")
    return found


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between both ends; where these are too many, powers of ten."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    inside = [factor * 10.0**power for power in powers for factor in (1, 2, 5) if low <= factor * 10.0**power <= high]
    return inside if len(inside) <= 7 else [10.0**power for power in powers if low <= 10.0**power <= high]


def _poster(
    percent: NDArray[np.float64],
    columns: list[int],
    rows: list[int],
    marked: tuple[int, int],
    floor: float,
    told: str,
    measure: str,
) -> Figure:
    norm = LogNorm(floor, float(percent.max()))
    looks: dict[str, Any] = {"cmap": _SCALE, "norm": norm, "shading": "nearest", "rasterized": True}
    with style():
        figure, ax = plt.subplots(figsize=(7.2, 3.2), dpi=80, layout="constrained")
        ax.grid(visible=False)
        drawn = ax.pcolormesh(columns, rows, percent.clip(floor), **looks)
        ax.plot(*marked, "*", color="white", markersize=15, markeredgecolor="black")
        box = {"facecolor": "black", "alpha": 0.55, "linewidth": 0, "pad": 2}
        ax.annotate(told, marked, (11, -4), textcoords="offset points", color="white", bbox=box)
        ax.set(xlabel="identity modes", ylabel="expression modes")
        ticks = _ticks(floor, float(percent.max()))
        bar = figure.colorbar(drawn, ax=ax, label=f"{measure} (%)", ticks=ticks, format="{x:g}")
        bar.minorticks_off()
    return figure
